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

use crate::Error;

/// The most bytes that are drained for a caller who sends what nobody wants.
const DRAIN_BYTES: usize = 256 * 1024 * 1024;
/// The longest that this goes on.
const DRAIN_TIME: Duration = Duration::from_secs(20);

/// Why a body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refused {
    TooLarge { limit: u64 },
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

/// How a request's body is bounded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// In bytes.
    pub(crate) max: u64,
    /// How long may be waited: for all of it, or for each chunk of one that is read as it comes.
    pub(crate) time: Duration,
    pub(crate) each_chunk: bool,
}

/// Bounds a request's body. Fails at once where `Content-Length` says that it is too large.
pub(crate) fn guard(request: Request, bounds: Bounds) -> Result<Request, Error> {
    let (parts, body) = request.into_parts();
    if body.is_end_stream() {
        return Ok(Request::from_parts(parts, body));
    }
    let declared =
        parts.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let guarded = LimitedBody {
        // A caller that waits for `100 Continue` has sent nothing; reading would make it begin.
        waits: parts.headers.contains_key(EXPECT),
        inner: Some(body),
        bounds,
        left: bounds.max,
        deadline: None,
    };
    if declared.is_some_and(|bytes| bytes > bounds.max) {
        return Err(Refused::TooLarge { limit: bounds.max }.into());
    }
    Ok(Request::from_parts(parts, Body::new(guarded)))
}

/// All of a body that went through [`guard`].
pub(crate) async fn read(body: Body) -> Result<Bytes, Error> {
    match body.collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) => Err(told(error)),
    }
}

/// What is wrong with a body that went through [`guard`] and can't be read on.
pub(crate) fn told(error: axum::Error) -> Error {
    match error.into_inner().downcast::<Refused>() {
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
    }
}

struct LimitedBody {
    /// `None` once it has ended.
    inner: Option<Body>,
    bounds: Bounds,
    left: u64,
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
                if this.bounds.each_chunk {
                    this.deadline = None;
                }
                let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
                match this.left.checked_sub(bytes) {
                    Some(left) => {
                        this.left = left;
                        Poll::Ready(Some(Ok(frame)))
                    }
                    None => Poll::Ready(Some(Err(Refused::TooLarge { limit: this.bounds.max }.into()))),
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
                let time = this.bounds.time;
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

#[cfg(test)]
mod tests {
    use futures::{StreamExt, stream};

    use super::*;

    /// Reads so many chunks of ten bytes that come a second apart.
    async fn read_chunks(count: usize, bounds: Bounds) -> Result<usize, domain::Error> {
        let chunks = stream::iter(0..count).then(|_| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok::<_, std::io::Error>(Bytes::from_static(b"0123456789"))
        });
        let request = guard(Request::new(Body::from_stream(chunks)), bounds).map_err(|error| error.0)?;
        read(request.into_body()).await.map(|bytes| bytes.len()).map_err(|error| error.0)
    }

    #[tokio::test(start_paused = true)]
    async fn a_streamed_body_may_take_long_if_each_chunk_comes_in_time() {
        let whole = Bounds { max: 1000, time: Duration::from_millis(2500), each_chunk: false };
        let each = Bounds { each_chunk: true, ..whole };
        let slow = Bounds { time: Duration::from_millis(900), ..each };
        let large = Bounds { max: 99, ..each };
        assert_eq!(read_chunks(10, each).await.ok(), Some(100));
        for (bounds, code) in [(whole, "BODY_TIMEOUT"), (slow, "BODY_TIMEOUT"), (large, "BODY_TOO_LARGE")] {
            assert_eq!(read_chunks(10, bounds).await.unwrap_err().code, code, "{bounds:?}");
        }
    }
}
