//! `DELETE /api/workspaces/{id}`

use std::sync::Arc;

use app::Workspaces;
use axum::extract::State;
use http::StatusCode;
use web::{Caller, Path, Result};

use super::WorkspacePath;

/// Deletes a workspace and all in it: functions, their deployed code, keys, jobs.
#[utoipa::path(
    delete, path = "/api/workspaces/{id}", operation_id = "api.workspaces.delete", tag = "api.workspaces",
    params(WorkspacePath),
    responses((status = 204, description = "Deleted")),
    extensions(("x-access" = json!(["table:read", "table:write"]))),
    security(("user" = []))
)]
pub async fn delete(
    State(workspaces): State<Arc<Workspaces>>,
    caller: Caller,
    Path(path): Path<WorkspacePath>,
) -> Result<StatusCode> {
    workspaces.delete(caller.user_id, path.id()).await?;
    Ok(StatusCode::NO_CONTENT)
}
