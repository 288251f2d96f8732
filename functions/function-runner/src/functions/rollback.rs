//! `POST /functions/{function_id}/rollback`

use std::sync::Arc;

use app::Functions;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;
use web::{Caller, Input, Json, PathBody, Result};

use super::{Function, FunctionPath};

/// Where to go back to.
#[derive(Deserialize, ToSchema)]
pub struct Rollback {
    /// A version that there is.
    #[schema(minimum = 1, maximum = 999999)]
    version: u32,
}

impl Input for Rollback {}

/// Makes another version the one that runs.
#[utoipa::path(
    post, path = "/functions/{function_id}/rollback", operation_id = "functions.rollback", tag = "functions",
    params(FunctionPath),
    request_body = Rollback,
    responses(
        (status = 200, description = "As it is after the change", body = Function),
        (status = 409, description = "Another request changed it at the same time"),
    ),
    extensions(("x-access" = json!(["table:read", "table:write", "code:read", "runtime:deploy"])), ("x-memory" = json!(512))),
    security(("user" = []))
)]
pub async fn rollback(
    State(functions): State<Arc<Functions>>,
    caller: Caller,
    PathBody { path, body }: PathBody<FunctionPath, Rollback>,
) -> Result<Json<Function>> {
    let function = functions.rollback(caller.user_id, path.id(), body.version).await?;
    let code = functions.code(&function.current).await?;
    Ok(Json(Function::with_code(function, code)))
}
