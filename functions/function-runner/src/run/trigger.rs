//! `ANY /run/{workspace_id}/{endpoint}`

use std::sync::Arc;

use app::http_trigger::Request;
use app::{Bearer, Triggered, Triggers};
use axum::Extension;
use axum::body::Body as HttpBody;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::{Job, WorkspaceId};
use http::header::{CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, LOCATION};
use http::{HeaderMap, Method, StatusCode};
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;
use uuid::Uuid;
use web::{BearerToken, Json, OriginalUri, PathBody, RawBody, RequestId, Result, Source, Web};

use crate::jobs::location;

/// Names a trigger.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct TriggerPath {
    /// The workspace.
    workspace_id: Uuid,
    /// The function's endpoint, without its leading slash.
    endpoint: String,
}

/// A page that a function made runs in a browser as if it came from a host of its own, so that it can't reach this
/// host's other pages.
const SANDBOX: HeaderValue =
    HeaderValue::from_static("sandbox allow-downloads allow-forms allow-modals allow-popups allow-scripts");

/// Runs a function by its endpoint. The request becomes its event (API Gateway's payload 2.0), and a result of the
/// shape `{statusCode, headers, cookies, body, isBase64Encoded}` becomes the response; any other is answered as JSON.
#[utoipa::path(
    method(get, post, put, patch, delete), path = "/run/{workspace_id}/{*endpoint}", operation_id = "run.trigger",
    tag = "run",
    params(TriggerPath),
    responses(
        (status = 202, description = "The function is ASYNC and its job is queued"),
        (status = 401, description = "The function is not public, and the request has no valid token or key"),
        (status = 405, description = "The function does not accept this method"),
        (status = 409, description = "The function is disabled"),
        (status = 413, description = "The body is larger than 6 MB"),
        (status = 429, description = "The limit of concurrent runs is reached. Try again after `Retry-After` seconds"),
        (status = 502, description = "The function failed. Its owner finds the reason in the job"),
        (status = "default", description = "The response of the function"),
    ),
    extensions(("x-access" = json!(["table:read", "table:write", "payloads:read", "payloads:write", "runtime:invoke", "queue:send"]))),
    security((), ("workspace_key" = []), ("user" = []))
)]
#[expect(clippy::too_many_arguments, reason = "each is a part of the request, and the event has them all")]
pub async fn trigger(
    State(triggers): State<Arc<Triggers>>,
    State(web): State<Web>,
    method: Method,
    headers: HeaderMap,
    BearerToken(key): BearerToken,
    Source(source): Source,
    Extension(request_id): Extension<RequestId>,
    Extension(OriginalUri(uri)): Extension<OriginalUri>,
    PathBody { path, body: RawBody(body) }: PathBody<TriggerPath, RawBody>,
) -> Result<Response> {
    let request = Request {
        method: method.as_str().to_owned(),
        path: uri.path().to_owned(),
        query: uri.query().unwrap_or_default().to_owned(),
        headers: headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        body,
        source_ip: source.to_string(),
        request_id: request_id.as_str().to_owned(),
    };
    let endpoint = format!("/{}", path.endpoint);
    let workspace = WorkspaceId(path.workspace_id);
    let bearer = match key.as_deref() {
        Some(token) => web.tokens.verify(token).map_or(Bearer::Key(token), |token| Bearer::User(token.user)),
        None => Bearer::Nobody,
    };
    let mut response = match triggers.answer(workspace, &endpoint, bearer, request).await? {
        Triggered::Responded(response) => sent(response),
        Triggered::Accepted(job) => accepted(&job),
        Triggered::Failed(job) => failed(&job, &request_id),
    };
    response.headers_mut().append(CONTENT_SECURITY_POLICY, SANDBOX);
    Ok(response)
}

/// A header's value as text: what isn't UTF-8 is read as Latin-1, as HTTP once had it.
fn text(value: &HeaderValue) -> String {
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => text.to_owned(),
        Err(_) => value.as_bytes().iter().map(|&byte| char::from(byte)).collect(),
    }
}

/// The response of the function itself.
fn sent(answered: app::http_trigger::Response) -> Response {
    let mut response = HttpBody::from(answered.body).into_response();
    *response.status_mut() = StatusCode::from_u16(answered.status).unwrap_or(StatusCode::BAD_GATEWAY);
    let headers = response.headers_mut();
    headers.clear();
    for (name, value) in answered.headers {
        // The use case has made sure that HTTP can carry each of them.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.append(name, value);
        }
    }
    response
}

fn accepted(job: &Job) -> Response {
    let body = json!({ "job_id": job.id, "status": job.status.as_str() });
    (StatusCode::ACCEPTED, [(LOCATION, location(job.id))], Json(body)).into_response()
}

/// What a caller of a trigger hears of a run that failed: not why, since that may be anyone.
fn failed(job: &Job, request_id: &RequestId) -> Response {
    let text = "The function failed. Its owner finds the reason in the job";
    let body = json!({
        "detail": text, "message": text, "code": "FUNCTION_FAILED", "job_id": job.id,
        "request_id": request_id.as_str(),
    });
    (StatusCode::BAD_GATEWAY, Json(body)).into_response()
}
