//! The job queue, with SQS's rules: at least once, in no promised order, hidden while it is being worked on, and moved
//! to the dead letters after too many deliveries.

use std::time::Duration;

use async_trait::async_trait;
use domain::{JobId, JobKind, WorkspaceId};
use serde::{Deserialize, Serialize};

use crate::PortError;

/// How often a message is delivered before it goes to the dead letters. More than the platform's own attempts, so that
/// the platform gives up first and says why.
pub const MAX_RECEIVES: u32 = 10;

/// What is queued: which job is to be done. Everything else about it is in the table.
///
/// The names in `alias`, and that there was no kind, are those of the release before this one, whose messages may still wait
/// when this one starts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Message {
    /// Which of the workers' arms takes it.
    #[serde(default)]
    pub kind: JobKind,
    /// The job.
    #[serde(alias = "job_id")]
    pub id: JobId,
    /// Whose it is, so that one tenant's flood doesn't starve another (SQS: the message group of a fair queue).
    #[serde(alias = "workspace_id")]
    pub tenant: WorkspaceId,
}

/// A message in a worker's hands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// What is queued.
    pub message: Message,
    /// Names this delivery; a later delivery of the same message has another.
    pub receipt: String,
    /// How often the message has been delivered, this time included.
    pub receives: u32,
}

/// A queue of jobs.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Queues a message, to be delivered after `delay` (whole seconds, at most 15 minutes). It survives power loss, and so
    /// does what this process's table had acknowledged before.
    async fn send(&self, message: &Message, delay: Duration) -> Result<(), PortError>;

    /// Up to `max` messages, each hidden from others for `visibility`; waits up to `wait` while there are none. Where
    /// several tenants have messages, they take turns.
    async fn receive(
        &self,
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Delivery>, PortError>;

    /// Removes a delivered message for good. A receipt that is no longer good is no error.
    async fn ack(&self, receipt: &str) -> Result<(), PortError>;

    /// [`ack`](Self::ack) of each; where that is cheaper, of all at once.
    async fn ack_all(&self, receipts: &[String]) -> Result<(), PortError> {
        for receipt in receipts {
            self.ack(receipt).await?;
        }
        Ok(())
    }

    /// Shows a delivered message again after `delay`. A receipt that is no longer good is no error.
    async fn release(&self, receipt: &str, delay: Duration) -> Result<(), PortError>;

    /// Moves a delivered message to the dead letters.
    async fn dead_letter(&self, receipt: &str, message: &Message) -> Result<(), PortError>;

    /// Fails when the queue can't be reached.
    async fn health(&self) -> Result<(), PortError>;
}
