//! `POST /api/workspaces/{ws_id}/functions`

use std::collections::BTreeMap;
use std::sync::Arc;

use app::functions::{NewFunction, faults};
use app::{Functions, Metrics};
use axum::extract::State;
use domain::{Error, Fault, Language, Settings};
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;
use web::{BaseUrl, Caller, Fields, Input, Json, PathBody, Result};

use super::{ExecutionType, Function, HttpMethod, RuntimeLabel, WorkspacePath, code};

/// A function to create.
#[derive(Deserialize, ToSchema)]
#[schema(as = api::FunctionCreate)]
#[serde(rename_all = "camelCase")]
pub struct FunctionCreate {
    /// The name, unique in its workspace regardless of case. The path of the function's URL is made from it.
    #[schema(min_length = 1, max_length = 100, extensions(("x-form" = json!("name"))))]
    name: String,
    /// A description; empty by default.
    #[schema(max_length = 1000, extensions(("x-form" = json!("prose"))))]
    description: Option<String>,
    /// The language and its version; `Python 3.12` by default.
    runtime: Option<RuntimeLabel>,
    /// The source in Base64: at most 1 MiB, with a handler. Line breaks and missing padding don't matter.
    #[schema(max_length = 1500000, examples("ZGVmIGhhbmRsZXIoZXZlbnQpOgogICAgcmV0dXJuIGV2ZW50Cg=="))]
    code: String,
    /// Memory in MiB; 256 by default.
    #[schema(minimum = 128, maximum = 1024, default = 256)]
    memory: Option<u32>,
    /// Timeout in seconds; 30 by default.
    #[schema(minimum = 1, maximum = 900, default = 30)]
    timeout: Option<u32>,
    /// The HTTP methods that the function's URL accepts; `GET` by default.
    #[schema(min_items = 1)]
    http_methods: Option<Vec<HttpMethod>>,
    /// Environment variables, at most 4 KB together.
    environment_variables: Option<BTreeMap<String, String>>,
    /// `SYNC` (the default) runs the function at once and answers its result; `ASYNC` queues a job.
    execution_type: Option<ExecutionType>,
    /// Whether the function's URL can be called without a token or a key; true by default.
    #[schema(default = true)]
    public: Option<bool>,
}

impl Input for FunctionCreate {
    fn extra(fields: &Fields<'_>) -> Vec<Fault> {
        extra(fields)
    }

    fn code(fields: &Fields<'_>) -> Option<(Language, String)> {
        let language = match fields.is_absent("runtime") {
            true => Some(Language::Python),
            false => fields.text("runtime").and_then(Language::of_label),
        };
        source(fields, language)
    }
}

/// What no schema can say of code and environment. Where the schema found nothing, the use case says what is left.
pub(super) fn extra(fields: &Fields<'_>) -> Vec<Fault> {
    let mut found = Vec::new();
    found.extend(fields.text("code").and_then(|text| code::decoded(text).err()));
    if fields.are_good() && found.is_empty() {
        return found;
    }
    let environment = fields.get("environmentVariables").cloned();
    found.extend(faults(environment.and_then(|all| serde_json::from_value(all).ok()).as_ref()));
    found
}

/// The code, and what it is written in.
pub(super) fn source(fields: &Fields<'_>, language: Option<Language>) -> Option<(Language, String)> {
    Some((language?, code::decoded(fields.text("code")?).ok()?))
}

/// Saves a function and makes it ready to run.
#[utoipa::path(
    post, path = "/api/workspaces/{ws_id}/functions", operation_id = "api.functions.create", tag = "api.functions",
    params(WorkspacePath),
    request_body = FunctionCreate,
    responses(
        (status = 201, description = "Saved", body = Function),
        (status = 409, description = "Another function in this workspace has this name"),
    ),
    extensions(("x-access" = json!(["table:read", "table:write", "code:write", "runtime:deploy"])), ("x-memory" = json!(512))),
    security(("user" = []))
)]
pub async fn create(
    State(functions): State<Arc<Functions>>,
    State(metrics): State<Arc<Metrics>>,
    caller: Caller,
    BaseUrl(base): BaseUrl,
    PathBody { path, body: new }: PathBody<WorkspacePath, FunctionCreate>,
) -> Result<(StatusCode, Json<Function>)> {
    let defaults = Settings::default();
    let new = NewFunction {
        workspace_id: path.id(),
        name: new.name,
        description: new.description.unwrap_or_default(),
        language: new.runtime.as_ref().map_or(Ok(Language::Python), RuntimeLabel::language)?,
        code: code::decoded(&new.code).map_err(|fault| Error::invalid(vec![fault]))?,
        execution_type: new.execution_type.map(Into::into).unwrap_or_default(),
        endpoint: None,
        public: new.public.unwrap_or(true),
        http_methods: Some(HttpMethod::kept(new.http_methods.unwrap_or(vec![HttpMethod::Get]))),
        runtime_label: new.runtime.map(|label| label.0),
        settings: Settings {
            memory_mb: new.memory.unwrap_or(defaults.memory_mb),
            timeout_seconds: new.timeout.unwrap_or(defaults.timeout_seconds),
            environment: new.environment_variables.unwrap_or_default(),
            ..defaults
        },
    };
    let function = functions.create(caller.user_id, new).await?;
    Ok((StatusCode::CREATED, Json(Function::one(&functions, &metrics, &base, function).await?)))
}
