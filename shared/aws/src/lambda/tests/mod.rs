//! Deployments and invocations, answer by answer, against a client whose answers are written here.

mod check;
mod deploy;
mod invoke;

use aws_sdk_lambda::operation::create_alias::CreateAliasOutput;
use aws_sdk_lambda::operation::create_function::CreateFunctionOutput;
use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationOutput;
use aws_sdk_lambda::operation::invoke::InvokeOutput;
use aws_sdk_lambda::operation::list_aliases::ListAliasesOutput;
use aws_sdk_lambda::operation::publish_version::PublishVersionOutput;
use aws_sdk_lambda::operation::update_function_code::UpdateFunctionCodeOutput;
use aws_sdk_lambda::operation::update_function_configuration::UpdateFunctionConfigurationOutput;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{EnvironmentResponse, LastUpdateStatus, State};
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use bytes::Bytes;
use domain::function::{Handler, Module};
use domain::{JobId, Language, Timestamp, WorkspaceId};
use ports::memory::MemoryBlobs;

use super::*;

const ROLE: &str = "arn:aws:iam::123456789012:role/user-code";
const SOURCE: &str = "def handler(event):\n    return event\n";

fn version() -> Version {
    Version {
        function_id: FunctionId::from_random([9; 16]),
        version: 3,
        language: Language::Python,
        module: Module::Python,
        handler: Handler::default(),
        code_key: "code/source".into(),
        code_sha256: "ab".repeat(32),
        code_size: SOURCE.len(),
        created_at: Timestamp::from_millis(0),
    }
}

fn invocation(event: &str, patience: Duration) -> Invocation {
    Invocation {
        job_id: JobId(1),
        attempt: 1,
        workspace_id: WorkspaceId::from_random([1; 16]),
        function_name: "f".into(),
        version: Arc::new(version()),
        settings: Arc::new(Settings::default()),
        event: Bytes::from(event.to_owned()),
        patience,
    }
}

/// A runtime whose client answers by these rules, in their order.
async fn runtime(rules: &[&Rule]) -> LambdaRuntime {
    let client = mock_client!(aws_sdk_lambda, RuleMode::Sequential, rules, |config| config
        .retry_config(RetryConfig::disabled()));
    let blobs = Arc::new(MemoryBlobs::default());
    blobs.put("code/source", Bytes::from_static(SOURCE.as_bytes())).await.unwrap();
    let deployment = Deployment {
        code_bucket: "bucket".into(),
        function_name_prefix: "p-".into(),
        execution_role_arn: ROLE.into(),
    };
    LambdaRuntime::from_client(client, deployment, blobs)
}

fn package() -> Package {
    Package::new(::runtime::package::lambda_files(Module::Python, &Handler::default(), SOURCE.as_bytes()))
        .unwrap()
}

/// What Lambda has, once it is as version 3 with default settings wants it.
fn wanted() -> GetFunctionConfigurationOutput {
    let settings = Settings::default();
    GetFunctionConfigurationOutput::builder()
        .runtime(aws_sdk_lambda::types::Runtime::Python313)
        .handler(::runtime::package::lambda_handler(Language::Python))
        .role(ROLE)
        .memory_size(settings.memory_mb as i32)
        .timeout(settings.timeout_seconds as i32)
        .environment(EnvironmentResponse::builder().build())
        .architectures(release::ARCHITECTURE)
        .code_sha256(package().sha256_base64())
        .revision_id("revision")
        .state(State::Active)
        .last_update_status(LastUpdateStatus::Successful)
        .build()
}

fn error(code: &str) -> Option<String> {
    Some(format!(r#"{{"__type":"{code}","message":"{code} it is"}}"#))
}

fn looks(
    qualified: bool,
) -> aws_smithy_mocks::RuleBuilder<
    aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationInput,
    GetFunctionConfigurationOutput,
    aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationError,
> {
    mock!(Client::get_function_configuration)
        .match_requests(move |input| input.qualifier().is_some() == qualified)
}

/// PublishVersion of what was seen, and of nothing else.
fn publishes() -> Rule {
    mock!(Client::publish_version)
        .match_requests(|input| {
            input.revision_id() == Some("revision")
                && input.code_sha256() == Some(package().sha256_base64().as_str())
        })
        .then_output(|| PublishVersionOutput::builder().version("7").build())
}

/// What was published, and has no alias yet, is asked to compile the code and nothing else.
fn compiles(answer: &'static str) -> Rule {
    mock!(Client::invoke)
        .match_requests(|input| {
            input.qualifier() == Some("7")
                && input.payload().is_some_and(|payload| payload.as_ref() == br#"{"check":true}"#)
        })
        .then_output(move || InvokeOutput::builder().status_code(200).payload(Blob::new(answer)).build())
}

const COMPILED: &str = r#"{"compiled":"{\"module\":\"python\",\"fault\":null}"}"#;
const REFUSED: &str = r#"{"compiled":"{\"module\":\"python\",\"fault\":{\"message\":\"SyntaxError: no\",\"line\":2,\"column\":3}}"}"#;

/// The alias points to what was published.
fn points() -> Rule {
    mock!(Client::create_alias)
        .match_requests(|input| {
            input.function_version() == Some("7") && input.name().is_some_and(|name| name.starts_with("v3-"))
        })
        .then_output(|| CreateAliasOutput::builder().build())
}

fn lists() -> Rule {
    mock!(Client::list_aliases).then_output(|| ListAliasesOutput::builder().build())
}

fn answers() -> Rule {
    mock!(Client::invoke)
        .match_requests(|input| {
            input.function_name() == Some("p-09090909-0909-4909-8909-090909090909")
                && input.qualifier().is_some_and(|name| name.starts_with("v3-"))
        })
        .then_output(|| {
            let payload = r#"{"output":"42","error":null,"logs":[],"duration_ms":0,"cold_start":true}"#;
            InvokeOutput::builder().status_code(200).payload(Blob::new(payload)).build()
        })
}
