//! `PUT /functions/{function_id}`

use std::collections::BTreeMap;
use std::sync::Arc;

use app::Functions;
use app::functions::FunctionChanges;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;
use web::{Caller, Input, Json, PathBody, Result};

use super::{Endpoint, ExecutionType, Function, FunctionPath, Runtime};

/// The changes. A field that is absent or null stays as it is.
#[derive(Deserialize, ToSchema)]
pub struct FunctionUpdate {
    /// The name, unique in its workspace regardless of case.
    #[schema(min_length = 1, max_length = 100, extensions(("x-form" = json!("name"))))]
    name: Option<String>,
    /// The language.
    runtime: Option<Runtime>,
    /// The source: at most 1 MiB, with a handler. New code makes the next version.
    #[schema(max_length = 1048576)]
    code: Option<String>,
    /// `SYNC` runs the function at once and answers its result; `ASYNC` queues a job.
    execution_type: Option<ExecutionType>,
    /// The path of its HTTP trigger.
    endpoint: Option<Endpoint>,
    /// Memory in MiB.
    #[schema(minimum = 128, maximum = 10240)]
    memory_mb: Option<u32>,
    /// Timeout in seconds.
    #[schema(minimum = 1, maximum = 900)]
    timeout_seconds: Option<u32>,
    /// All environment variables, at most 4 KB together; those not named are removed. `***` keeps the stored value.
    environment: Option<BTreeMap<String, String>>,
    /// Whether its HTTP trigger can be called without a token or a key.
    public: Option<bool>,
    /// How often a queued job is run at most while the code fails.
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
        (status = 200, description = "As it is after the change", body = Function),
        (status = 409, description = "Another function in this workspace has this name or endpoint, or another request changed this one at the same time"),
    ),
    extensions(("x-access" = json!(["table:read", "table:write", "code:read", "code:write", "runtime:deploy"])), ("x-memory" = json!(512))),
    security(("user" = []))
)]
pub async fn update(
    State(functions): State<Arc<Functions>>,
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
    let function = functions.update(caller.user_id, path.id(), changes).await?;
    let code = functions.code(&function.current).await?;
    Ok(Json(Function::with_code(function, code)))
}
