//! Calls of DynamoDB, tried again where that is safe.

use std::future::Future;
use std::time::Duration;

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use ports::TableError;

use crate::retry::{Backoff, Fate, code, describe, fate};

/// Until when a call is tried again: two tries that nobody answers take longer. A caller behind the gateway has 29 s.
const TIME: Duration = Duration::from_secs(12);

/// Waits between tries. A conflict of two transactions is over in milliseconds.
pub(super) fn backoff() -> Backoff {
    Backoff::new(Duration::from_millis(20), Duration::from_millis(800), TIME)
}

/// When a call may be tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeat {
    /// Also where the try before may have been done: doing it twice is as good as once.
    Always,
    /// Only where the try before was certainly not done: it counts.
    IfNotDone,
}

/// Sends until there is an answer that another try would not change, or no more time.
pub(super) async fn call<T, E, F, S>(repeat: Repeat, mut send: S) -> Result<T, TableError>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    S: FnMut() -> F,
{
    let mut backoff = backoff();
    let mut maybe_done = false;
    loop {
        let error = match send().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let fate = fate(&error);
        maybe_done |= fate == Fate::Unknown;
        let again = fate == Fate::TurnedAway || (fate == Fate::Unknown && repeat == Repeat::Always);
        if again && backoff.wait().await {
            continue;
        }
        return Err(match fate {
            Fate::TurnedAway | Fate::Unknown => TableError::Unavailable(describe(&error)),
            Fate::Refused if code(&error) == Some("ConditionalCheckFailedException") => {
                if maybe_done {
                    // It may be our own try before that made the condition false: nobody can say.
                    TableError::Unavailable(
                        "no answer to a write, and its condition does not hold now".into(),
                    )
                } else {
                    TableError::Condition { index: 0 }
                }
            }
            Fate::Refused => TableError::Broken(describe(&error)),
        });
    }
}

/// Sends a transaction until there is an answer that another try would not change, or no more time. Every try must bear
/// the same token: DynamoDB then does it once.
pub(super) async fn transact<T, F, S>(mut send: S) -> Result<T, TableError>
where
    F: Future<Output = Result<T, SdkError<TransactWriteItemsError, HttpResponse>>>,
    S: FnMut() -> F,
{
    let mut backoff = backoff();
    loop {
        let error = match send().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let fault = match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                let reasons =
                    cancelled.cancellation_reasons().iter().map(|reason| reason.code().unwrap_or_default());
                cancelled_because(reasons, || describe(&error))
            }
            _ => match fate(&error) {
                Fate::TurnedAway | Fate::Unknown => TableError::Unavailable(describe(&error)),
                Fate::Refused => TableError::Broken(describe(&error)),
            },
        };
        if !matches!(fault, TableError::Unavailable(_)) || !backoff.wait().await {
            return Err(fault);
        }
    }
}

/// What a cancelled transaction means: one reason per write, `None` for those that were not to blame.
fn cancelled_because<'a>(
    reasons: impl Iterator<Item = &'a str> + Clone,
    describe: impl FnOnce() -> String,
) -> TableError {
    const PASSING: &[&str] =
        &["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded", "RequestLimitExceeded"];
    if let Some(index) = reasons.clone().position(|reason| reason == "ConditionalCheckFailed") {
        return TableError::Condition { index };
    }
    let codes = reasons.clone().collect::<Vec<_>>().join(", ");
    let text = format!("{} [{codes}]", describe());
    // A part that is refused for good (an item too large) is refused whatever else stood in the way.
    if reasons.into_iter().all(|reason| matches!(reason, "" | "None") || PASSING.contains(&reason)) {
        TableError::Unavailable(text)
    } else {
        TableError::Broken(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(reasons: &[&str]) -> TableError {
        cancelled_because(reasons.iter().copied(), || "cancelled".into())
    }

    #[test]
    fn the_first_condition_that_failed_is_named() {
        let reasons = ["None", "TransactionConflict", "ConditionalCheckFailed", "ConditionalCheckFailed"];
        assert!(matches!(judged(&reasons), TableError::Condition { index: 2 }));
    }

    #[test]
    fn conflicts_and_throttles_pass() {
        for reason in ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"] {
            assert!(matches!(judged(&["None", reason]), TableError::Unavailable(_)), "{reason}");
        }
    }

    #[test]
    fn what_is_refused_stays_refused() {
        let fault = judged(&["TransactionConflict", "ValidationError"]);
        assert!(matches!(&fault, TableError::Broken(text) if text.contains("ValidationError")), "{fault}");
    }
}
