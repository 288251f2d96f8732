//! Time that this process could have used. A machine that sleeps, or a server that is stopped for a while, comes back to
//! deadlines that have passed without anybody having had the time until then.

use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, timeout};

/// The most that counts of a time in which nothing was heard of the clock.
pub(crate) const STRETCH: Duration = Duration::from_millis(250);

/// What comes of the work, if it does so within this time awake.
pub(crate) async fn within<F: Future>(time: Duration, work: F) -> Option<F::Output> {
    let mut work = pin!(work);
    let mut left = time;
    loop {
        let stretch = left.min(STRETCH);
        if let Ok(done) = timeout(stretch, &mut work).await {
            return Some(done);
        }
        left -= stretch;
        if left.is_zero() {
            return None;
        }
    }
}

/// By how much the process overslept, that was to wake at `due`: nothing where it is late as any busy one may be.
pub(crate) fn overslept(due: Instant, now: Instant) -> Duration {
    let late = now.saturating_duration_since(due);
    if late > STRETCH { late } else { Duration::ZERO }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn sleep_does_not_count() {
        let slow = async |seconds| tokio::time::sleep(Duration::from_secs(seconds)).await;
        assert_eq!(within(Duration::from_secs(10), slow(9)).await, Some(()));
        let begun = Instant::now();
        assert_eq!(within(Duration::from_secs(10), slow(11)).await, None);
        assert!(begun.elapsed() >= Duration::from_secs(10));
        // A clock that jumps while nobody is woken: one stretch of it counts.
        let jumps = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            tokio::time::advance(Duration::from_secs(60)).await;
            tokio::time::sleep(Duration::from_secs(5)).await;
        };
        assert_eq!(within(Duration::from_secs(10), jumps).await, Some(()));
        let now = Instant::now();
        assert_eq!(overslept(now, now + STRETCH), Duration::ZERO);
        assert_eq!(overslept(now, now + 2 * STRETCH), 2 * STRETCH);
    }
}
