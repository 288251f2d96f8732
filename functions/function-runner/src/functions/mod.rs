//! `/functions`: saving, showing and invoking them.

pub mod create;
pub mod delete;
pub mod get;
pub mod invoke;
pub mod invoke_workspace;
pub mod jobs;
pub mod list;
pub mod metrics;
pub mod rollback;
pub mod update;
pub mod versions;

use std::collections::BTreeMap;
use std::sync::Arc;

use app::environment::MASK;
use domain::{FunctionId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{IntoParams, PartialSchema, ToSchema};
use uuid::Uuid;
use web::validate::{FORM, SAYS};

/// The path of an HTTP trigger below `/run/{workspace_id}`.
#[derive(Deserialize)]
pub struct Endpoint(String);

impl Endpoint {
    /// Segments that are neither empty nor `.` nor `..`, with slashes between them. A slash before and one after may be
    /// there: see [`Form::Endpoint`](domain::text::Form::Endpoint).
    const PATTERN: &str = concat!(
        r"^/?(?:[A-Za-z0-9_~-]|\.[A-Za-z0-9_~-]|\.\.[A-Za-z0-9._~-])[A-Za-z0-9._~-]*",
        r"(?:/(?:[A-Za-z0-9_~-]|\.[A-Za-z0-9_~-]|\.\.[A-Za-z0-9._~-])[A-Za-z0-9._~-]*)*/?$"
    );
}

impl PartialSchema for Endpoint {
    fn schema() -> RefOr<Schema> {
        let says = "be a path of letters, digits, `.`, `_`, `~`, `-` and `/`, such as `/orders/new`, without empty segments and \
                    without the segments `.` and `..`";
        let extensions = Extensions::builder().add(SAYS, says).add(FORM, "endpoint");
        let text =
            ObjectBuilder::new().schema_type(Type::String).max_length(Some(100)).pattern(Some(Self::PATTERN));
        let text = text.description(Some(
            "The path of an HTTP trigger below `/run/{workspace_id}`. A slash before it may be left out, and one after it \
             is dropped. No segment is empty, `.` or `..`.",
        ));
        text.examples([json!("/orders/new")]).extensions(Some(extensions.build())).into()
    }
}

impl ToSchema for Endpoint {}

/// Names a function.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct FunctionPath {
    /// The function.
    function_id: Uuid,
}

impl FunctionPath {
    fn id(&self) -> FunctionId {
        FunctionId(self.function_id)
    }
}

/// What a function is written in.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Runtime {
    /// Python.
    Python,
    /// Node.js.
    Nodejs,
}

/// Whether a caller waits for the result.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum ExecutionType {
    /// Runs now.
    Sync,
    /// Is queued.
    Async,
}

/// Whether a function can be invoked.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Saved; it is being made ready.
    Pending,
    /// Ready.
    Active,
    /// It could not be made ready: see `status_reason`.
    Failed,
    /// Switched off.
    Disabled,
}

/// A function, as shown. Lists leave `code` out.
#[derive(Serialize, ToSchema)]
pub struct Function {
    /// Its id.
    id: Uuid,
    /// The name, unique in its workspace regardless of case.
    name: String,
    /// The language.
    runtime: Runtime,
    /// The source of the version that runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    code: Option<Arc<str>>,
    /// `SYNC` runs the function at once and answers its result; `ASYNC` queues a job.
    execution_type: ExecutionType,
    /// The workspace it is in.
    workspace_id: Uuid,
    /// The path of its HTTP trigger below `/run/{workspace_id}`.
    endpoint: String,
    /// Whether it can be invoked.
    status: Status,
    /// Why it can't, if it can't.
    status_reason: Option<String>,
    /// The version that runs.
    version: u32,
    /// Memory in MiB.
    memory_mb: u32,
    /// Timeout in seconds.
    timeout_seconds: u32,
    /// Environment variables. Every value is shown as `***`.
    environment: BTreeMap<String, &'static str>,
    /// Whether its HTTP trigger can be called without a token or a key.
    public: bool,
    /// How often a queued job is run at most while the code fails.
    max_attempts: u32,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl Function {
    fn with_code(function: domain::Function, code: Arc<str>) -> Self {
        Self { code: Some(code), ..function.into() }
    }
}

impl From<domain::Function> for Function {
    fn from(function: domain::Function) -> Self {
        Self {
            id: function.id.0,
            name: function.name,
            runtime: function.current.language.into(),
            code: None,
            execution_type: function.execution_type.into(),
            workspace_id: function.workspace_id.0,
            endpoint: function.endpoint,
            status: function.status.into(),
            status_reason: function.status_reason,
            version: function.current.version,
            memory_mb: function.settings.memory_mb,
            timeout_seconds: function.settings.timeout_seconds,
            environment: function.settings.environment.into_keys().map(|key| (key, MASK)).collect(),
            public: function.public,
            max_attempts: function.settings.max_attempts,
            created_at: function.created_at,
            updated_at: function.updated_at,
        }
    }
}

impl From<domain::Language> for Runtime {
    fn from(language: domain::Language) -> Self {
        match language {
            domain::Language::Python => Self::Python,
            domain::Language::Nodejs => Self::Nodejs,
        }
    }
}

impl From<Runtime> for domain::Language {
    fn from(runtime: Runtime) -> Self {
        match runtime {
            Runtime::Python => Self::Python,
            Runtime::Nodejs => Self::Nodejs,
        }
    }
}

impl From<domain::ExecutionType> for ExecutionType {
    fn from(execution: domain::ExecutionType) -> Self {
        match execution {
            domain::ExecutionType::Sync => Self::Sync,
            domain::ExecutionType::Async => Self::Async,
        }
    }
}

impl From<ExecutionType> for domain::ExecutionType {
    fn from(execution: ExecutionType) -> Self {
        match execution {
            ExecutionType::Sync => Self::Sync,
            ExecutionType::Async => Self::Async,
        }
    }
}

impl From<domain::Status> for Status {
    fn from(status: domain::Status) -> Self {
        match status {
            domain::Status::Pending => Self::Pending,
            domain::Status::Active => Self::Active,
            domain::Status::Failed => Self::Failed,
            domain::Status::Disabled => Self::Disabled,
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::text::Form;

    #[test]
    fn endpoints_are_told_apart_as_decided() {
        let pattern = regex::Regex::new(super::Endpoint::PATTERN).unwrap();
        let takes = |written: &str| {
            let kept = Form::Endpoint.apply(written);
            // Callers are shown the pattern, so it takes the endpoint in both forms.
            assert!(pattern.is_match(&kept) || !pattern.is_match(written), "{written}");
            pattern.is_match(&kept)
        };
        for good in [
            "/a",
            "a",
            "my-endpoint",
            "/a/b-c",
            "/-a",
            "/a-/b",
            "/0",
            "/-/-a",
            "/A",
            "/a_b",
            "/a~",
            "/a.b",
            "/a/",
            "/a--b",
            "/.a",
            "/..a",
            "/...",
            "/.well-known/x",
            "/v1.0/a..b",
        ] {
            assert!(takes(good), "{good}");
        }
        for bad in [
            "", "/", "//", "//a", "/a//b", "/a//", "/.", "/..", "/a/..", "/../a", "/a/./b", "a/.", "/a b",
            "/a\n", "/é", "/a%20", "/a?b", "/a#b", "/{a}", "/a:b",
        ] {
            assert!(!takes(bad), "{bad}");
        }
    }
}
