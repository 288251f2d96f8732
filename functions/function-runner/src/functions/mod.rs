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
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// The path of an HTTP trigger: begins with `/`, has no `//` or `--`, and no `-` or `/` at its end.
#[derive(Deserialize, ToSchema)]
#[schema(max_length = 100, pattern = "^/(?:-/)*-?[a-z0-9](?:(?:/(?:-/)*-?|-(?:/-)*/?)?[a-z0-9])*$")]
pub struct Endpoint(String);

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
    /// Unique in its workspace whatever its case.
    name: String,
    /// What it is written in.
    runtime: Runtime,
    /// The source of the version that runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    code: Option<Arc<str>>,
    /// Whether a caller waits.
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
    /// MiB.
    memory_mb: u32,
    /// Seconds.
    timeout_seconds: u32,
    /// Its variables; every value is shown as `***`.
    environment: BTreeMap<String, &'static str>,
    /// Whether its HTTP trigger answers without a key.
    public: bool,
    /// How often a queued job is run in all while the code fails.
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
    use utoipa::PartialSchema;

    #[test]
    fn endpoints_are_told_apart_as_decided() {
        let schema = serde_json::to_value(super::Endpoint::schema()).unwrap();
        let pattern = regex::Regex::new(schema["pattern"].as_str().unwrap()).unwrap();
        for good in ["/a", "/a/b-c", "/-a", "/a-/b", "/a/-b", "/0", "/-/-a"] {
            assert!(pattern.is_match(good), "{good}");
        }
        for bad in ["", "/", "a", "/a/", "/a-", "//a", "/a//b", "/a--b", "/A", "/a_b", "/a b", "/a\n"] {
            assert!(!pattern.is_match(bad), "{bad}");
        }
    }
}
