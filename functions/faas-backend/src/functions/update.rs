//! `PATCH /api/workspaces/{ws_id}/functions/{fn_id}`

use std::collections::BTreeMap;

use app::functions::FunctionChanges;
use axum::extract::State;
use domain::{Error, Fault, Language};
use serde::Deserialize;
use utoipa::ToSchema;
use web::{AppState, BaseUrl, Caller, Fields, Input, Json, PathBody, Result};

use super::{ExecutionType, Function, FunctionPath, HttpMethod, RuntimeLabel, code, create, in_our_words};

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

/// What to change; what is absent or null stays.
#[derive(Deserialize, ToSchema)]
#[schema(as = api::FunctionUpdate)]
#[serde(rename_all = "camelCase")]
pub struct FunctionUpdate {
    /// Unique in its workspace whatever its case. Its URL stays as it is.
    #[schema(min_length = 1, max_length = 100, extensions(("x-trim" = json!(true))))]
    name: Option<String>,
    /// Free text.
    #[schema(max_length = 1000)]
    description: Option<String>,
    /// What it is written in.
    runtime: Option<RuntimeLabel>,
    /// Base64 of its source, which has at most 1 MiB and a `handler`. Makes the next version.
    #[schema(max_length = 1500000)]
    code: Option<String>,
    /// MiB.
    #[schema(minimum = 128, maximum = 1024)]
    memory: Option<u32>,
    /// Seconds.
    #[schema(minimum = 1, maximum = 900)]
    timeout: Option<u32>,
    /// The methods that its URL answers to.
    #[schema(min_items = 1)]
    http_methods: Option<Vec<HttpMethod>>,
    /// All its variables, at most 4 KB; those not named are gone. `***` for one that there is keeps its value.
    environment_variables: Option<BTreeMap<String, String>>,
    /// Whether a caller waits.
    execution_type: Option<ExecutionType>,
    /// Whether its URL answers without a key of the workspace.
    public: Option<bool>,
    /// On or off.
    status: Option<Switch>,
}

impl Input for FunctionUpdate {
    fn extra(fields: &Fields<'_>) -> Vec<Fault> {
        create::extra(fields, fields.text("runtime").and_then(Language::of_label))
    }
}

/// Changes a function.
#[utoipa::path(
    patch, path = "/api/workspaces/{ws_id}/functions/{fn_id}", operation_id = "api.functions.update",
    tag = "api.functions",
    params(FunctionPath),
    request_body = FunctionUpdate,
    responses(
        (status = 200, description = "As it is now", body = Function),
        (status = 409, description = "The name is taken in this workspace, or it was changed meanwhile"),
    ),
    extensions(("x-access" = json!(["table:read", "table:write", "code:read", "code:write", "runtime:deploy"]))),
    security(("user" = []))
)]
pub async fn update(
    State(state): State<AppState>,
    caller: Caller,
    BaseUrl(base): BaseUrl,
    PathBody { path, body }: PathBody<FunctionPath, FunctionUpdate>,
) -> Result<Json<Function>> {
    let function = state.app.function_in(caller.user_id, path.workspace(), path.id()).await?;
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
    let function = state.app.update_function(caller.user_id, function.id, changes).await;
    Ok(Json(Function::one(&state, &base, function.map_err(in_our_words)?).await?))
}
