//! `GET /functions/`

use std::sync::Arc;

use app::Functions;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use web::{Caller, Json, Query, Result, Web};

use super::Function;
use web::Paging;

/// A page of functions.
#[derive(Serialize, ToSchema)]
pub struct FunctionList {
    /// Newest first, without their code.
    functions: Vec<Function>,
    /// What to pass as `cursor` for the next page; null at the end.
    next_cursor: Option<String>,
}

impl FunctionList {
    pub(crate) fn new(functions: Vec<domain::Function>, next_cursor: Option<String>) -> Self {
        Self { functions: functions.into_iter().map(Into::into).collect(), next_cursor }
    }
}

/// Lists the caller's functions in all workspaces, newest first, without their code.
#[utoipa::path(
    get, path = "/functions/", operation_id = "functions.list", tag = "functions",
    params(Paging),
    responses(
        (status = 200, description = "One page of the list", body = FunctionList),
        (status = 400, description = "The cursor does not belong to this list"),
    ),
    extensions(("x-access" = json!(["table:read"]))),
    security(("user" = []))
)]
pub async fn list(
    State(functions): State<Arc<Functions>>,
    State(web): State<Web>,
    caller: Caller,
    Query(paging): Query<Paging>,
) -> Result<Json<FunctionList>> {
    let list = paging.list(&web, caller, &["functions"]);
    let listed = functions.list(caller.user_id, list.page()?).await?;
    let next_cursor = list.next(listed.next)?;
    Ok(Json(FunctionList::new(listed.items, next_cursor)))
}
