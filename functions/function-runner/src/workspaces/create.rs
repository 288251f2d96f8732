//! `POST /workspaces/`

use std::sync::Arc;

use app::Workspaces;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;
use web::{Body, Caller, Input, Json, Result};

use super::Workspace;

/// A workspace to create.
#[derive(Deserialize, ToSchema)]
pub struct WorkspaceCreate {
    /// The name, unique among your workspaces regardless of case.
    #[schema(min_length = 1, max_length = 100, extensions(("x-form" = json!("name"))))]
    name: String,
    /// The description.
    #[schema(max_length = 1000, extensions(("x-form" = json!("prose"))))]
    description: Option<String>,
}

impl Input for WorkspaceCreate {}

/// Creates a workspace.
#[utoipa::path(
    post, path = "/workspaces/", operation_id = "workspaces.create", tag = "workspaces",
    request_body = WorkspaceCreate,
    responses(
        (status = 200, description = "Created", body = Workspace),
        (status = 409, description = "You already have a workspace with this name"),
    ),
    extensions(("x-access" = json!(["table:write"]))),
    security(("user" = []))
)]
pub async fn create(
    State(workspaces): State<Arc<Workspaces>>,
    caller: Caller,
    Body(new): Body<WorkspaceCreate>,
) -> Result<Json<Workspace>> {
    let workspace = workspaces.create(caller.user_id, &new.name, new.description).await?;
    Ok(Json(workspace.into()))
}
