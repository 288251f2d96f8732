//! Work that outlives the request that began it.

use std::pin::Pin;
use std::task::{Context, Poll};

use domain::{Error, Result};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TrackedFuture;
use tracing::Instrument;

/// What this process has begun and not ended yet. Cheap to clone: all clones are of the same work.
#[derive(Clone, Default)]
pub struct Background {
    tasks: TaskTracker,
    stopping: CancellationToken,
}

impl Background {
    /// The work, counted among what [`drained`](Self::drained) waits for. It goes on in a task of its own if it is
    /// dropped before its end.
    pub(crate) fn go_on<F>(&self, work: F) -> GoesOn<TrackedFuture<F>>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        GoesOn(Some(Box::pin(self.tasks.track_future(work))))
    }

    /// The work, counted likewise, until the process stops. It ends when it is dropped.
    pub(crate) fn until_stopped<T, F>(&self, work: F) -> impl Future<Output = Result<T>> + use<T, F>
    where
        F: Future<Output = Result<T>>,
    {
        self.tasks.track_future(self.unless_stopping(work))
    }

    /// The work, until the process stops.
    pub(crate) fn unless_stopping<T, F>(&self, work: F) -> impl Future<Output = Result<T>> + use<T, F>
    where
        F: Future<Output = Result<T>>,
    {
        let stopping = self.stopping.clone().cancelled_owned();
        async move {
            tokio::select! {
                biased;
                done = work => done,
                () = stopping => Err(Error::unavailable("the server is stopping")),
            }
        }
    }

    /// Resolves when all runs that this process began are over.
    pub async fn drained(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Breaks off what still runs. Its jobs stay as they are recorded: see
    /// [`Scope::Stopping`](crate::janitor::Scope::Stopping).
    pub async fn break_off(&self) {
        self.stopping.cancel();
        self.drained().await;
    }
}

/// Work that goes on in a task of its own if it is dropped before its end.
pub(crate) struct GoesOn<F>(Option<Pin<Box<F>>>)
where
    F: Future<Output: Send> + Send + 'static;

impl<F> Future for GoesOn<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        // Taken out, so that what panics is not polled again.
        let Some(mut work) = self.0.take() else { return Poll::Pending };
        let polled = work.as_mut().poll(cx);
        if polled.is_pending() {
            self.0 = Some(work);
        }
        polled
    }
}

impl<F> Drop for GoesOn<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    fn drop(&mut self) {
        // Without a runtime, the process ends.
        if let (Some(work), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(work.in_current_span());
        }
    }
}
