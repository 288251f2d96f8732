//! `GET /workspaces/{workspace_id}`

use std::sync::Arc;

use app::Workspaces;
use axum::extract::State;
use web::{Caller, Json, Path, Result};

use super::{Workspace, WorkspacePath};

/// Shows a workspace.
#[utoipa::path(
    get, path = "/workspaces/{workspace_id}", operation_id = "workspaces.get", tag = "workspaces",
    params(WorkspacePath),
    responses((status = 200, description = "The workspace", body = Workspace)),
    extensions(("x-access" = json!(["table:read"]))),
    security(("user" = []))
)]
pub async fn get(
    State(workspaces): State<Arc<Workspaces>>,
    caller: Caller,
    Path(path): Path<WorkspacePath>,
) -> Result<Json<Workspace>> {
    Ok(Json(workspaces.get(caller.user_id, path.id()).await?.into()))
}
