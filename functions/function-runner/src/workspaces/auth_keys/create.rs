//! `POST /workspaces/{workspace_id}/auth-keys`

use std::sync::Arc;

use app::AuthKeys;
use axum::extract::State;
use domain::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use web::{Caller, Input, Json, PathBody, Result};

use crate::workspaces::WorkspacePath;

/// How long the key is to work.
#[derive(Deserialize, ToSchema)]
pub struct AuthKeyCreate {
    /// How many hours the key works, 1 to 8760 (a year); 24 by default.
    #[schema(minimum = 1, maximum = 8760, default = 24)]
    expires_hours: Option<u32>,
}

impl Input for AuthKeyCreate {}

/// A key just issued.
#[derive(Serialize, ToSchema)]
pub struct IssuedAuthKey {
    /// Names the key when it is listed or revoked.
    id: Uuid,
    /// The key itself. It is not shown again.
    key: String,
    /// The workspace it opens.
    workspace_id: Uuid,
    /// When it was issued.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// From when it no longer works.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// Issues an auth key.
#[utoipa::path(
    post, path = "/workspaces/{workspace_id}/auth-keys", operation_id = "workspaces.auth_keys.create",
    tag = "workspaces",
    params(WorkspacePath),
    request_body = Option<AuthKeyCreate>,
    responses((status = 200, description = "The key. It is not shown again", body = IssuedAuthKey)),
    extensions(("x-access" = json!(["table:read", "table:write"]))),
    security(("user" = []))
)]
pub async fn create(
    State(auth_keys): State<Arc<AuthKeys>>,
    caller: Caller,
    PathBody { path, body }: PathBody<WorkspacePath, Option<AuthKeyCreate>>,
) -> Result<Json<IssuedAuthKey>> {
    let hours = body.and_then(|body| body.expires_hours).unwrap_or(24);
    let issued = auth_keys.create(caller.user_id, path.id(), hours).await?;
    let domain::AuthKey { id, workspace_id, created_at, expires_at, .. } = issued.record;
    Ok(Json(IssuedAuthKey {
        id: id.0,
        key: issued.key,
        workspace_id: workspace_id.0,
        created_at,
        expires_at,
    }))
}
