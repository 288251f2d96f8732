//! Deployments and invocations, answer by answer, against a client whose answers are written here.

use std::collections::HashMap;
use std::sync::Mutex;

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
use ports::PortError;

use super::*;

const ROLE: &str = "arn:aws:iam::123456789012:role/user-code";
const SOURCE: &str = "def handler(event):\n    return event\n";

/// Blobs in memory.
#[derive(Default)]
struct Memory(Mutex<HashMap<String, Bytes>>);

#[async_trait]
impl Blobs for Memory {
    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), PortError> {
        self.0.lock().unwrap().insert(key.to_owned(), bytes);
        Ok(())
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>, PortError> {
        Ok(self.0.lock().unwrap().get(key).cloned())
    }

    async fn delete_prefix(&self, prefix: &str) -> Result<(), PortError> {
        self.0.lock().unwrap().retain(|key, _| !key.starts_with(&format!("{prefix}/")));
        Ok(())
    }

    async fn health(&self) -> Result<(), PortError> {
        Ok(())
    }
}

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
    let blobs = Arc::new(Memory::default());
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

#[tokio::test(start_paused = true)]
async fn what_is_missing_is_made_waited_for_and_called() {
    let missing =
        mock!(Client::invoke).sequence().http_status(404, error("ResourceNotFoundException")).build();
    let absent = looks(false).sequence().http_status(404, error("ResourceNotFoundException")).build();
    let creates = mock!(Client::create_function)
        .match_requests(|input| {
            let code = input.code().unwrap();
            code.s3_bucket() == Some("bucket")
                && code.s3_key() == Some(package().key(version().function_id).as_str())
                && input.role() == Some(ROLE)
                && input.timeout() == Some(30)
                && input.memory_size() == Some(256)
        })
        .then_output(|| CreateFunctionOutput::builder().build());
    let pending = || GetFunctionConfigurationOutput::builder().state(State::Pending).build();
    let settles = looks(false).sequence().output(pending).times(3).output(wanted).build();
    let published = looks(true)
        .match_requests(|input| input.qualifier() == Some("7"))
        .sequence()
        .output(pending)
        .output(wanted)
        .build();
    let (publishes, compiles, points) = (publishes(), compiles(COMPILED), points());
    let (lists, answers) = (lists(), answers());
    let rules =
        [&missing, &absent, &creates, &settles, &publishes, &published, &compiles, &points, &lists, &answers];
    let runtime = runtime(&rules).await;
    let outcome = runtime.invoke(invocation("{}", Duration::ZERO)).await.unwrap();
    assert_eq!(outcome.result.as_deref(), Ok("42"));
    assert!(rules.iter().all(|rule| rule.num_calls() > 0));
    assert!(runtime.blobs.get(&package().key(version().function_id)).await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn another_deployment_under_way_is_waited_for() {
    let missing =
        mock!(Client::invoke).sequence().http_status(404, error("ResourceNotFoundException")).build();
    let older = || {
        let mut older = wanted();
        older.code_sha256 = Some("another".into());
        older.timeout = Some(3);
        older
    };
    let looks_first = looks(false).sequence().output(older).build();
    let refused = mock!(Client::update_function_code)
        .sequence()
        .http_status(409, error("ResourceConflictException"))
        .build();
    let looks_again = looks(false).sequence().output(older).build();
    let updates_code = mock!(Client::update_function_code)
        .match_requests(|input| input.revision_id() == Some("revision"))
        .then_output(|| UpdateFunctionCodeOutput::builder().build());
    let in_progress = || {
        let mut there = wanted();
        there.timeout = Some(3);
        there.last_update_status = Some(LastUpdateStatus::InProgress);
        there
    };
    let misconfigured = || {
        let mut there = wanted();
        there.timeout = Some(3);
        there
    };
    let looks_on = looks(false).sequence().output(in_progress).output(misconfigured).build();
    let updates = mock!(Client::update_function_configuration)
        .match_requests(|input| input.timeout() == Some(30) && input.revision_id() == Some("revision"))
        .then_output(|| UpdateFunctionConfigurationOutput::builder().build());
    let settles = looks(false).sequence().output(wanted).build();
    let published = looks(true).sequence().output(wanted).build();
    let (publishes, compiles, points) = (publishes(), compiles(COMPILED), points());
    let (lists, answers) = (lists(), answers());
    let runtime = runtime(&[
        &missing,
        &looks_first,
        &refused,
        &looks_again,
        &updates_code,
        &looks_on,
        &updates,
        &settles,
        &publishes,
        &published,
        &compiles,
        &points,
        &lists,
        &answers,
    ])
    .await;
    let outcome = runtime.invoke(invocation("{}", Duration::ZERO)).await.unwrap();
    assert_eq!(outcome.result.as_deref(), Ok("42"));
}

#[tokio::test(start_paused = true)]
async fn what_lambda_can_not_set_up_fails_without_internals() {
    let missing =
        mock!(Client::invoke).sequence().http_status(404, error("ResourceNotFoundException")).build();
    let broken = || {
        let mut there = wanted();
        there.state = Some(State::Failed);
        there.state_reason = Some(format!("{ROLE} is not what it should be"));
        there
    };
    let looks = looks(false).sequence().output(broken).build();
    let fault =
        runtime(&[&missing, &looks]).await.invoke(invocation("{}", Duration::ZERO)).await.unwrap_err();
    assert_eq!(fault.to_string(), "AWS Lambda could not set the function up");
}

#[tokio::test(start_paused = true)]
async fn too_many_at_once_is_busy_once_patience_ends() {
    let throttled = || mock!(Client::invoke).sequence().http_status(429, error("TooManyRequestsException"));
    let always = throttled().repeatedly().build();
    let fault = runtime(&[&always]).await.invoke(invocation("{}", Duration::from_secs(3))).await.unwrap_err();
    assert!(
        matches!(fault, RuntimeError::Busy { retry_after } if retry_after == Duration::from_secs(1)),
        "{fault:?}"
    );
    assert!(always.num_calls() > 2, "{}", always.num_calls());

    let (once, answers) = (throttled().build(), answers());
    let outcome =
        runtime(&[&once, &answers]).await.invoke(invocation("{}", Duration::from_secs(3))).await.unwrap();
    assert_eq!(outcome.result.as_deref(), Ok("42"));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_lost_is_not_asked_for_again() {
    for (status, code) in [(500, "ServiceException"), (502, "EC2UnexpectedException")] {
        let lost = mock!(Client::invoke).sequence().http_status(status, error(code)).repeatedly().build();
        let fault =
            runtime(&[&lost]).await.invoke(invocation("{}", Duration::from_secs(9))).await.unwrap_err();
        assert!(matches!(fault, RuntimeError::Failed(_)), "{fault:?}");
        assert_eq!(lost.num_calls(), 1, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_that_lambda_can_not_take_fails_its_run() {
    let never = answers();
    let event = format!("\"{}\"", "x".repeat(6 * 1024 * 1024));
    let outcome = runtime(&[&never]).await.invoke(invocation(&event, Duration::ZERO)).await.unwrap();
    assert!(outcome.result.unwrap_err().contains("too large"));
    assert_eq!(never.num_calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn code_that_is_gone_is_said_to_be() {
    let missing =
        mock!(Client::invoke).sequence().http_status(404, error("ResourceNotFoundException")).build();
    let runtime = runtime(&[&missing]).await;
    runtime.blobs.delete_prefix("code").await.unwrap();
    let fault = runtime.invoke(invocation("{}", Duration::ZERO)).await.unwrap_err();
    assert!(matches!(&fault, RuntimeError::Failed(text) if text.contains("version 3 is gone")), "{fault:?}");
}

#[tokio::test(start_paused = true)]
async fn everything_that_makes_a_release_is_in_its_alias() {
    let runtime = runtime(&[]).await;
    let alias = |version: &Version, settings: &Settings| runtime.release(version, settings).alias();
    let (version, settings) = (version(), Settings::default());
    let plain = alias(&version, &settings);
    assert_eq!(plain, alias(&version, &settings));
    // How often a job is tried is not Lambda's affair.
    assert_eq!(plain, alias(&version, &Settings { max_attempts: 9, ..settings.clone() }));
    let environment = |name: &str, value: &str| [(name.to_owned(), value.to_owned())].into();
    let others = [
        alias(&Version { code_sha256: "cd".repeat(32), ..version.clone() }, &settings),
        alias(&Version { version: 4, ..version.clone() }, &settings),
        alias(&version, &Settings { memory_mb: 512, ..settings.clone() }),
        alias(&version, &Settings { timeout_seconds: 31, ..settings.clone() }),
        alias(&version, &Settings { environment: environment("A", "BC"), ..settings.clone() }),
        alias(&version, &Settings { environment: environment("AB", "C"), ..settings.clone() }),
    ];
    // Nor are they others where Lambda is told the same.
    let long = |timeout_seconds| alias(&version, &Settings { timeout_seconds, ..settings.clone() });
    assert_eq!(long(840), long(900));
    assert_ne!(long(839), long(840));
    let all: std::collections::HashSet<_> = others.iter().chain([&plain]).collect();
    assert_eq!(all.len(), 7);
    assert!(all.iter().all(|alias| alias.len() <= 128));
}

fn function() -> Function {
    Function {
        id: version().function_id,
        workspace_id: WorkspaceId::from_random([1; 16]),
        owner_id: domain::UserId(1),
        name: "f".into(),
        name_key: None,
        description: String::new(),
        execution_type: domain::ExecutionType::Sync,
        endpoint: "/f".into(),
        public: false,
        http_methods: None,
        runtime_label: None,
        status: domain::Status::Pending,
        status_reason: None,
        settings: Settings::default(),
        latest_version: 3,
        oldest_version: 1,
        current: version(),
        revision: 1,
        created_at: Timestamp::from_millis(0),
        updated_at: Timestamp::from_millis(0),
        deployed_at: None,
    }
}

#[tokio::test(start_paused = true)]
async fn code_that_the_interpreter_refuses_gets_no_alias_and_is_withdrawn() {
    let died = dies(&[SEGFAULT, SEGFAULT]);
    for (asked, times, place, text) in [
        (compiles(REFUSED), 1, (2, 3), "SyntaxError: no"),
        (died, 2, (1, 1), "Python 3.13 crashed while compiling the code: The process was killed"),
    ] {
        let absent = looks(true).sequence().http_status(404, error("ResourceNotFoundException")).build();
        let settled = looks(false).sequence().output(wanted).build();
        let (publishes, published) = (publishes(), looks(true).sequence().output(wanted).build());
        let withdraws = mock!(Client::delete_function)
            .match_requests(|input| input.qualifier() == Some("7"))
            .then_output(|| {
                aws_sdk_lambda::operation::delete_function::DeleteFunctionOutput::builder().build()
            });
        let rules = [&absent, &settled, &publishes, &published, &asked, &withdraws];
        let fault = runtime(&rules).await.deploy(&function()).await.unwrap().unwrap_err();
        assert_eq!((fault.line, fault.column), place, "{fault}");
        assert!(fault.message.contains(text), "{fault}");
        assert_eq!(asked.num_calls(), times);
        assert!(rules.iter().all(|rule| rule.num_calls() == 1 || rule.num_calls() == times));
    }
}

/// The process that is to compile the code works with the function's own time, memory and variables.
#[tokio::test(start_paused = true)]
async fn a_process_that_fails_is_not_the_codes_fault() {
    for (deaths, variable, text) in [
        ([TIMEOUT, TIMEOUT], None, "could not check the code: Task timed out after 30 seconds"),
        ([KILLED, KILLED], None, "raise memory_mb"),
        ([SEGFAULT, EXIT], None, "could not check the code: The process ended (exit code 9)"),
        ([EXIT, EXIT], Some("PYTHONHOME"), "Look at PYTHONHOME."),
        ([EXIT, EXIT], Some("AWS_LAMBDA_EXEC_WRAPPER"), "Look at AWS_LAMBDA_EXEC_WRAPPER."),
    ] {
        let environment = variable.map(|name| (name.to_owned(), "x".to_owned()));
        let mut function = function();
        function.settings.environment = environment.clone().into_iter().collect();
        let there = move || {
            let mut there = wanted();
            let variables = environment.clone().into_iter().collect();
            there.environment = Some(EnvironmentResponse::builder().set_variables(Some(variables)).build());
            there
        };
        let absent = looks(true).sequence().http_status(404, error("ResourceNotFoundException")).build();
        let settled = looks(false).sequence().output(there.clone()).build();
        let (publishes, published) = (publishes(), looks(true).sequence().output(there).build());
        let asked = dies(&deaths);
        let rules = [&absent, &settled, &publishes, &published, &asked];
        let fault = runtime(&rules).await.deploy(&function).await.unwrap_err().to_string();
        assert!(fault.contains(text), "{fault}");
        assert_eq!(asked.num_calls(), 2, "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_fails_once_is_asked_again() {
    let absent = looks(true).sequence().http_status(404, error("ResourceNotFoundException")).build();
    let settled = looks(false).sequence().output(wanted).build();
    let (publishes, published) = (publishes(), looks(true).sequence().output(wanted).build());
    let (died, compiles, points, lists) = (dies(&[EXIT]), compiles(COMPILED), points(), lists());
    let rules = [&absent, &settled, &publishes, &published, &died, &compiles, &points, &lists];
    runtime(&rules).await.deploy(&function()).await.unwrap().unwrap();
    assert!(rules.iter().all(|rule| rule.num_calls() == 1));
}

const SEGFAULT: &str =
    r#"{"errorMessage":"RequestId: 1 Error: Runtime exited with error: signal: segmentation fault"}"#;
const KILLED: &str = r#"{"errorMessage":"RequestId: 1 Error: Runtime exited with error: signal: killed"}"#;
const EXIT: &str = r#"{"errorType":"Runtime.ExitError","errorMessage":"RequestId: 1 Error: Runtime exited with error: exit status 9"}"#;
const TIMEOUT: &str = r#"{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: 1 Error: Task timed out after 30.00 seconds"}"#;

/// What was asked to compile the code ends in these ways, one after the other.
fn dies(ways: &[&'static str]) -> Rule {
    let mut sequence = mock!(Client::invoke).sequence();
    for &way in ways {
        sequence = sequence.output(move || {
            InvokeOutput::builder().function_error("Unhandled").payload(Blob::new(way)).build()
        });
    }
    sequence.build()
}

/// Neither is it taken then, nor is it the code's fault.
#[tokio::test(start_paused = true)]
async fn a_check_that_could_not_be_made_fails_the_deployment() {
    let strange = compiles(r#"{"output":"42"}"#);
    let lost = mock!(Client::invoke).sequence().http_status(500, error("ServiceException")).build();
    for asked in [strange, lost] {
        let absent = looks(true).sequence().http_status(404, error("ResourceNotFoundException")).build();
        let settled = looks(false).sequence().output(wanted).build();
        let (publishes, published) = (publishes(), looks(true).sequence().output(wanted).build());
        let rules = [&absent, &settled, &publishes, &published, &asked];
        let fault = runtime(&rules).await.deploy(&function()).await.unwrap_err();
        assert_eq!(fault.to_string(), "AWS Lambda could not check the code; try again");
    }
}
