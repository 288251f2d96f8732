//! `GET /jobs/{id}`

use std::sync::Arc;

use app::Jobs;
use axum::extract::State;
use web::{Caller, Json, Path, Result};

use super::{Job, JobPath};

/// Shows a job with its input, output and logs.
#[utoipa::path(
    get, path = "/jobs/{id}", operation_id = "jobs.get", tag = "jobs",
    params(JobPath),
    responses((status = 200, description = "The job", body = Job)),
    extensions(("x-access" = json!(["table:read", "payloads:read"]))),
    security(("user" = []))
)]
pub async fn get(
    State(jobs): State<Arc<Jobs>>,
    caller: Caller,
    Path(path): Path<JobPath>,
) -> Result<Json<Job>> {
    Ok(Json(Job::new(jobs.get(caller.user_id, path.id()).await?)?))
}
