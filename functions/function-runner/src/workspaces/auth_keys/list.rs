//! `GET /workspaces/{workspace_id}/auth-keys`

use std::sync::Arc;

use app::AuthKeys;
use axum::extract::State;
use domain::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;
use web::{Caller, Json, PathQuery, Result, Web};

use crate::workspaces::WorkspacePath;
use web::Paging;

/// A key's record: not the key.
#[derive(Serialize, ToSchema)]
pub struct AuthKey {
    /// Names the key when it is revoked.
    id: Uuid,
    /// The workspace it opens.
    workspace_id: Uuid,
    /// When it was issued.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// From when it no longer works.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

impl From<domain::AuthKey> for AuthKey {
    fn from(key: domain::AuthKey) -> Self {
        let domain::AuthKey { id, workspace_id, created_at, expires_at, .. } = key;
        Self { id: id.0, workspace_id: workspace_id.0, created_at, expires_at }
    }
}

/// A page of keys.
#[derive(Serialize, ToSchema)]
pub struct AuthKeyList {
    /// Newest first; those that have expired are left out.
    auth_keys: Vec<AuthKey>,
    /// What to pass as `cursor` for the next page; null at the end.
    next_cursor: Option<String>,
}

/// Lists a workspace's auth keys, newest first, without the keys themselves.
#[utoipa::path(
    get, path = "/workspaces/{workspace_id}/auth-keys", operation_id = "workspaces.auth_keys.list",
    tag = "workspaces",
    params(WorkspacePath, Paging),
    responses(
        (status = 200, description = "One page of the list", body = AuthKeyList),
        (status = 400, description = "The cursor does not belong to this list"),
    ),
    extensions(("x-access" = json!(["table:read"]))),
    security(("user" = []))
)]
pub async fn list(
    State(auth_keys): State<Arc<AuthKeys>>,
    State(web): State<Web>,
    caller: Caller,
    PathQuery { path, query }: PathQuery<WorkspacePath, Paging>,
) -> Result<Json<AuthKeyList>> {
    let list = query.list(&web, caller, &["workspaces", &path.id().to_string(), "auth-keys"]);
    let listed = auth_keys.list(caller.user_id, path.id(), list.page()?).await?;
    let next_cursor = list.next(listed.next)?;
    Ok(Json(AuthKeyList { auth_keys: listed.items.into_iter().map(Into::into).collect(), next_cursor }))
}
