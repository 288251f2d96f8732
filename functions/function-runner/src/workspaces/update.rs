//! `PUT /workspaces/{workspace_id}`

use std::sync::Arc;

use app::Workspaces;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;
use web::{Caller, Input, Json, PathBody, Result};

use super::{Workspace, WorkspacePath};

/// The changes. A field that is absent or null stays as it is.
#[derive(Deserialize, ToSchema)]
pub struct WorkspaceUpdate {
    /// The name, unique among your workspaces regardless of case.
    #[schema(min_length = 1, max_length = 100, extensions(("x-form" = json!("name"))))]
    name: Option<String>,
    /// The description.
    #[schema(max_length = 1000, extensions(("x-form" = json!("prose"))))]
    description: Option<String>,
}

impl Input for WorkspaceUpdate {}

/// Changes a workspace.
#[utoipa::path(
    put, path = "/workspaces/{workspace_id}", operation_id = "workspaces.update", tag = "workspaces",
    params(WorkspacePath),
    request_body = WorkspaceUpdate,
    responses(
        (status = 200, description = "As it is after the change", body = Workspace),
        (status = 409, description = "You already have a workspace with this name, or another request changed this one at the same time"),
    ),
    extensions(("x-access" = json!(["table:read", "table:write"]))),
    security(("user" = []))
)]
pub async fn update(
    State(workspaces): State<Arc<Workspaces>>,
    caller: Caller,
    PathBody { path, body }: PathBody<WorkspacePath, WorkspaceUpdate>,
) -> Result<Json<Workspace>> {
    let WorkspaceUpdate { name, description } = body;
    let workspace = workspaces.update(caller.user_id, path.id(), name.as_deref(), description).await?;
    Ok(Json(workspace.into()))
}
