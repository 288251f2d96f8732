//! `GET /api/workspaces/{ws_id}/functions/{fn_id}`

use std::sync::Arc;

use app::{Functions, Metrics};
use axum::extract::State;
use web::{BaseUrl, Caller, Json, Path, Result};

use super::{Function, FunctionPath};

/// Shows a function with its code.
#[utoipa::path(
    get, path = "/api/workspaces/{ws_id}/functions/{fn_id}", operation_id = "api.functions.get",
    tag = "api.functions",
    params(FunctionPath),
    responses((status = 200, description = "The function", body = Function)),
    extensions(("x-access" = json!(["table:read", "code:read"]))),
    security(("user" = []))
)]
pub async fn get(
    State(functions): State<Arc<Functions>>,
    State(metrics): State<Arc<Metrics>>,
    caller: Caller,
    BaseUrl(base): BaseUrl,
    Path(path): Path<FunctionPath>,
) -> Result<Json<Function>> {
    let function = functions.get_in(caller.user_id, path.workspace(), path.id()).await?;
    Ok(Json(Function::one(&functions, &metrics, &base, function).await?))
}
