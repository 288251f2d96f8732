//! `POST /functions/{function_id}/invoke`

use std::sync::Arc;

use app::Invocations;
use axum::extract::State;
use axum::response::Response;
use web::{Caller, PathBody, RawJson, Result};

use super::FunctionPath;
use crate::jobs::invocation::{Invocation, answer};

/// Invokes a function. The body, any JSON value, is its event.
#[utoipa::path(
    post, path = "/functions/{function_id}/invoke", operation_id = "functions.invoke", tag = "functions",
    params(FunctionPath),
    request_body(content = Option<RawJson>, description = "The event. An empty body counts as `{}`"),
    responses(
        (status = 200, description = "The function ran. `status` is `success` or `error`", body = Invocation),
        (status = 202, description = "The job is queued, or still running after 29 seconds. `Location` says where to ask for its result", body = Invocation,
            headers(("Location" = String, description = "The path of the job"))),
        (status = 409, description = "The function is disabled"),
        (status = 429, description = "The limit of concurrent runs is reached. Try again after `Retry-After` seconds"),
    ),
    extensions(("x-access" = json!(["table:read", "table:write", "payloads:read", "payloads:write", "runtime:invoke", "queue:send"]))),
    security(("user" = []))
)]
pub async fn invoke(
    State(invocations): State<Arc<Invocations>>,
    caller: Caller,
    PathBody { path, body: RawJson(event) }: PathBody<FunctionPath, RawJson>,
) -> Result<Response> {
    answer(invocations.invoke_as_user(caller.user_id, path.id(), event).await?)
}
