//! `GET /jobs/{id}`

use axum::extract::State;
use web::{AppState, Caller, Json, Path, Result};

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
    State(state): State<AppState>,
    caller: Caller,
    Path(path): Path<JobPath>,
) -> Result<Json<Job>> {
    Ok(Json(Job::new(state.app.job(caller.user_id, path.id()).await?)?))
}
