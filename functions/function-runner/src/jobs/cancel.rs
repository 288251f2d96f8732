//! `POST /jobs/{id}/cancel`

use std::sync::Arc;

use app::Jobs;
use axum::extract::State;
use web::{Caller, Json, Path, Result};

use super::{Job, JobPath};

/// Cancels a job that has not started.
#[utoipa::path(
    post, path = "/jobs/{id}/cancel", operation_id = "jobs.cancel", tag = "jobs",
    params(JobPath),
    responses(
        (status = 200, description = "Cancelled", body = Job),
        (status = 409, description = "The job has already started or ended"),
    ),
    extensions(("x-access" = json!(["table:read", "table:write", "payloads:read"]))),
    security(("user" = []))
)]
pub async fn cancel(
    State(jobs): State<Arc<Jobs>>,
    caller: Caller,
    Path(path): Path<JobPath>,
) -> Result<Json<Job>> {
    Ok(Json(Job::new(jobs.cancel(caller.user_id, path.id()).await?)?))
}
