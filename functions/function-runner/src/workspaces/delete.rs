//! `DELETE /workspaces/{workspace_id}`

use std::sync::Arc;

use app::Workspaces;
use axum::extract::State;
use web::{Caller, Json, Path, Result};

use super::WorkspacePath;
use crate::Deleted;

/// Deletes a workspace and all in it: functions, their deployed code, keys, jobs.
#[utoipa::path(
    delete, path = "/workspaces/{workspace_id}", operation_id = "workspaces.delete", tag = "workspaces",
    params(WorkspacePath),
    responses((status = 200, description = "Deleted", body = Deleted)),
    extensions(("x-access" = json!(["table:read", "table:write"]))),
    security(("user" = []))
)]
pub async fn delete(
    State(workspaces): State<Arc<Workspaces>>,
    caller: Caller,
    Path(path): Path<WorkspacePath>,
) -> Result<Json<Deleted>> {
    workspaces.delete(caller.user_id, path.id()).await?;
    Ok(Json(Deleted::done()))
}
