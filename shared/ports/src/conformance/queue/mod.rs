//! What [`Queue`] promises, case by case.

use std::time::{Duration, Instant};

use domain::{JobId, JobKind, WorkspaceId};
use uuid::Uuid;

use super::{Case, cases};
use crate::{Delivery, Message, Queue};

mod delivery;
mod redelivery;
mod tenants;

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

/// A queue and what it can do.
type Subject<'a> = (&'a dyn Queue, QueueOptions);

pub(super) fn cases<'a>() -> Vec<Case<'a, Subject<'a>>> {
    cases! {
        delivery {
            a_message_is_delivered_once_and_acked,
            receive_takes_no_more_than_it_may,
            every_message_is_delivered,
            a_message_keeps_its_kind,
            receive_waits_for_a_message,
            receive_ends_its_wait_without_messages,
            a_delayed_message_comes_late,
            concurrent_receivers_get_each_message_once,
        }
        redelivery {
            a_message_not_acked_is_delivered_again,
            a_released_message_is_delivered_again,
            a_released_message_may_be_delayed,
            an_old_receipt_does_nothing,
            what_is_no_receipt_is_no_error,
            a_buried_message_is_not_delivered_again,
            a_message_delivered_too_often_is_given_up,
        }
        tenants { tenants_take_turns }
    }
}

/// How long to wait for what must come.
const PATIENCE: Duration = Duration::from_secs(10);
/// A visibility that doesn't end during a case.
const LONG: Duration = Duration::from_secs(600);

/// Takes out whatever a case before left, then gives a message of a tenant of its own.
async fn start((queue, options): Subject<'_>) -> Message {
    loop {
        let left = receive(queue, LONG, options.unit).await;
        if left.is_empty() {
            return message(WorkspaceId::from_random(Uuid::new_v4().into_bytes()));
        }
        ack_all(queue, &left).await;
    }
}

/// A message about a new job of this tenant.
fn message(tenant: WorkspaceId) -> Message {
    Message { kind: JobKind::Function, id: JobId::from_random(Uuid::new_v4().as_u64_pair().1), tenant }
}

/// New messages of one new tenant.
fn messages(like: &Message, count: usize) -> Vec<Message> {
    (0..count).map(|_| message(like.tenant)).collect()
}

async fn send(queue: &dyn Queue, message: &Message) {
    queue.send(message, Duration::ZERO).await.expect("send");
}

async fn receive(queue: &dyn Queue, visibility: Duration, wait: Duration) -> Vec<Delivery> {
    queue.receive(10, visibility, wait).await.expect("receive")
}

/// The next message, which must come.
async fn next(queue: &dyn Queue, visibility: Duration) -> Delivery {
    let mut got = queue.receive(1, visibility, PATIENCE).await.expect("receive");
    assert_eq!(got.len(), 1, "one message: {got:?}");
    got.remove(0)
}

async fn ack_all(queue: &dyn Queue, deliveries: &[Delivery]) {
    let receipts: Vec<_> = deliveries.iter().map(|delivery| delivery.receipt.clone()).collect();
    queue.ack_all(&receipts).await.expect("ack");
}

/// Nothing is visible, and nothing becomes visible for a unit of time.
async fn assert_empty((queue, options): Subject<'_>, why: &str) {
    assert_eq!(receive(queue, LONG, options.unit).await, [], "{why}");
}

/// `delay` has gone by since then. SQS counts in whole seconds, so a part of the unit may be missing.
fn assert_elapsed(since: Instant, delay: Duration, options: QueueOptions) {
    let elapsed = since.elapsed();
    let tolerance = if options.unit >= Duration::from_secs(1) { options.unit } else { Duration::ZERO };
    assert!(elapsed + tolerance >= delay, "after {elapsed:?} already, not {delay:?}");
}
