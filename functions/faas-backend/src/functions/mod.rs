//! `/api/workspaces/{ws_id}/functions`: saving and showing them, and the logs of their runs.

pub mod code;
pub mod create;
pub mod delete;
pub mod get;
pub mod list;
pub mod logs;
pub mod update;

use std::collections::BTreeMap;

use app::environment::MASK;
use app::{Functions, Metrics};
use domain::{Error, FunctionId, Timestamp, WorkspaceId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{IntoParams, PartialSchema, ToSchema};
use uuid::Uuid;
use web::Result;
use web::validate::SAYS;

/// Names a workspace.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct WorkspacePath {
    /// The workspace.
    ws_id: Uuid,
}

impl WorkspacePath {
    fn id(&self) -> WorkspaceId {
        WorkspaceId(self.ws_id)
    }
}

/// Names a function.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct FunctionPath {
    /// The workspace.
    ws_id: Uuid,
    /// The function.
    fn_id: Uuid,
}

impl FunctionPath {
    fn workspace(&self) -> WorkspaceId {
        WorkspaceId(self.ws_id)
    }

    fn id(&self) -> FunctionId {
        FunctionId(self.fn_id)
    }
}

/// What a function's runtime is called. It is kept as given; functions run on the interpreters that the platform has.
#[derive(Deserialize)]
pub struct RuntimeLabel(String);

impl PartialSchema for RuntimeLabel {
    fn schema() -> RefOr<Schema> {
        let says = "name a runtime, such as `Python 3.12` or `Node.js 20`";
        let text = ObjectBuilder::new().schema_type(Type::String);
        text.pattern(Some(r"^(?:Python 3\.[0-9]{1,2}|Node\.js [0-9]{1,2})$"))
            .description(Some(
                "Any `Python 3.x` or `Node.js NN`. It is kept as given; functions run on the interpreters that the platform \
                 has.",
            ))
            .examples([json!("Node.js 20")])
            .extensions(Some(Extensions::builder().add(SAYS, says).build()))
            .into()
    }
}

impl ToSchema for RuntimeLabel {
    fn name() -> std::borrow::Cow<'static, str> {
        "api.Runtime".into()
    }
}

impl RuntimeLabel {
    /// The language that it names. The pattern has been checked.
    fn language(&self) -> Result<domain::Language> {
        let language = domain::Language::of_label(&self.0);
        Ok(language.ok_or_else(|| Error::internal("a label passed its pattern and names no language"))?)
    }
}

/// A method that a function's URL can be asked by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[schema(as = api::HttpMethod)]
#[serde(rename_all = "UPPERCASE")]
pub enum HttpMethod {
    /// `GET`, and `HEAD`.
    Get,
    /// `POST`.
    Post,
    /// `PUT`.
    Put,
    /// `PATCH`.
    Patch,
    /// `DELETE`.
    Delete,
}

impl HttpMethod {
    /// As they are kept: each once, in the order given.
    fn kept(methods: Vec<Self>) -> Vec<String> {
        let mut kept = Vec::new();
        for method in methods {
            let name = match method {
                Self::Get => "GET",
                Self::Post => "POST",
                Self::Put => "PUT",
                Self::Patch => "PATCH",
                Self::Delete => "DELETE",
            };
            if !kept.iter().any(|known| known == name) {
                kept.push(name.to_owned());
            }
        }
        kept
    }
}

/// Whether a caller waits for the result.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = api::ExecutionType)]
#[serde(rename_all = "UPPERCASE")]
pub enum ExecutionType {
    /// Runs now.
    Sync,
    /// Is queued.
    Async,
}

impl From<ExecutionType> for domain::ExecutionType {
    fn from(execution: ExecutionType) -> Self {
        match execution {
            ExecutionType::Sync => Self::Sync,
            ExecutionType::Async => Self::Async,
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

/// Whether a function can be invoked.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = api::Status)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Saved; it is being made ready.
    Pending,
    /// Ready.
    Active,
    /// It could not be made ready.
    Failed,
    /// Switched off: every invocation is answered 409.
    Disabled,
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

/// A function, as shown. Figures are of the last 24 hours, counted by the hour.
#[derive(Serialize, ToSchema)]
#[schema(as = api::Function)]
#[serde(rename_all = "camelCase")]
pub struct Function {
    /// Its id.
    id: Uuid,
    /// The workspace it is in.
    workspace_id: Uuid,
    /// The name, unique in its workspace regardless of case.
    name: String,
    /// The description; may be empty.
    description: String,
    /// What its runtime is called, such as `Python 3.12`.
    runtime: String,
    /// Memory in MiB.
    memory: u32,
    /// Timeout in seconds.
    timeout: u32,
    /// The HTTP methods that the function's URL accepts.
    http_methods: Vec<String>,
    /// Environment variables. Every value is shown as `***`.
    environment_variables: BTreeMap<String, &'static str>,
    /// Base64 of the source. Null in a list that would get too long with it: ask for the function itself.
    code: Option<String>,
    /// `SYNC` runs the function at once and answers its result; `ASYNC` queues a job.
    execution_type: ExecutionType,
    /// Whether the function's URL can be called without a token or a key.
    public: bool,
    /// Whether it can be invoked.
    status: Status,
    /// Its HTTP trigger.
    #[schema(format = "uri")]
    invocation_url: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    last_modified: Timestamp,
    /// When it was last made ready to run.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_deployed: Option<Timestamp>,
    /// How many runs ended.
    #[serde(rename = "invocations24h")]
    invocations_24h: u64,
    /// How many of those failed.
    #[serde(rename = "errors24h")]
    errors_24h: u64,
    /// Milliseconds that one took on average; 0 when nothing ran.
    avg_duration: f64,
}

impl Function {
    /// Functions with their figures, and with code as far as it goes.
    async fn all(
        service: &Functions,
        metrics: &Metrics,
        base: &str,
        functions: Vec<domain::Function>,
    ) -> Result<Vec<Self>> {
        let figures = metrics.recent_of_functions(functions.iter().map(|function| function.id)).await?;
        let codes = list::codes(service, &functions).await?;
        let shown = functions.into_iter().zip(figures).zip(codes).map(|((function, figures), code)| {
            let runtime = function.runtime_label().to_owned();
            let all_methods = || domain::function::HTTP_METHODS.map(str::to_owned).to_vec();
            let variables = function.settings.environment.into_keys();
            Self {
                id: function.id.0,
                workspace_id: function.workspace_id.0,
                invocation_url: format!("{base}/run/{}{}", function.workspace_id, function.endpoint),
                name: function.name,
                description: function.description,
                runtime,
                memory: function.settings.memory_mb,
                timeout: function.settings.timeout_seconds,
                http_methods: function.http_methods.unwrap_or_else(all_methods),
                environment_variables: variables.map(|key| (key, MASK)).collect(),
                code: code.map(|source| code::encoded(&source)),
                execution_type: function.execution_type.into(),
                public: function.public,
                status: function.status.into(),
                created_at: function.created_at,
                last_modified: function.updated_at,
                last_deployed: function.deployed_at,
                invocations_24h: figures.sum.executions(),
                errors_24h: figures.sum.error,
                avg_duration: figures.sum.avg_duration(),
            }
        });
        Ok(shown.collect())
    }

    /// A function with its figures and its code.
    async fn one(
        service: &Functions,
        metrics: &Metrics,
        base: &str,
        function: domain::Function,
    ) -> Result<Self> {
        let shown = Self::all(service, metrics, base, vec![function]).await?.pop();
        Ok(shown.ok_or_else(|| Error::internal("a function was asked for and none came"))?)
    }
}
