use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The time that messages are shown by: the wall clock when the database was opened, and from then on what really went
/// by, so that setting the clock neither holds messages back nor shows them early.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    wall: Duration,
    begun: Instant,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { wall: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(), begun: Instant::now() }
    }

    /// Milliseconds since the epoch.
    pub(super) fn now(&self) -> i64 {
        i64::try_from((self.wall + self.begun.elapsed()).as_millis()).unwrap_or(i64::MAX)
    }
}

/// When `delay` has gone by, no earlier. Both times are in whole milliseconds, so the one that has begun doesn't count.
pub(super) fn later(now: i64, delay: Duration) -> i64 {
    if delay.is_zero() {
        return now;
    }
    let millis = i64::try_from(delay.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX);
    now.saturating_add(millis).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_is_never_too_early() {
        // `now` is 10 for all of its millisecond, and so may be nearly 11.
        assert_eq!(later(10, Duration::ZERO), 10);
        assert_eq!(later(10, Duration::from_millis(1)), 12);
        assert_eq!(later(10, Duration::from_micros(1500)), 13);
        assert_eq!(later(10, Duration::MAX), i64::MAX);
    }
}
