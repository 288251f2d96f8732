//! What [`Queue`] promises, case by case.

use std::time::Duration;

use domain::{JobId, WorkspaceId};
use uuid::Uuid;

use super::{Case, cases};
use crate::{Message, Queue};

mod delivery;

/// What the queue under test can do.
#[derive(Clone, Copy, Debug)]
pub struct QueueOptions {
    /// The shortest delay or visibility that it tells from none: a second for SQS.
    pub unit: Duration,
    /// Whether tenants take turns. Emulators of SQS know no fair queues.
    pub takes_turns: bool,
    /// Whether messages go to the dead letters after [`crate::queue::MAX_RECEIVES`] (a queue made without a redrive
    /// policy keeps them for ever).
    pub has_dead_letters: bool,
}

pub(super) fn cases<'a>() -> Vec<Case<'a, (&'a dyn Queue, QueueOptions)>> {
    cases! {
        delivery { a_message_is_delivered_once_and_acked }
    }
}

/// How long to wait for what must come.
const PATIENCE: Duration = Duration::from_secs(10);
/// A visibility that doesn't end during a case.
const LONG: Duration = Duration::from_secs(600);

/// Takes out whatever an earlier case left, then gives a message of a tenant of its own.
async fn start((queue, options): (&dyn Queue, QueueOptions)) -> Message {
    loop {
        let left = queue.receive(10, LONG, options.unit).await.expect("receive");
        if left.is_empty() {
            break;
        }
        for delivery in left {
            queue.ack(&delivery.receipt).await.expect("ack");
        }
    }
    message(WorkspaceId::from_random(Uuid::new_v4().into_bytes()))
}

/// A message about a new job of this tenant.
fn message(workspace_id: WorkspaceId) -> Message {
    Message { job_id: JobId::from_random(Uuid::new_v4().as_u64_pair().1), workspace_id }
}
