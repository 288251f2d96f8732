//! `GET /api/workspaces`

use std::sync::Arc;

use app::{Metrics, Workspaces};
use axum::extract::State;
use http::HeaderMap;
use web::{BaseUrl, Caller, Json, Paging, Query, Result, Web};

use super::Workspace;
use crate::linked;

/// Lists the caller's workspaces, newest first.
#[utoipa::path(
    get, path = "/api/workspaces", operation_id = "api.workspaces.list", tag = "api.workspaces",
    params(Paging),
    responses((status = 200, description = "One page of the list", body = Vec<Workspace>,
        headers(("Link" = Option<String>, description = "The URL of the next page, as `<…>; rel=\"next\"`; absent on the last page")))),
    extensions(("x-access" = json!(["table:read"]))),
    security(("user" = []))
)]
pub async fn list(
    State(workspaces): State<Arc<Workspaces>>,
    State(web): State<Web>,
    State(metrics): State<Arc<Metrics>>,
    caller: Caller,
    BaseUrl(base): BaseUrl,
    Query(paging): Query<Paging>,
) -> Result<(HeaderMap, Json<Vec<Workspace>>)> {
    let list = paging.list(&web, caller, &["api", "workspaces"]);
    let listed = workspaces.list(caller.user_id, list.page_or_fault()?).await?;
    let link = list.link(&format!("{base}/api/workspaces"), listed.next)?;
    Ok((linked(link), Json(Workspace::all(&metrics, listed.items).await?)))
}
