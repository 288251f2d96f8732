//! `PUT /functions/{function_id}`

use std::collections::BTreeMap;

use app::functions::FunctionChanges;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;
use web::{AppState, Caller, Input, Json, PathBody, Result};

use super::{Endpoint, ExecutionType, Function, FunctionPath, Runtime};

/// What to change; what is absent or null stays.
#[derive(Deserialize, ToSchema)]
pub struct FunctionUpdate {
    /// Unique in its workspace whatever its case.
    #[schema(min_length = 1, max_length = 100, extensions(("x-trim" = json!(true))))]
    name: Option<String>,
    /// What it is written in.
    runtime: Option<Runtime>,
    /// Its source, at most 1 MiB, with a `handler`. Makes the next version.
    #[schema(max_length = 1048576)]
    code: Option<String>,
    /// Whether a caller waits.
    execution_type: Option<ExecutionType>,
    /// The path of its HTTP trigger.
    endpoint: Option<Endpoint>,
    /// MiB.
    #[schema(minimum = 128, maximum = 10240)]
    memory_mb: Option<u32>,
    /// Seconds.
    #[schema(minimum = 1, maximum = 900)]
    timeout_seconds: Option<u32>,
    /// All its variables, at most 4 KB; those not named are gone.
    environment: Option<BTreeMap<String, String>>,
    /// Whether its HTTP trigger answers without a key.
    public: Option<bool>,
    /// How often a queued job is run in all while the code fails.
    #[schema(minimum = 1, maximum = 10)]
    max_attempts: Option<u32>,
}

impl Input for FunctionUpdate {}

/// Changes a function.
#[utoipa::path(
    put, path = "/functions/{function_id}", operation_id = "functions.update", tag = "functions",
    params(FunctionPath),
    request_body = FunctionUpdate,
    responses(
        (status = 200, description = "As it is now", body = Function),
        (status = 409, description = "The name or the endpoint is taken, or it was changed meanwhile"),
    ),
    extensions(("x-access" = json!(["table:read", "table:write", "code:read", "code:write", "runtime:deploy"]))),
    security(("user" = []))
)]
pub async fn update(
    State(state): State<AppState>,
    caller: Caller,
    PathBody { path, body }: PathBody<FunctionPath, FunctionUpdate>,
) -> Result<Json<Function>> {
    let changes = FunctionChanges {
        name: body.name,
        language: body.runtime.map(Into::into),
        code: body.code,
        execution_type: body.execution_type.map(Into::into),
        endpoint: body.endpoint.map(|endpoint| endpoint.0),
        public: body.public,
        memory_mb: body.memory_mb,
        timeout_seconds: body.timeout_seconds,
        environment: body.environment,
        max_attempts: body.max_attempts,
        ..FunctionChanges::default()
    };
    let function = state.app.update_function(caller.user_id, path.id(), changes).await?;
    let code = state.app.code(&function.current).await?;
    Ok(Json(Function::with_code(function, code)))
}
