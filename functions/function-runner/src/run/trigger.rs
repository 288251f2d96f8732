//! `ANY /run/{workspace_id}/{endpoint}`

use app::http_trigger::Request;
use axum::Extension;
use axum::body::Body as HttpBody;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::WorkspaceId;
use http::header::{CONTENT_SECURITY_POLICY, HeaderName, HeaderValue};
use http::{HeaderMap, Method, StatusCode};
use serde::Deserialize;
use tracing::warn;
use utoipa::IntoParams;
use uuid::Uuid;
use web::{AppState, AsWritten, BearerToken, PathBody, RawBody, RequestId, Result, Source};

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
        (status = 401, description = "The function is not public, and no good key came with the request"),
        (status = 405, description = "The function does not answer to this method"),
        (status = 409, description = "The function is disabled"),
        (status = 413, description = "The body is larger than 6 MB"),
        (status = 429, description = "As much runs at once as may"),
        (status = 502, description = "The function failed"),
        (status = "default", description = "What the function answers"),
    ),
    extensions(("x-access" = json!(["table:read", "table:write", "payloads:read", "payloads:write", "runtime:invoke", "queue:send"]))),
    security((), ("workspace_key" = []))
)]
#[expect(clippy::too_many_arguments, reason = "each is a part of the request, and the event has them all")]
pub async fn trigger(
    State(state): State<AppState>,
    method: Method,
    headers: HeaderMap,
    BearerToken(key): BearerToken,
    Source(source): Source,
    Extension(request_id): Extension<RequestId>,
    Extension(AsWritten(uri)): Extension<AsWritten>,
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
    let answered = state.app.trigger(workspace, &endpoint, key.as_deref(), request).await?;
    Ok(response(answered))
}

/// A header's value as text: what isn't UTF-8 is read as Latin-1, as HTTP once had it.
fn text(value: &HeaderValue) -> String {
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => text.to_owned(),
        Err(_) => value.as_bytes().iter().map(|&byte| char::from(byte)).collect(),
    }
}

fn response(answered: app::http_trigger::Response) -> Response {
    let mut response = HttpBody::from(answered.body).into_response();
    *response.status_mut() = StatusCode::from_u16(answered.status).unwrap_or(StatusCode::BAD_GATEWAY);
    let headers = response.headers_mut();
    headers.clear();
    for (name, value) in answered.headers {
        match (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value)) {
            (Ok(name), Ok(value)) => {
                headers.append(name, value);
            }
            _ => warn!(header = name, "a function answered with a header that HTTP can't carry; left out"),
        }
    }
    headers.append(CONTENT_SECURITY_POLICY, SANDBOX);
    response
}
