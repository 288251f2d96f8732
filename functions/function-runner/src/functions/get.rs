//! `GET /functions/{function_id}`

use std::sync::Arc;

use app::Functions;
use axum::extract::State;
use web::{Caller, Json, Path, Result};

use super::{Function, FunctionPath};

/// Shows a function with its code.
#[utoipa::path(
    get, path = "/functions/{function_id}", operation_id = "functions.get", tag = "functions",
    params(FunctionPath),
    responses((status = 200, description = "The function", body = Function)),
    extensions(("x-access" = json!(["table:read", "code:read"]))),
    security(("user" = []))
)]
pub async fn get(
    State(functions): State<Arc<Functions>>,
    caller: Caller,
    Path(path): Path<FunctionPath>,
) -> Result<Json<Function>> {
    let function = functions.get(caller.user_id, path.id()).await?;
    let code = functions.code(&function.current).await?;
    Ok(Json(Function::with_code(function, code)))
}
