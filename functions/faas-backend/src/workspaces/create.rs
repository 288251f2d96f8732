//! `POST /api/workspaces`

use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;
use web::{AppState, Body, Caller, Input, Json, Result};

use super::Workspace;

/// A workspace to be.
#[derive(Deserialize, ToSchema)]
#[schema(as = api::WorkspaceCreate)]
pub struct WorkspaceCreate {
    /// Unique among your workspaces whatever its case.
    #[schema(min_length = 1, max_length = 100, extensions(("x-trim" = json!(true))))]
    name: String,
    /// Free text; empty where absent.
    #[schema(max_length = 1000)]
    description: Option<String>,
}

impl Input for WorkspaceCreate {}

/// Makes a workspace.
#[utoipa::path(
    post, path = "/api/workspaces", operation_id = "api.workspaces.create", tag = "api.workspaces",
    request_body = WorkspaceCreate,
    responses(
        (status = 201, description = "Made", body = Workspace),
        (status = 409, description = "You have a workspace of this name"),
    ),
    extensions(("x-access" = json!(["table:read", "table:write"]))),
    security(("user" = []))
)]
pub async fn create(
    State(state): State<AppState>,
    caller: Caller,
    Body(new): Body<WorkspaceCreate>,
) -> Result<(StatusCode, Json<Workspace>)> {
    let workspace = state.app.create_workspace(caller.user_id, &new.name, new.description).await?;
    Ok((StatusCode::CREATED, Json(Workspace::one(&state, workspace).await?)))
}
