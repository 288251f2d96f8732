//! `POST /functions/{function_id}/invoke`

use axum::extract::State;
use axum::response::Response;
use web::{AppState, Caller, PathBody, RawJson, Result};

use super::FunctionPath;
use crate::jobs::invocation::{Invocation, answer};

/// Invokes a function. The body, any JSON value, is its event.
#[utoipa::path(
    post, path = "/functions/{function_id}/invoke", operation_id = "functions.invoke", tag = "functions",
    params(FunctionPath),
    request_body(content = Option<RawJson>, description = "The event; `{}` where empty"),
    responses(
        (status = 200, description = "It ran; `status` says how it went", body = Invocation),
        (status = 202, description = "It is queued, or runs longer than a caller is kept waiting", body = Invocation,
            headers(("Location" = String, description = "The job"))),
        (status = 409, description = "The function is disabled"),
        (status = 429, description = "As much runs at once as may"),
    ),
    extensions(("x-access" = json!(["table:read", "table:write", "payloads:read", "payloads:write", "runtime:invoke", "queue:send"]))),
    security(("user" = []))
)]
pub async fn invoke(
    State(state): State<AppState>,
    caller: Caller,
    PathBody { path, body: RawJson(event) }: PathBody<FunctionPath, RawJson>,
) -> Result<Response> {
    answer(state.app.invoke_as_user(caller.user_id, path.id(), event).await?)
}
