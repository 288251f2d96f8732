//! `DELETE /api/workspaces/{ws_id}/functions/{fn_id}`

use std::sync::Arc;

use app::Functions;
use axum::extract::State;
use http::StatusCode;
use web::{Caller, Path, Result};

use super::FunctionPath;

/// Deletes a function, its versions and its jobs.
#[utoipa::path(
    delete, path = "/api/workspaces/{ws_id}/functions/{fn_id}", operation_id = "api.functions.delete",
    tag = "api.functions",
    params(FunctionPath),
    responses(
        (status = 204, description = "Deleted"),
        (status = 409, description = "Another request changed it at the same time"),
    ),
    extensions(("x-access" = json!(["table:read", "table:write"]))),
    security(("user" = []))
)]
pub async fn delete(
    State(functions): State<Arc<Functions>>,
    caller: Caller,
    Path(path): Path<FunctionPath>,
) -> Result<StatusCode> {
    let function = functions.get_in(caller.user_id, path.workspace(), path.id()).await?;
    functions.delete(caller.user_id, function.id).await?;
    Ok(StatusCode::NO_CONTENT)
}
