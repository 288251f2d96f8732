//! `DELETE /workspaces/{workspace_id}/auth-keys/{key_id}`

use std::sync::Arc;

use app::AuthKeys;
use axum::extract::State;
use domain::{KeyId, WorkspaceId};
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;
use web::{Caller, Json, Path, Result};

use crate::Deleted;

/// Names a key.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct AuthKeyPath {
    /// The workspace it opens.
    workspace_id: Uuid,
    /// The key's id (not the key).
    key_id: Uuid,
}

/// Revokes an auth key, at once.
#[utoipa::path(
    delete, path = "/workspaces/{workspace_id}/auth-keys/{key_id}", operation_id = "workspaces.auth_keys.revoke",
    tag = "workspaces",
    params(AuthKeyPath),
    responses((status = 200, description = "Revoked", body = Deleted)),
    extensions(("x-access" = json!(["table:read", "table:write"]))),
    security(("user" = []))
)]
pub async fn revoke(
    State(auth_keys): State<Arc<AuthKeys>>,
    caller: Caller,
    Path(path): Path<AuthKeyPath>,
) -> Result<Json<Deleted>> {
    auth_keys.revoke(caller.user_id, WorkspaceId(path.workspace_id), KeyId(path.key_id)).await?;
    Ok(Json(Deleted::done()))
}
