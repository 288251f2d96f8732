//! `PUT /workspaces/{workspace_id}`

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;
use web::{AppState, Caller, Input, Json, PathBody, Result};

use super::{Workspace, WorkspacePath};

/// What to change; what is absent or null stays.
#[derive(Deserialize, ToSchema)]
pub struct WorkspaceUpdate {
    /// Unique among your workspaces whatever its case.
    #[schema(min_length = 1, max_length = 100, extensions(("x-trim" = json!(true))))]
    name: Option<String>,
    /// Free text.
    #[schema(max_length = 1000)]
    description: Option<String>,
}

impl Input for WorkspaceUpdate {}

/// Changes a workspace.
#[utoipa::path(
    put, path = "/workspaces/{workspace_id}", operation_id = "workspaces.update", tag = "workspaces",
    params(WorkspacePath),
    request_body = WorkspaceUpdate,
    responses(
        (status = 200, description = "As it is now", body = Workspace),
        (status = 409, description = "You have another workspace of this name, or it was changed meanwhile"),
    ),
    extensions(("x-access" = json!(["table:read", "table:write"]))),
    security(("user" = []))
)]
pub async fn update(
    State(state): State<AppState>,
    caller: Caller,
    PathBody { path, body }: PathBody<WorkspacePath, WorkspaceUpdate>,
) -> Result<Json<Workspace>> {
    let WorkspaceUpdate { name, description } = body;
    let workspace =
        state.app.update_workspace(caller.user_id, path.id(), name.as_deref(), description).await?;
    Ok(Json(workspace.into()))
}
