//! `GET /api/workspaces/{id}`

use std::sync::Arc;

use app::{Metrics, Workspaces};
use axum::extract::State;
use web::{Caller, Json, Path, Result};

use super::{Workspace, WorkspacePath};

/// Shows a workspace.
#[utoipa::path(
    get, path = "/api/workspaces/{id}", operation_id = "api.workspaces.get", tag = "api.workspaces",
    params(WorkspacePath),
    responses((status = 200, description = "The workspace", body = Workspace)),
    extensions(("x-access" = json!(["table:read"]))),
    security(("user" = []))
)]
pub async fn get(
    State(workspaces): State<Arc<Workspaces>>,
    State(metrics): State<Arc<Metrics>>,
    caller: Caller,
    Path(path): Path<WorkspacePath>,
) -> Result<Json<Workspace>> {
    let workspace = workspaces.get(caller.user_id, path.id()).await?;
    Ok(Json(Workspace::one(&metrics, workspace).await?))
}
