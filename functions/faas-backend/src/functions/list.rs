//! `GET /api/workspaces/{ws_id}/functions`

use std::sync::Arc;

use app::{Functions, Metrics};
use axum::extract::State;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use http::HeaderMap;
use web::{BaseUrl, Caller, Json, Paging, PathQuery, Result, Web};

use super::{Function, WorkspacePath};
use crate::linked;

/// How many bytes a list takes with the sources that it shows: a Lambda answers 6 MB at most.
const ANSWER: usize = 5 * 1024 * 1024;
/// How many sources are fetched at once.
const AT_ONCE: usize = 32;

/// Lists a workspace's functions, newest first.
#[utoipa::path(
    get, path = "/api/workspaces/{ws_id}/functions", operation_id = "api.functions.list", tag = "api.functions",
    params(WorkspacePath, Paging),
    responses((status = 200, description = "One page of the list", body = Vec<Function>,
        headers(("Link" = Option<String>, description = "The URL of the next page, as `<…>; rel=\"next\"`; absent on the last page")))),
    extensions(("x-access" = json!(["table:read", "code:read"]))),
    security(("user" = []))
)]
pub async fn list(
    State(functions): State<Arc<Functions>>,
    State(web): State<Web>,
    State(metrics): State<Arc<Metrics>>,
    caller: Caller,
    BaseUrl(base): BaseUrl,
    PathQuery { path, query }: PathQuery<WorkspacePath, Paging>,
) -> Result<(HeaderMap, Json<Vec<Function>>)> {
    let workspace = path.id();
    let list = query.list(&web, caller, &["api", "workspaces", &workspace.to_string(), "functions"]);
    let listed = functions.list_in(caller.user_id, workspace, list.page_or_fault()?).await?;
    let link = list.link(&format!("{base}/api/workspaces/{workspace}/functions"), listed.next)?;
    Ok((linked(link), Json(Function::all(&functions, &metrics, &base, listed.items).await?)))
}

/// The sources of these, from the first on, as many as may be shown together.
pub(super) async fn codes(
    service: &Functions,
    functions: &[domain::Function],
) -> Result<Vec<Option<Arc<str>>>> {
    let rest: usize = functions.iter().map(app::functions::size).sum();
    // As Base64 a source is a third more.
    let mut room = ANSWER.saturating_sub(rest) / 4 * 3;
    let codes: Vec<_> = functions
        .iter()
        .map(|function| {
            let version = &function.current;
            let shown = version.code_size <= room;
            room -= if shown { version.code_size } else { 0 };
            async move {
                match shown {
                    true => service.code(version).await.map(Some),
                    false => Ok(None),
                }
            }
        })
        .collect();
    Ok(stream::iter(codes).buffered(AT_ONCE).try_collect().await?)
}
