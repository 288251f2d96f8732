//! The job queue on SQS: a standard queue. Messages bear their workspace as message group, which makes it a fair queue:
//! SQS lets a tenant with few messages go ahead of one with a flood.
//!
//! Needs of IAM: to send `sqs:SendMessage`; to work `sqs:ReceiveMessage`, `sqs:DeleteMessage`,
//! `sqs:ChangeMessageVisibility`, and `sqs:SendMessage` on the dead letters; for health `sqs:GetQueueAttributes`.

use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{Message as SqsMessage, MessageSystemAttributeName};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use ports::{Delivery, Message, PortError, Queue};

use crate::retry::{code, describe};

/// The most messages that SQS hands out at once.
const MAX_MESSAGES: usize = 10;
/// The longest that SQS waits for a message, in seconds.
const MAX_WAIT: u64 = 20;
/// The longest that SQS holds a new message back, in seconds.
const MAX_DELAY: u64 = 15 * 60;
/// The longest that SQS hides a delivered message, in seconds.
const MAX_VISIBILITY: u64 = 12 * 3600;

/// [`Queue`] on SQS.
#[derive(Clone, Debug)]
pub struct SqsQueue {
    client: Client,
    queue_url: String,
    dlq_url: String,
}

/// Reads a message's body, as [`SqsQueue`] wrote it. For a worker that SQS calls (an event source mapping).
pub fn message_from_body(body: &str) -> Result<Message, PortError> {
    serde_json::from_str(body).map_err(|error| fault(format!("a message that is none of ours: {error}")))
}

impl SqsQueue {
    /// The queue at this address, and the dead letters at that.
    pub fn new(sdk: &SdkConfig, queue_url: impl Into<String>, dlq_url: impl Into<String>) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(2))
            .operation_attempt_timeout(Duration::from_secs(MAX_WAIT + 10))
            .build();
        let config = aws_sdk_sqs::config::Builder::from(sdk).timeout_config(timeouts).build();
        Self { client: Client::from_conf(config), queue_url: queue_url.into(), dlq_url: dlq_url.into() }
    }

    async fn send_to(&self, url: &str, message: &Message, delay: Option<i32>) -> Result<(), PortError> {
        let request = self
            .client
            .send_message()
            .queue_url(url)
            .message_group_id(message.tenant.to_string())
            .message_body(serde_json::to_string(message).map_err(fault)?)
            .set_delay_seconds(delay);
        request.send().await.map(drop).map_err(|error| fault(describe(&error)))
    }

    async fn delivery(&self, received: SqsMessage) -> Result<Option<Delivery>, PortError> {
        let Some(receipt) = received.receipt_handle else {
            return Err(fault("a message without a receipt"));
        };
        let receives = received
            .attributes
            .and_then(|attributes| {
                attributes.get(&MessageSystemAttributeName::ApproximateReceiveCount)?.parse().ok()
            })
            .unwrap_or(1);
        let body = received.body.unwrap_or_default();
        match message_from_body(&body) {
            Ok(message) => Ok(Some(Delivery { message, receipt, receives })),
            Err(error) => {
                // It would come back again and again: whoever looks after the dead letters decides.
                tracing::error!(%error, "moved to the dead letters");
                let request = self.client.send_message().queue_url(&self.dlq_url).message_body(body);
                request.send().await.map_err(|error| fault(describe(&error)))?;
                self.ack(&receipt).await?;
                Ok(None)
            }
        }
    }
}

#[async_trait]
impl Queue for SqsQueue {
    async fn send(&self, message: &Message, delay: Duration) -> Result<(), PortError> {
        self.send_to(&self.queue_url, message, Some(seconds(delay, MAX_DELAY))).await
    }

    async fn receive(
        &self,
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Delivery>, PortError> {
        let answer = self
            .client
            .receive_message()
            .queue_url(&self.queue_url)
            .max_number_of_messages(i32::try_from(max.clamp(1, MAX_MESSAGES)).unwrap_or(1))
            .visibility_timeout(seconds(visibility, MAX_VISIBILITY))
            .wait_time_seconds(seconds(wait, MAX_WAIT))
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .send()
            .await
            .map_err(|error| fault(describe(&error)))?;
        let mut deliveries = Vec::new();
        for received in answer.messages.unwrap_or_default() {
            deliveries.extend(self.delivery(received).await?);
        }
        Ok(deliveries)
    }

    async fn ack(&self, receipt: &str) -> Result<(), PortError> {
        let request = self.client.delete_message().queue_url(&self.queue_url).receipt_handle(receipt);
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) if is_stale(code(&error), error.as_service_error()) => Ok(()),
            Err(error) => Err(fault(describe(&error))),
        }
    }

    async fn release(&self, receipt: &str, delay: Duration) -> Result<(), PortError> {
        let request = self
            .client
            .change_message_visibility()
            .queue_url(&self.queue_url)
            .receipt_handle(receipt)
            .visibility_timeout(seconds(delay, MAX_VISIBILITY));
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) if is_stale(code(&error), error.as_service_error()) => Ok(()),
            Err(error) => Err(fault(describe(&error))),
        }
    }

    /// Sent first, then taken off the queue: a crash between the two leaves it in both, never in neither.
    async fn dead_letter(&self, receipt: &str, message: &Message) -> Result<(), PortError> {
        self.send_to(&self.dlq_url, message, None).await?;
        self.ack(receipt).await
    }

    async fn health(&self) -> Result<(), PortError> {
        let answer = self.client.get_queue_attributes().queue_url(&self.queue_url).send().await;
        answer.map(drop).map_err(|error| fault(describe(&error)))
    }
}

/// Whether an error says no more than that the receipt is no longer good.
fn is_stale(code: Option<&str>, error: Option<&impl ProvideErrorMetadata>) -> bool {
    // The query protocol's names, which some emulators still answer with, begin with `AWS.SimpleQueueService.`.
    match code.unwrap_or_default().trim_start_matches("AWS.SimpleQueueService.") {
        "ReceiptHandleIsInvalid" | "MessageNotInflight" => true,
        // "Value … for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired."
        "InvalidParameterValue" => {
            error.and_then(|e| e.message()).is_some_and(|text| text.contains("ReceiptHandle"))
        }
        _ => false,
    }
}

/// Whole seconds, never fewer than asked for, but as many as SQS takes.
fn seconds(duration: Duration, most: u64) -> i32 {
    let whole = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    i32::try_from(whole.min(most)).unwrap_or(i32::MAX)
}

fn fault(reason: impl ToString) -> PortError {
    PortError::new("queue", reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_whole_and_never_too_few() {
        assert_eq!(seconds(Duration::ZERO, 900), 0);
        assert_eq!(seconds(Duration::from_millis(1), 900), 1);
        assert_eq!(seconds(Duration::from_millis(2000), 900), 2);
        assert_eq!(seconds(Duration::from_secs(5000), 900), 900);
    }

    #[test]
    fn a_message_of_another_is_no_panic() {
        assert!(message_from_body("{}").is_err());
        assert!(message_from_body("").is_err());
    }

    #[test]
    fn a_message_of_the_release_before_is_a_run_of_a_function() {
        let tenant = domain::WorkspaceId::from_random([7; 16]);
        let body = format!(r#"{{"job_id":7,"workspace_id":"{tenant}"}}"#);
        let message = Message { kind: domain::JobKind::Function, id: domain::JobId(7), tenant };
        assert_eq!(message_from_body(&body).expect("it is one of ours"), message);
        let body = serde_json::to_string(&message).expect("it is text");
        assert_eq!(body, format!(r#"{{"kind":"function","id":7,"tenant":"{tenant}"}}"#));
    }
}
