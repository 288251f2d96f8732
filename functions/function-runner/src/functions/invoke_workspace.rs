//! `POST /functions/{function_id}/invoke/workspace`

use std::sync::Arc;

use app::{AuthKeys, Invocations};
use axum::extract::State;
use axum::response::Response;
use web::{BearerToken, Error, PathBody, RawJson, Result};

use super::FunctionPath;
use crate::jobs::invocation::{Invocation, answer};

/// Invokes a function with a key of its workspace. The body, any JSON value, is its event.
#[utoipa::path(
    post, path = "/functions/{function_id}/invoke/workspace", operation_id = "functions.invoke_workspace",
    tag = "functions",
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
    security(("workspace_key" = []))
)]
pub async fn invoke_workspace(
    State(invocations): State<Arc<Invocations>>,
    State(auth_keys): State<Arc<AuthKeys>>,
    BearerToken(key): BearerToken,
    request: Result<PathBody<FunctionPath, RawJson>, Error>,
) -> Result<Response> {
    let key = key.unwrap_or_default();
    match request {
        Ok(PathBody { path, body }) => answer(invocations.invoke_with_key(&key, path.id(), body.0).await?),
        // Who has no good key is not told what else is wrong.
        Err(fault) => {
            auth_keys.check(&key).await?;
            Err(fault)
        }
    }
}
