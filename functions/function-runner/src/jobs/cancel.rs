//! `POST /jobs/{id}/cancel`

use axum::extract::State;
use web::{AppState, Caller, Json, Path, Result};

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
    State(state): State<AppState>,
    caller: Caller,
    Path(path): Path<JobPath>,
) -> Result<Json<Job>> {
    Ok(Json(Job::new(state.app.cancel_job(caller.user_id, path.id()).await?)?))
}
