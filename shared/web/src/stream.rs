//! Bodies that are read and written as they come, in routes that [`Api::streaming`](crate::Api::streaming) or
//! [`Api::upload`](crate::Api::upload) adds.

use std::time::Duration;

use axum::extract::{FromRef, FromRequest, FromRequestParts, Request};
use bytes::Bytes;
use futures::{Stream, StreamExt};
use http::request::Parts;
use http_body_util::BodyExt;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{Error, Result, Web, body};

/// A request's body, chunk by chunk. What nobody reads of it is drained when this is dropped.
pub struct BodyStream(axum::body::Body);

impl BodyStream {
    /// The next chunk; `None` at the end.
    ///
    /// # Errors
    /// 413 where it is more than the route takes, 400 where no more comes in time or the caller is gone.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>> {
        while let Some(frame) = self.0.frame().await {
            // Trailers say nothing that we ask for.
            if let Ok(bytes) = frame.map_err(body::told)?.into_data() {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }
}

impl<S: Send + Sync> FromRequest<S> for BodyStream {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Self, Error> {
        Ok(Self(request.into_body()))
    }
}

/// When a response that would go on for ever must end: the server stops, or whoever carries it will wait no longer. A
/// stream that ends by itself has no use for it.
#[derive(Clone, Debug)]
pub struct StreamEnd {
    stopping: CancellationToken,
    deadline: Option<Instant>,
}

impl StreamEnd {
    pub(crate) fn new(stopping: CancellationToken, time: Option<Duration>) -> Self {
        Self { stopping, deadline: time.map(|time| Instant::now() + time) }
    }

    /// Resolves then.
    pub async fn reached(self) {
        match self.deadline {
            Some(deadline) => drop(tokio::time::timeout_at(deadline, self.stopping.cancelled()).await),
            None => self.stopping.cancelled().await,
        }
    }

    /// The stream until then.
    pub fn cut<S: Stream>(self, stream: S) -> impl Stream<Item = S::Item> {
        stream.take_until(self.reached())
    }
}

impl<S> FromRequestParts<S> for StreamEnd
where
    S: Send + Sync,
    Web: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(_: &mut Parts, state: &S) -> Result<Self, Error> {
        let web = Web::from_ref(state);
        Ok(Self::new(web.config.stopping.clone(), web.config.stream_time))
    }
}

/// In the extensions of a response whose body is made while it is sent. Nobody may wait for its end before sending it, and
/// who asked may hang up before.
#[derive(Clone, Copy, Debug)]
pub struct Streamed;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn ends_when_the_server_stops_or_its_time_is_over() {
        let stopping = CancellationToken::new();
        let timed = StreamEnd::new(stopping.clone(), Some(Duration::from_millis(3500)));
        assert_eq!(timed.cut(seconds()).count().await, 3);
        let (end, stop) = (StreamEnd::new(stopping.clone(), None), stopping.clone());
        let stopped = end.cut(seconds().inspect(move |count| {
            if *count == 5 {
                stop.cancel()
            }
        }));
        assert_eq!(stopped.count().await, 5);
    }

    /// 1, 2, 3 …, a second apart.
    fn seconds() -> impl Stream<Item = u32> {
        futures::stream::unfold(1, |count| async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Some((count, count + 1))
        })
    }
}
