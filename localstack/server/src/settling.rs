//! What becomes of a message must reach the queue: until then the message is in this server's hands, hidden from all, and
//! counts among those that its workspace may have there. A disk that was full for a moment must not make that minutes.

use std::time::Duration;

use ports::PortError;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// When to try again.
const PAUSE: Duration = Duration::from_secs(1);

/// Asks the queue until it does what it is asked, or until `stopping`: the next start shows all messages again.
pub(crate) async fn until_settled<F>(stopping: &CancellationToken, mut ask: impl FnMut() -> F)
where
    F: Future<Output = Result<(), PortError>>,
{
    let mut told = false;
    while let Err(error) = ask().await {
        if stopping.is_cancelled() {
            return warn!(%error, "the queue could not record what became of its messages; it will deliver them again after the next start");
        }
        if !std::mem::replace(&mut told, true) {
            warn!(%error, "the queue could not record what became of its messages; it is asked again every second until it can");
        }
        tokio::select! {
            () = stopping.cancelled() => {}
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_is_asked_until_it_works_or_nobody_needs_it() {
        for (fails, stopped, asked) in [(0, false, 1), (3, false, 4), (3, true, 1)] {
            let stopping = CancellationToken::new();
            if stopped {
                stopping.cancel();
            }
            let tries = Cell::new(0);
            let ask = || {
                tries.set(tries.get() + 1);
                std::future::ready(if tries.get() > fails {
                    Ok(())
                } else {
                    Err(PortError::new("queue", "full"))
                })
            };
            until_settled(&stopping, ask).await;
            assert_eq!(tries.get(), asked, "{fails} failures, stopping: {stopped}");
        }
    }
}
