//! `POST /jobs/{id}/retry`

use std::sync::Arc;

use app::Jobs;
use axum::extract::State;
use axum::response::Response;
use web::{Caller, Path, Result};

use super::JobPath;
use super::invocation::{Invocation, answer};

/// Runs a job again: a new job with the same input and the same version.
#[utoipa::path(
    post, path = "/jobs/{id}/retry", operation_id = "jobs.retry", tag = "jobs",
    params(JobPath),
    responses(
        (status = 200, description = "The function ran. `status` is `success` or `error`", body = Invocation),
        (status = 202, description = "The job is queued, or still running after 29 seconds. `Location` says where to ask for its result", body = Invocation,
            headers(("Location" = String, description = "The path of the job"))),
        (status = 409, description = "The function is disabled"),
        (status = 429, description = "The limit of concurrent runs is reached. Try again after `Retry-After` seconds"),
    ),
    extensions(("x-access" = json!([
        "table:read", "table:write", "payloads:read", "payloads:write", "runtime:invoke", "queue:send"
    ]))),
    security(("user" = []))
)]
pub async fn retry(
    State(jobs): State<Arc<Jobs>>,
    caller: Caller,
    Path(path): Path<JobPath>,
) -> Result<Response> {
    answer(jobs.retry(caller.user_id, path.id()).await?)
}
