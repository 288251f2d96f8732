//! The workers: what SQS and a Lambda are on AWS.

use std::collections::HashMap;
use std::num::NonZero;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use app::App;
use app::work::Disposition;
use domain::WorkspaceId;
use ports::{Delivery, PortError, Queue};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, info_span, warn};

/// How long a message stays hidden: longer than any lease, since only this process could work on it meanwhile, and a
/// server that starts after a crash shows all of them at once.
const VISIBILITY: Duration = Duration::from_secs(20 * 60);
/// How long one look at the queue waits.
const WAIT: Duration = Duration::from_secs(20);
/// How long a job that is short keeps its turn, and how long others wait for one before they go on without.
const TURN: Duration = Duration::from_millis(1);
const PATIENCE: Duration = Duration::from_millis(5);
/// For how long after jobs of two workspaces came one after the other that is expected again.
const SHARED: Duration = Duration::from_secs(1);
/// When to look again after the queue, or a part of the platform, was away.
const PAUSE: Duration = Duration::from_secs(1);

/// Works until `stopping`, on `at_once` jobs at most; returns when those begun are over.
pub(super) async fn work(app: Arc<App>, queue: Arc<dyn Queue>, stopping: CancellationToken, at_once: usize) {
    let places = Arc::new(Semaphore::new(at_once));
    let turns = Arc::new(Turns::new());
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
            let (app, queue, turns) = (app.clone(), queue.clone(), turns.clone());
            let span = info_span!("job", job = %delivery.message.job_id);
            jobs.spawn(
                async move {
                    one(&app, queue.as_ref(), &turns, delivery).await;
                    drop(place);
                }
                .instrument(span),
            );
        }
    }
    jobs.close();
    jobs.wait().await;
}

/// Turns to work, one for every two processors, while more than one workspace has jobs: of a backlog, little is under way
/// at once then, so that another workspace's job meets short queues at every step of its way.
struct Turns {
    free: Semaphore,
    hands: Mutex<Hands>,
}

struct Hands {
    /// How many jobs of each workspace are in hand.
    jobs: HashMap<WorkspaceId, usize>,
    /// Whose the last one was that was taken, and until when another's is expected again.
    last: Option<WorkspaceId>,
    shared_until: Instant,
}

/// A job in hand.
struct InHand<'a> {
    turns: &'a Turns,
    workspace: WorkspaceId,
}

impl Turns {
    fn new() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        let hands = Hands { jobs: HashMap::new(), last: None, shared_until: Instant::now() };
        Self { free: Semaphore::new(processors.div_ceil(2)), hands: Mutex::new(hands) }
    }

    fn hands(&self) -> MutexGuard<'_, Hands> {
        self.hands.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a job in hand, and says whether it needs a turn. Its workspace's only one does not.
    fn take(&self, workspace: WorkspaceId) -> (InHand<'_>, bool) {
        let (mut hands, now) = (self.hands(), Instant::now());
        if hands.last.replace(workspace).is_some_and(|last| last != workspace) {
            hands.shared_until = now + SHARED;
        }
        let shared = hands.shared_until > now;
        let count = hands.jobs.entry(workspace).or_default();
        *count += 1;
        (InHand { turns: self, workspace }, shared && *count > 1)
    }
}

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        let mut hands = self.turns.hands();
        if let Some(count) = hands.jobs.get_mut(&self.workspace) {
            *count -= 1;
            if *count == 0 {
                hands.jobs.remove(&self.workspace);
            }
        }
    }
}

async fn one(app: &App, queue: &dyn Queue, turns: &Turns, delivery: Delivery) {
    let Delivery { message, receipt, .. } = delivery;
    let (_in_hand, waits) = turns.take(message.workspace_id);
    let turn = if waits { timeout(PATIENCE, turns.free.acquire()).await.ok() } else { None };
    let mut work = pin!(app.work(&message));
    let worked = match timeout(TURN, &mut work).await {
        Ok(worked) => worked,
        Err(_) => {
            drop(turn);
            work.await
        }
    };
    let disposition = worked.unwrap_or_else(|error| {
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
