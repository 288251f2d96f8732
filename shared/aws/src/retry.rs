//! What an SDK's error means for whoever called, and how long to wait before another try.

use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use tokio::time::Instant;

/// What became of a request that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It was turned away for now, and not done: too many requests, or another is at the same item.
    TurnedAway,
    /// Nobody can say whether it was done: no answer, or a server's own fault.
    Unknown,
    /// It was refused, and would be again.
    Refused,
}

/// Codes of requests that were not done, and may be if tried again.
const TURNED_AWAY: &[&str] = &[
    "EC2ThrottledException",
    "OverLimit",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "TooManyRequestsException",
    "TransactionConflictException",
    "TransactionInProgressException",
];

/// What became of the request.
pub(crate) fn fate<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Fate {
    match error {
        SdkError::ConstructionFailure(_) => Fate::Refused,
        SdkError::ServiceError(answer) => {
            if answer.err().code().is_some_and(|code| TURNED_AWAY.contains(&code)) {
                Fate::TurnedAway
            } else if answer.raw().status().is_server_error() {
                Fate::Unknown
            } else {
                Fate::Refused
            }
        }
        _ => Fate::Unknown,
    }
}

/// The service's own word for what went wrong.
pub(crate) fn code<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<&str> {
    error.as_service_error().and_then(ProvideErrorMetadata::code)
}

/// What went wrong, for the log.
pub(crate) fn describe<E>(error: &SdkError<E, HttpResponse>) -> String
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match error.as_service_error() {
        Some(answer) => match (answer.code(), answer.message()) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(code), None) => code.to_owned(),
            _ => DisplayErrorContext(error).to_string(),
        },
        None => DisplayErrorContext(error).to_string(),
    }
}

/// Waits that double, each cut by a random part of up to a half so that callers who collided don't again; for as long
/// as there is time.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
    most: Duration,
    until: Instant,
}

impl Backoff {
    /// Waits of `first`, twice that … up to `most`, for `time` in all.
    pub(crate) fn new(first: Duration, most: Duration, time: Duration) -> Self {
        Self { next: first, most, until: Instant::now() + time }
    }

    /// Waits; or, where that would be past the end, returns `false` at once.
    pub(crate) async fn wait(&mut self) -> bool {
        let wait = self.next.mul_f64(0.5 + random_fraction() / 2.0);
        self.next = (self.next * 2).min(self.most);
        if Instant::now() + wait > self.until {
            return false;
        }
        tokio::time::sleep(wait).await;
        true
    }
}

/// 0 to 1. Where there is no randomness it is 1: waits are then merely not spread.
fn random_fraction() -> f64 {
    getrandom::u32().map_or(1.0, |bits| f64::from(bits) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waits_double_and_end() {
        let start = Instant::now();
        let mut backoff =
            Backoff::new(Duration::from_millis(100), Duration::from_millis(400), Duration::from_secs(2));
        let mut waits = 0;
        while backoff.wait().await {
            waits += 1;
        }
        // 100 + 200 + 400 + 400 + 400 + 400 = 1900 ms whole, half of that at the least.
        assert!((6..=11).contains(&waits), "{waits}");
        assert!(start.elapsed() <= Duration::from_secs(2));
    }
}
