//! `POST /api/workspaces`

use std::sync::Arc;

use app::{Metrics, Workspaces};
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;
use web::{Body, Caller, Input, Json, Result};

use super::Workspace;

/// A workspace to create.
#[derive(Deserialize, ToSchema)]
#[schema(as = api::WorkspaceCreate)]
pub struct WorkspaceCreate {
    /// The name, unique among your workspaces regardless of case.
    #[schema(min_length = 1, max_length = 100, extensions(("x-form" = json!("name"))))]
    name: String,
    /// A description; empty by default.
    #[schema(max_length = 1000, extensions(("x-form" = json!("prose"))))]
    description: Option<String>,
}

impl Input for WorkspaceCreate {}

/// Creates a workspace.
#[utoipa::path(
    post, path = "/api/workspaces", operation_id = "api.workspaces.create", tag = "api.workspaces",
    request_body = WorkspaceCreate,
    responses(
        (status = 201, description = "Created", body = Workspace),
        (status = 409, description = "You already have a workspace with this name"),
    ),
    extensions(("x-access" = json!(["table:read", "table:write"]))),
    security(("user" = []))
)]
pub async fn create(
    State(workspaces): State<Arc<Workspaces>>,
    State(metrics): State<Arc<Metrics>>,
    caller: Caller,
    Body(new): Body<WorkspaceCreate>,
) -> Result<(StatusCode, Json<Workspace>)> {
    let workspace = workspaces.create(caller.user_id, &new.name, new.description).await?;
    Ok((StatusCode::CREATED, Json(Workspace::one(&metrics, workspace).await?)))
}
