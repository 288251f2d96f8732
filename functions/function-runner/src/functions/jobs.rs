//! `GET /functions/{function_id}/jobs`

use std::sync::Arc;

use app::Jobs;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use web::{Caller, Json, PathQuery, Result, Web};

use super::FunctionPath;
use crate::jobs::{Job, JobStatus};
use web::Paging;

/// Which jobs, and which part of the list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct JobsQuery {
    /// Only jobs of this status.
    #[param(inline)]
    status: Option<JobStatus>,
    /// How many at most, 1 to 100; 50 by default.
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: Option<usize>,
    /// The `next_cursor` of the page before.
    #[param(max_length = 4096)]
    cursor: Option<String>,
}

/// A page of jobs. Texts of over 64 KB are left out and named in `omitted`: ask for the job itself.
#[derive(Serialize, ToSchema)]
pub struct JobList {
    /// Newest first.
    jobs: Vec<Job>,
    /// How many there are in all (of the status asked for).
    total: u64,
    /// What to pass as `cursor` for the next page; null at the end.
    next_cursor: Option<String>,
}

/// Lists a function's jobs, newest first.
#[utoipa::path(
    get, path = "/functions/{function_id}/jobs", operation_id = "functions.jobs", tag = "functions",
    params(FunctionPath, JobsQuery),
    responses(
        (status = 200, description = "One page of the list", body = JobList),
        (status = 400, description = "The cursor does not belong to this list"),
    ),
    extensions(("x-access" = json!(["table:read"]))),
    security(("user" = []))
)]
pub async fn jobs(
    State(jobs): State<Arc<Jobs>>,
    State(web): State<Web>,
    caller: Caller,
    PathQuery { path, query }: PathQuery<FunctionPath, JobsQuery>,
) -> Result<Json<JobList>> {
    let JobsQuery { status, limit, cursor } = query;
    let status = status.map(domain::JobStatus::from);
    let filter = status.map_or("", domain::JobStatus::as_str);
    let name = ["functions", &path.id().to_string(), "jobs", filter];
    let list = Paging::new(limit, cursor).list(&web, caller, &name).by_pages();
    let (listed, total) = jobs.list(caller.user_id, path.id(), status, list.page()?).await?;
    let jobs = listed.items.into_iter().map(Job::new).collect::<Result<_>>()?;
    Ok(Json(JobList { jobs, total, next_cursor: list.next(listed.next)? }))
}
