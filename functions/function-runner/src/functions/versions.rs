//! `GET /functions/{function_id}/versions`

use std::sync::Arc;

use app::Functions;
use axum::extract::State;
use domain::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use web::{Caller, Json, PathQuery, Result, Web};

use super::{FunctionPath, Runtime};
use web::Paging;

/// A version: code that was saved once and never changes.
#[derive(Serialize, ToSchema)]
pub struct Version {
    /// 1, 2, …
    version: u32,
    /// The language.
    runtime: Runtime,
    /// Its source.
    code: String,
    /// SHA-256 of the source, in hex.
    code_sha256: String,
    /// When it was saved.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// Which part of the list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct VersionsQuery {
    /// How many at most, 1 to 100; 50 by default.
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: Option<usize>,
    /// The `next_cursor` of the page before.
    #[param(max_length = 4096)]
    cursor: Option<String>,
}

/// A page of versions.
#[derive(Serialize, ToSchema)]
pub struct VersionList {
    /// Newest first.
    versions: Vec<Version>,
    /// What to pass as `cursor` for the next page; null at the end.
    next_cursor: Option<String>,
}

/// Lists a function's versions, newest first, with their code.
#[utoipa::path(
    get, path = "/functions/{function_id}/versions", operation_id = "functions.versions", tag = "functions",
    params(FunctionPath, VersionsQuery),
    responses(
        (status = 200, description = "One page of the list", body = VersionList),
        (status = 400, description = "The cursor does not belong to this list"),
    ),
    extensions(("x-access" = json!(["table:read", "code:read"]))),
    security(("user" = []))
)]
pub async fn versions(
    State(functions): State<Arc<Functions>>,
    State(web): State<Web>,
    caller: Caller,
    PathQuery { path, query }: PathQuery<FunctionPath, VersionsQuery>,
) -> Result<Json<VersionList>> {
    let VersionsQuery { limit, cursor } = query;
    let name = ["functions", &path.id().to_string(), "versions"];
    let list = Paging::new(limit, cursor).list(&web, caller, &name).by_pages();
    let listed = functions.versions(caller.user_id, path.id(), list.page()?).await?;
    let mut versions = Vec::with_capacity(listed.items.len());
    for version in listed.items {
        let code = functions.code(&version).await?.as_ref().to_owned();
        let domain::Version { version, language, code_sha256, created_at, .. } = version;
        versions.push(Version { version, runtime: language.into(), code, code_sha256, created_at });
    }
    Ok(Json(VersionList { versions, next_cursor: list.next(listed.next)? }))
}
