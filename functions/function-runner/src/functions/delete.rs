//! `DELETE /functions/{function_id}`

use std::sync::Arc;

use app::Functions;
use axum::extract::State;
use web::{Caller, Json, Path, Result};

use super::FunctionPath;
use crate::Deleted;

/// Deletes a function, its versions and its jobs.
#[utoipa::path(
    delete, path = "/functions/{function_id}", operation_id = "functions.delete", tag = "functions",
    params(FunctionPath),
    responses(
        (status = 200, description = "Deleted", body = Deleted),
        (status = 409, description = "Another request changed it at the same time"),
    ),
    extensions(("x-access" = json!(["table:read", "table:write"]))),
    security(("user" = []))
)]
pub async fn delete(
    State(functions): State<Arc<Functions>>,
    caller: Caller,
    Path(path): Path<FunctionPath>,
) -> Result<Json<Deleted>> {
    functions.delete(caller.user_id, path.id()).await?;
    Ok(Json(Deleted::done()))
}
