//! A request's id, its span, its one line in the log, and the headers that every response has.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use app::{Entropy, SystemEntropy};
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use domain::Kind;
use http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tracing::{Instrument, Span, field};
use uuid::Uuid;

use crate::error::Rendered;
use crate::stream::Streamed;

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

/// Answers a request, and logs it once it is answered: a response that is made while it is sent when that ends.
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

    let entered = span.enter();
    if let Some(Rendered(error)) = response.extensions().get() {
        match error.kind {
            Kind::Internal => tracing::error!(target: "web", code = error.code, %error, "request failed"),
            Kind::Unavailable => tracing::warn!(target: "web", code = error.code, %error, "request failed"),
            _ => {}
        }
    }
    let operation = response.extensions().get().map(|Operation(name)| name.clone());
    let line = Line { operation, method, path, status: response.status(), begun, latency: begun.elapsed() };
    if response.extensions().get::<Streamed>().is_none() {
        line.write(None);
        return Ok(response);
    }
    drop(entered);
    Ok(response.map(|body| Body::new(ObservedBody { inner: body, line: Some(line), span, bytes: 0 })))
}

/// What is logged of a request.
struct Line {
    operation: Option<Arc<str>>,
    method: Method,
    path: String,
    status: StatusCode,
    begun: Instant,
    /// Until there was a response, or the head of it.
    latency: Duration,
}

impl Line {
    /// `streamed`: how a response ended that was made while it was sent, and after how many bytes.
    fn write(self, streamed: Option<(&'static str, u64)>) {
        tracing::info!(
            target: "web",
            operation = self.operation.as_deref(),
            method = %self.method,
            path = self.path,
            status = self.status.as_u16(),
            latency_ms = millis(self.latency),
            duration_ms = streamed.map(|_| millis(self.begun.elapsed())),
            bytes = streamed.map(|(_, bytes)| bytes),
            ended = streamed.map(|(how, _)| how),
            "request"
        );
    }
}

fn millis(time: Duration) -> f64 {
    time.as_micros() as f64 / 1000.0
}

/// A body that is made while it is sent, and logged when it ends.
struct ObservedBody {
    inner: Body,
    /// `None` once it is written.
    line: Option<Line>,
    span: Span,
    bytes: u64,
}

impl ObservedBody {
    fn end(&mut self, how: &'static str, error: Option<&axum::Error>) {
        let Some(line) = self.line.take() else { return };
        let _entered = self.span.enter();
        if let Some(error) = error {
            // Who reads it sees it break off, and can't be told why.
            tracing::error!(target: "web", %error, "a response broke off");
        }
        line.write(Some((how, self.bytes)));
    }
}

impl HttpBody for ObservedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        let polled = {
            let _entered = this.span.enter();
            Pin::new(&mut this.inner).poll_frame(cx)
        };
        match &polled {
            Poll::Ready(Some(Ok(frame))) => this.bytes += frame.data_ref().map_or(0, Bytes::len) as u64,
            Poll::Ready(Some(Err(error))) => this.end("failed", Some(error)),
            Poll::Ready(None) => this.end("complete", None),
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for ObservedBody {
    fn drop(&mut self) {
        // Who knows that nothing more comes doesn't ask for it.
        let how = if self.inner.is_end_stream() { "complete" } else { "cut off" };
        self.end(how, None);
    }
}
