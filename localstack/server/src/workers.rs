//! The workers: what SQS and a Lambda are on AWS.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use app::Worker;
use app::worker::Disposition;
use pool::Pool;
use ports::{Delivery, Queue};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, info_span, warn};

use crate::acks::Acks;
use crate::settling::until_settled;
use crate::turns::Turns;

/// How long a message stays hidden: longer than any lease, since only this process could work on it meanwhile, and a
/// server that starts after a crash shows all of them at once.
const VISIBILITY: Duration = Duration::from_secs(20 * 60);
/// How long one look at the queue waits.
const WAIT: Duration = Duration::from_secs(20);
/// How long a job keeps its turn at most.
const TURN: Duration = Duration::from_millis(1);
/// When to look again after the queue, or a part of the platform, was away.
const PAUSE: Duration = Duration::from_secs(1);

/// What they share.
struct Workers {
    worker: Arc<Worker>,
    queue: Arc<dyn Queue>,
    pool: Arc<Pool>,
    turns: Turns,
    acks: Acks,
    stopping: CancellationToken,
}

/// Works until `stopping`, on `at_once` jobs at most; returns when those begun are over.
pub(crate) async fn work(
    worker: Arc<Worker>,
    queue: Arc<dyn Queue>,
    pool: Arc<Pool>,
    stopping: CancellationToken,
    at_once: usize,
) {
    let places = Arc::new(Semaphore::new(at_once));
    let (turns, acks) = (Turns::new(), Acks::default());
    let workers = Arc::new(Workers { worker, queue, pool, turns, acks, stopping: stopping.clone() });
    let jobs = TaskTracker::new();
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { break };
        let free = places.available_permits() + 1;
        let received = tokio::select! {
            () = stopping.cancelled() => break,
            received = workers.queue.receive(free, VISIBILITY, WAIT) => received,
        };
        let deliveries = match received {
            Ok(deliveries) => deliveries,
            Err(error) => {
                warn!(%error, "the queue can't be read; will try again");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let mut place = Some(place);
        for delivery in deliveries {
            let place = match place.take() {
                Some(place) => place,
                // There were this many free, and only this loop takes them.
                None => match places.clone().acquire_owned().await {
                    Ok(place) => place,
                    Err(_) => break,
                },
            };
            let workers = workers.clone();
            let span = info_span!("job", job = %delivery.message.id);
            jobs.spawn(
                async move {
                    workers.work_on(delivery).await;
                    drop(place);
                }
                .instrument(span),
            );
        }
    }
    jobs.close();
    jobs.wait().await;
}

impl Workers {
    async fn work_on(&self, delivery: Delivery) {
        let Delivery { message, receipt, .. } = delivery;
        let in_hand = self.turns.take(message.tenant, self.pool.is_shared());
        let turn = if in_hand.waits { self.turns.begin().await } else { None };
        let mut work = pin!(self.worker.work(&message));
        let (worked, turn) = match timeout(TURN, &mut work).await {
            Ok(worked) => (worked, turn),
            Err(_) => {
                drop(turn);
                (work.await, None)
            }
        };
        drop(in_hand);
        let disposition = worked.unwrap_or_else(|error| {
            warn!(%error, "a job could not be started; will try again");
            Disposition::Release(PAUSE)
        });
        let settled = async {
            let (queue, stopping) = (self.queue.as_ref(), &self.stopping);
            match disposition {
                Disposition::Ack => self.acks.give(queue, receipt, self.turns.any_in_hand(), stopping).await,
                Disposition::Release(after) => {
                    until_settled(stopping, || queue.release(&receipt, after)).await
                }
                Disposition::DeadLetter => {
                    until_settled(stopping, || queue.dead_letter(&receipt, &message)).await
                }
            }
        };
        let rested = async {
            if let Some(turn) = turn {
                self.turns.end(turn).await;
            }
        };
        tokio::join!(settled, rested);
    }
}
