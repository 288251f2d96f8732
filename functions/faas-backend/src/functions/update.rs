//! `PATCH /api/workspaces/{ws_id}/functions/{fn_id}`

use std::collections::BTreeMap;
use std::sync::Arc;

use app::functions::FunctionChanges;
use app::{Functions, Metrics};
use axum::extract::State;
use domain::{Error, Fault, Language};
use serde::Deserialize;
use utoipa::ToSchema;
use web::{BaseUrl, Caller, Fields, Input, Json, PathBody, Result};

use super::{ExecutionType, Function, FunctionPath, HttpMethod, RuntimeLabel, code, create};

/// On or off.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[schema(as = api::Switch)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    /// Invocations are taken.
    Active,
    /// Every invocation is answered 409.
    Disabled,
}

/// The changes. A field that is absent or null stays as it is.
#[derive(Deserialize, ToSchema)]
#[schema(as = api::FunctionUpdate)]
#[serde(rename_all = "camelCase")]
pub struct FunctionUpdate {
    /// The name, unique in its workspace regardless of case. The function's URL stays as it is.
    #[schema(min_length = 1, max_length = 100, extensions(("x-form" = json!("name"))))]
    name: Option<String>,
    /// The description.
    #[schema(max_length = 1000, extensions(("x-form" = json!("prose"))))]
    description: Option<String>,
    /// The language.
    runtime: Option<RuntimeLabel>,
    /// The source in Base64: at most 1 MiB, with a handler. New code makes the next version.
    #[schema(max_length = 1500000)]
    code: Option<String>,
    /// Memory in MiB.
    #[schema(minimum = 128, maximum = 1024)]
    memory: Option<u32>,
    /// Timeout in seconds.
    #[schema(minimum = 1, maximum = 900)]
    timeout: Option<u32>,
    /// The HTTP methods that the function's URL accepts.
    #[schema(min_items = 1)]
    http_methods: Option<Vec<HttpMethod>>,
    /// All environment variables, at most 4 KB together; those not named are removed. `***` keeps the stored value.
    environment_variables: Option<BTreeMap<String, String>>,
    /// `SYNC` runs the function at once and answers its result; `ASYNC` queues a job.
    execution_type: Option<ExecutionType>,
    /// Whether the function's URL can be called without a token or a key.
    public: Option<bool>,
    /// On or off.
    status: Option<Switch>,
}

impl Input for FunctionUpdate {
    fn extra(fields: &Fields<'_>) -> Vec<Fault> {
        create::extra(fields)
    }

    fn code(fields: &Fields<'_>) -> Option<(Language, String)> {
        create::source(fields, fields.text("runtime").and_then(Language::of_label))
    }
}

/// Changes a function.
#[utoipa::path(
    patch, path = "/api/workspaces/{ws_id}/functions/{fn_id}", operation_id = "api.functions.update",
    tag = "api.functions",
    params(FunctionPath),
    request_body = FunctionUpdate,
    responses(
        (status = 200, description = "As it is after the change", body = Function),
        (status = 409, description = "Another function in this workspace has this name, or another request changed this one at the same time"),
    ),
    extensions(("x-access" = json!(["table:read", "table:write", "code:read", "code:write", "runtime:deploy"])), ("x-memory" = json!(512))),
    security(("user" = []))
)]
pub async fn update(
    State(functions): State<Arc<Functions>>,
    State(metrics): State<Arc<Metrics>>,
    caller: Caller,
    BaseUrl(base): BaseUrl,
    PathBody { path, body }: PathBody<FunctionPath, FunctionUpdate>,
) -> Result<Json<Function>> {
    let function = functions.get_in(caller.user_id, path.workspace(), path.id()).await?;
    let source = body.code.as_deref().map(code::decoded).transpose();
    let changes = FunctionChanges {
        name: body.name,
        description: body.description,
        language: body.runtime.as_ref().map(RuntimeLabel::language).transpose()?,
        code: source.map_err(|fault| Error::invalid(vec![fault]))?,
        execution_type: body.execution_type.map(Into::into),
        public: body.public,
        http_methods: body.http_methods.map(HttpMethod::kept),
        runtime_label: body.runtime.map(|label| label.0),
        disabled: body.status.map(|status| matches!(status, Switch::Disabled)),
        memory_mb: body.memory,
        timeout_seconds: body.timeout,
        environment: body.environment_variables,
        ..FunctionChanges::default()
    };
    let function = functions.update(caller.user_id, function.id, changes).await?;
    Ok(Json(Function::one(&functions, &metrics, &base, function).await?))
}
