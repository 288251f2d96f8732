//! Messages of kinds that the workers do not know.

use std::sync::Arc;
use std::time::Duration;

use domain::{JobId, JobKind, WorkspaceId};
use ports::{Message, Queue};
use tokio::time::Instant;

use super::process::{Outside, Process};
use super::queue::StormyQueue;
use super::table::StormyTable;
use super::world::{Skewed, World};

#[tokio::test(start_paused = true)]
async fn a_message_of_an_unknown_kind_is_shown_again_and_is_a_dead_letter_in_the_end() {
    let world = Arc::new(World::new(1));
    world.calm_down();
    let outside = Outside {
        table: Arc::new(StormyTable::new(world.clone())),
        queue: Arc::new(StormyQueue::new(world.clone())),
        blobs: Arc::default(),
        one_machine: true,
        world,
    };
    let process = Process::start(&outside, Arc::new(Skewed::new(Instant::now(), 0)));
    let kind = JobKind::Other("training".to_owned());
    let message = Message { kind, id: JobId(7), tenant: WorkspaceId::from_random([1; 16]) };
    outside.queue.send(&message, Duration::ZERO).await.expect("it is calm");
    // The workers' waits end after an hour, and nothing else wakes the queue.
    tokio::time::sleep(Duration::from_secs(3 * 3600)).await;
    process.kill().await;
    let met = outside.world.met();
    assert_eq!(outside.queue.len(), 0);
    assert_eq!((met.get("dead letter"), met.get("settled")), (Some(&1), Some(&10)), "{met:?}");
}
