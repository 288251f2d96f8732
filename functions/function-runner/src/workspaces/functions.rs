//! `GET /workspaces/{workspace_id}/functions`

use std::sync::Arc;

use app::Functions;
use axum::extract::State;
use web::{Caller, Json, PathQuery, Result, Web};

use super::WorkspacePath;
use crate::functions::list::FunctionList;
use web::Paging;

/// Lists a workspace's functions, newest first, without their code.
#[utoipa::path(
    get, path = "/workspaces/{workspace_id}/functions", operation_id = "workspaces.functions", tag = "workspaces",
    params(WorkspacePath, Paging),
    responses(
        (status = 200, description = "One page of the list", body = FunctionList),
        (status = 400, description = "The cursor does not belong to this list"),
    ),
    extensions(("x-access" = json!(["table:read"]))),
    security(("user" = []))
)]
pub async fn functions(
    State(functions): State<Arc<Functions>>,
    State(web): State<Web>,
    caller: Caller,
    PathQuery { path, query }: PathQuery<WorkspacePath, Paging>,
) -> Result<Json<FunctionList>> {
    let list = query.list(&web, caller, &["workspaces", &path.id().to_string(), "functions"]);
    let listed = functions.list_in(caller.user_id, path.id(), list.page()?).await?;
    let next_cursor = list.next(listed.next)?;
    Ok(Json(FunctionList::new(listed.items, next_cursor)))
}
