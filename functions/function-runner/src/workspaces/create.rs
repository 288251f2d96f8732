//! `POST /workspaces/`

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;
use web::{AppState, Body, Caller, Input, Json, Result};

use super::Workspace;

/// A workspace to be.
#[derive(Deserialize, ToSchema)]
pub struct WorkspaceCreate {
    /// Unique among your workspaces whatever its case.
    #[schema(min_length = 1, max_length = 100, extensions(("x-trim" = json!(true))))]
    name: String,
    /// Free text.
    #[schema(max_length = 1000)]
    description: Option<String>,
}

impl Input for WorkspaceCreate {}

/// Makes a workspace.
#[utoipa::path(
    post, path = "/workspaces/", operation_id = "workspaces.create", tag = "workspaces",
    request_body = WorkspaceCreate,
    responses(
        (status = 200, description = "Made", body = Workspace),
        (status = 409, description = "You have a workspace of this name"),
    ),
    extensions(("x-access" = json!(["table:write"]))),
    security(("user" = []))
)]
pub async fn create(
    State(state): State<AppState>,
    caller: Caller,
    Body(new): Body<WorkspaceCreate>,
) -> Result<Json<Workspace>> {
    let workspace = state.app.create_workspace(caller.user_id, &new.name, new.description).await?;
    Ok(Json(workspace.into()))
}
