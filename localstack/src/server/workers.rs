//! The workers: what SQS and a Lambda are on AWS.

use std::sync::Arc;
use std::time::Duration;

use app::App;
use app::work::Disposition;
use ports::{Delivery, PortError, Queue};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, info_span, warn};

/// How long a message stays hidden: longer than any lease, since only this process could work on it meanwhile, and a
/// server that starts after a crash shows all of them at once.
const VISIBILITY: Duration = Duration::from_secs(20 * 60);
/// How long one look at the queue waits.
const WAIT: Duration = Duration::from_secs(20);
/// When to look again after the queue, or a part of the platform, was away.
const PAUSE: Duration = Duration::from_secs(1);

/// Works until `stopping`, on `at_once` jobs at most; returns when those begun are over.
pub(super) async fn work(app: Arc<App>, queue: Arc<dyn Queue>, stopping: CancellationToken, at_once: usize) {
    let places = Arc::new(Semaphore::new(at_once));
    let jobs = TaskTracker::new();
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { break };
        let free = places.available_permits() + 1;
        let received = tokio::select! {
            () = stopping.cancelled() => break,
            received = queue.receive(free, VISIBILITY, WAIT) => received,
        };
        let deliveries = match received {
            Ok(deliveries) => deliveries,
            Err(error) => {
                warn!(%error, "the queue can't be read");
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
            let (app, queue) = (app.clone(), queue.clone());
            let span = info_span!("job", job = %delivery.message.job_id);
            jobs.spawn(
                async move {
                    one(&app, queue.as_ref(), delivery).await;
                    drop(place);
                }
                .instrument(span),
            );
        }
    }
    jobs.close();
    jobs.wait().await;
}

async fn one(app: &App, queue: &dyn Queue, delivery: Delivery) {
    let Delivery { message, receipt, .. } = delivery;
    let disposition = app.work(&message).await.unwrap_or_else(|error| {
        warn!(%error, "a job could not be worked on; it is tried again");
        Disposition::Release(PAUSE)
    });
    let settled: Result<(), PortError> = match disposition {
        Disposition::Ack => queue.ack(&receipt).await,
        Disposition::Release(after) => queue.release(&receipt, after).await,
        Disposition::Bury => queue.bury(&receipt, &message).await,
    };
    if let Err(error) = settled {
        warn!(%error, "a message could not be settled; it will be delivered again");
    }
}
