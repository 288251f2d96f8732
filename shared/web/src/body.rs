//! Request bodies are bounded in bytes and in time, and what nobody read is drained, so that a caller who is still
//! sending gets to read the answer instead of a broken connection.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use bytes::Bytes;
use domain::Kind;
use http::header::{CONTENT_LENGTH, EXPECT};
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::runtime::Handle;
use tokio::time::{Instant, Sleep};

use crate::{Error, Web};

/// The most bytes that are drained for a caller who sends what nobody wants.
const DRAIN_BYTES: usize = 256 * 1024 * 1024;
/// The longest that this goes on.
const DRAIN_TIME: Duration = Duration::from_secs(20);

/// Why a body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refused {
    TooLarge { limit: usize },
    TooSlow,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { limit } => write!(f, "The request body is larger than {limit} bytes"),
            Self::TooSlow => f.write_str("The request body did not arrive in time"),
        }
    }
}

impl std::error::Error for Refused {}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        let (kind, code) = match refused {
            Refused::TooLarge { .. } => (Kind::TooLarge, "BODY_TOO_LARGE"),
            Refused::TooSlow => (Kind::BadRequest, "BODY_TIMEOUT"),
        };
        domain::Error::new(kind, code, refused.to_string()).into()
    }
}

/// Bounds a request's body. Fails at once where `Content-Length` says that it is too large.
pub(crate) fn guard(request: Request, web: &Web) -> Result<Request, Error> {
    let (parts, body) = request.into_parts();
    if body.is_end_stream() {
        return Ok(Request::from_parts(parts, body));
    }
    let limit = web.config.max_body;
    let declared =
        parts.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let guarded = LimitedBody {
        // A caller that waits for `100 Continue` has sent nothing; reading would make it begin.
        waits: parts.headers.contains_key(EXPECT),
        inner: Some(body),
        limit,
        left: limit,
        time: web.config.body_timeout,
        deadline: None,
    };
    if declared.is_some_and(|bytes| bytes > limit as u64) {
        return Err(Refused::TooLarge { limit }.into());
    }
    Ok(Request::from_parts(parts, Body::new(guarded)))
}

/// All of a body that went through [`guard`].
pub(crate) async fn read(body: Body) -> Result<Bytes, Error> {
    match body.collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) => Err(match error.into_inner().downcast::<Refused>() {
            Ok(refused) => (*refused).into(),
            // The caller went away, or sent broken chunks; nobody reads this.
            Err(error) => domain::Error {
                source: Some(error),
                ..domain::Error::new(
                    Kind::BadRequest,
                    "BODY_BROKEN",
                    "The request body ended early, or its chunks are not valid",
                )
            }
            .into(),
        }),
    }
}

struct LimitedBody {
    /// `None` once it has ended.
    inner: Option<Body>,
    limit: usize,
    left: usize,
    time: Duration,
    /// Set when there is something to wait for.
    deadline: Option<Pin<Box<Sleep>>>,
    waits: bool,
}

impl HttpBody for LimitedBody {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        this.waits = false;
        let Some(inner) = &mut this.inner else { return Poll::Ready(None) };
        match Pin::new(inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                match this.left.checked_sub(bytes) {
                    Some(left) => {
                        this.left = left;
                        Poll::Ready(Some(Ok(frame)))
                    }
                    None => Poll::Ready(Some(Err(Refused::TooLarge { limit: this.limit }.into()))),
                }
            }
            Poll::Ready(Some(Err(error))) => {
                this.inner = None;
                Poll::Ready(Some(Err(error.into_inner())))
            }
            Poll::Ready(None) => {
                this.inner = None;
                Poll::Ready(None)
            }
            Poll::Pending => {
                let time = this.time;
                let deadline = this.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(time)));
                match deadline.as_mut().poll(cx) {
                    Poll::Ready(()) => Poll::Ready(Some(Err(Refused::TooSlow.into()))),
                    Poll::Pending => Poll::Pending,
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl Drop for LimitedBody {
    fn drop(&mut self) {
        if let Some(body) = self.inner.take().filter(|body| !self.waits && !body.is_end_stream())
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(drain(body));
        }
    }
}

async fn drain(mut body: Body) {
    let (mut drained, end) = (0, Instant::now() + DRAIN_TIME);
    while let Ok(Some(Ok(frame))) = tokio::time::timeout_at(end, body.frame()).await {
        drained += frame.data_ref().map_or(0, Bytes::len);
        if drained > DRAIN_BYTES {
            break;
        }
    }
}
