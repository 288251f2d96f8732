//! A request's id, its span, its one line in the log, and the headers that every response has.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;

use app::{Entropy, SystemEntropy};
use axum::extract::Request;
use axum::response::Response;
use domain::Kind;
use http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use tracing::{Instrument, field};
use uuid::Uuid;

use crate::error::Rendered;

/// The header that carries a request's id, both ways.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A request's id: the caller's own where it is sane (1 to 128 of `[A-Za-z0-9._-]`), else a new one. In the extensions of
/// every request.
#[derive(Clone, Debug, Default)]
pub struct RequestId(Arc<str>);

impl RequestId {
    fn of(headers: &HeaderMap) -> Self {
        let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
        let sane = given.filter(|id| {
            (1..=128).contains(&id.len())
                && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
        });
        Self(sane.map_or_else(Self::fresh, Into::into))
    }

    fn fresh() -> Arc<str> {
        let mut bytes = [0; 16];
        SystemEntropy.fill(&mut bytes);
        let mut text = Uuid::encode_buffer();
        Arc::from(&*uuid::Builder::from_random_bytes(bytes).into_uuid().hyphenated().encode_lower(&mut text))
    }

    /// A new one, for an answer to what was never a request.
    pub fn random() -> Self {
        Self(Self::fresh())
    }

    /// The id's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The path and query as the caller wrote them, before the trailing slash went. In the extensions of every request.
#[derive(Clone, Debug)]
pub struct OriginalUri(pub Uri);

/// The name of the route that answered; in a response's extensions.
#[derive(Clone, Debug)]
pub(crate) struct Operation(pub(crate) Arc<str>);

/// Whether responses may be kept by caches, unless they say so themselves: an API's answers are its caller's own.
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

pub(crate) async fn observe<F>(
    mut request: Request,
    answer: impl FnOnce(Request) -> F,
) -> Result<Response, Infallible>
where
    F: Future<Output = Result<Response, Infallible>>,
{
    let begun = Instant::now();
    let id = RequestId::of(request.headers());
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    request.extensions_mut().insert(id.clone());
    let span = tracing::info_span!("request", request_id = id.as_str(), operation = field::Empty);

    let mut response = answer(request).instrument(span.clone()).await?;

    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        headers.insert(REQUEST_ID, value);
    }
    headers.entry(X_CONTENT_TYPE_OPTIONS).or_insert(HeaderValue::from_static("nosniff"));
    headers.entry(CACHE_CONTROL).or_insert(NO_STORE);

    let _entered = span.enter();
    if let Some(Rendered(error)) = response.extensions().get() {
        match error.kind {
            Kind::Internal => tracing::error!(target: "web", code = error.code, %error, "request failed"),
            Kind::Unavailable => tracing::warn!(target: "web", code = error.code, %error, "request failed"),
            _ => {}
        }
    }
    tracing::info!(
        target: "web",
        operation = response.extensions().get().map(|Operation(name)| &**name),
        %method,
        path,
        status = response.status().as_u16(),
        latency_ms = begun.elapsed().as_micros() as f64 / 1000.0,
        "request"
    );
    Ok(response)
}
