//! `POST /jobs/{id}/retry`

use axum::extract::State;
use axum::response::Response;
use web::{AppState, Caller, Path, Result};

use super::JobPath;
use super::invocation::{Invocation, answer};

/// Runs a job's input on its version once more, as a new job.
#[utoipa::path(
    post, path = "/jobs/{id}/retry", operation_id = "jobs.retry", tag = "jobs",
    params(JobPath),
    responses(
        (status = 200, description = "It ran; `status` says how it went", body = Invocation),
        (status = 202, description = "It is queued, or runs longer than a caller is kept waiting", body = Invocation,
            headers(("Location" = String, description = "The job"))),
        (status = 409, description = "The function is disabled"),
        (status = 429, description = "As much runs at once as may"),
    ),
    extensions(("x-access" = json!([
        "table:read", "table:write", "payloads:read", "payloads:write", "runtime:invoke", "queue:send"
    ]))),
    security(("user" = []))
)]
pub async fn retry(
    State(state): State<AppState>,
    caller: Caller,
    Path(path): Path<JobPath>,
) -> Result<Response> {
    answer(state.app.retry_job(caller.user_id, path.id()).await?)
}
