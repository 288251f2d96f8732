//! `GET /workspaces/`

use std::sync::Arc;

use app::Workspaces;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use web::{Caller, Json, Query, Result, Web};

use super::Workspace;
use web::Paging;

/// A page of workspaces.
#[derive(Serialize, ToSchema)]
pub struct WorkspaceList {
    /// Newest first.
    workspaces: Vec<Workspace>,
    /// What to pass as `cursor` for the next page; null at the end.
    next_cursor: Option<String>,
}

/// Lists the caller's workspaces, newest first.
#[utoipa::path(
    get, path = "/workspaces/", operation_id = "workspaces.list", tag = "workspaces",
    params(Paging),
    responses(
        (status = 200, description = "One page of the list", body = WorkspaceList),
        (status = 400, description = "The cursor does not belong to this list"),
    ),
    extensions(("x-access" = json!(["table:read"]))),
    security(("user" = []))
)]
pub async fn list(
    State(workspaces): State<Arc<Workspaces>>,
    State(web): State<Web>,
    caller: Caller,
    Query(paging): Query<Paging>,
) -> Result<Json<WorkspaceList>> {
    let list = paging.list(&web, caller, &["workspaces"]);
    let listed = workspaces.list(caller.user_id, list.page()?).await?;
    let next_cursor = list.next(listed.next)?;
    Ok(Json(WorkspaceList { workspaces: listed.items.into_iter().map(Into::into).collect(), next_cursor }))
}
