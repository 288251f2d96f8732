//! A process of the platform: workers and a janitor around an [`Services`]. It dies without a word, or stops as it should.

use std::sync::Arc;
use std::time::Duration;

use app::janitor::Scope;
use app::worker::Disposition;
use app::{Config, Services};
use ports::connections::NoConnections;
use ports::memory::MemoryBlobs;
use ports::{Clock, Parts, Queue};
use tokio::task::JoinSet;

use super::queue::StormyQueue;
use super::runtime::StormyRuntime;
use super::table::StormyTable;
use super::world::{Skewed, World};

/// What outlives a process.
pub(crate) struct Outside {
    pub(crate) world: Arc<World>,
    pub(crate) table: Arc<StormyTable>,
    pub(crate) blobs: Arc<MemoryBlobs>,
    pub(crate) queue: Arc<StormyQueue>,
    /// Whether there is but one process, which knows that nobody else has jobs.
    pub(crate) one_machine: bool,
}

pub(crate) struct Process {
    pub(crate) app: Arc<Services>,
    pub(crate) clock: Arc<Skewed>,
    /// Everything that ends with it.
    pub(crate) tasks: JoinSet<()>,
}

const WORKERS: usize = 3;
const JANITOR: Duration = Duration::from_secs(30);
/// What a SYNC run may take where the process that answers the caller stops once it has.
const GATEWAY: Duration = Duration::from_secs(29);

impl Process {
    pub(crate) fn start(outside: &Outside, clock: Arc<Skewed>) -> Self {
        let runtime = StormyRuntime { world: outside.world.clone(), table: outside.table.clone() };
        let parts = Parts {
            table: outside.table.clone(),
            blobs: outside.blobs.clone(),
            queue: outside.queue.clone(),
            runtime: Arc::new(runtime),
            connections: Arc::new(NoConnections),
            clock: clock.clone(),
        };
        // Elsewhere than on one machine, SYNC runs that may outlast the gateway go through the queue.
        let direct_limit = (!outside.one_machine && outside.world.roll(2) == 0).then_some(GATEWAY);
        let config = Config { direct_limit, ..Config::default() };
        let app = Arc::new(Services::with_entropy(parts, config, outside.world.clone()));
        let mut tasks = JoinSet::new();
        // Shorter than a lease now and then, so that two have the same message.
        let visibility = Duration::from_secs(30 + outside.world.roll(600));
        for _ in 0..WORKERS {
            tasks.spawn(work(app.clone(), outside.queue.clone(), visibility));
        }
        let first = if outside.one_machine { Scope::LeftBefore(clock.now()) } else { Scope::Due };
        tasks.spawn(sweep(app.clone(), first));
        Self { app, clock, tasks }
    }

    /// `kill -9`.
    pub(crate) async fn kill(mut self) {
        self.tasks.abort_all();
        // Runs that the app began on tasks of their own end where they next wait, as they would have in the middle of it.
        self.app.background.break_off().await;
        while self.tasks.join_next().await.is_some() {}
    }

    /// As the server does at SIGTERM.
    pub(crate) async fn stop(mut self, outside: &Outside) {
        self.app.background.break_off().await;
        if outside.one_machine {
            // Should it fail, the next start makes up for it.
            let _ = self.app.janitor.requeue(Scope::Stopping).await;
        }
        self.tasks.abort_all();
        while self.tasks.join_next().await.is_some() {}
    }
}

async fn work(app: Arc<Services>, queue: Arc<StormyQueue>, visibility: Duration) {
    loop {
        let Ok(deliveries) = queue.receive(1, visibility, Duration::from_secs(3600)).await else { continue };
        for delivery in deliveries {
            let done = app.worker.work(&delivery.message).await;
            // What can't be settled is delivered again.
            let _ = match done.unwrap_or(Disposition::Release(Duration::from_secs(1))) {
                Disposition::Ack => queue.ack(&delivery.receipt).await,
                Disposition::Release(after) => queue.release(&delivery.receipt, after).await,
                Disposition::DeadLetter => queue.dead_letter(&delivery.receipt, &delivery.message).await,
            };
        }
    }
}

async fn sweep(app: Arc<Services>, first: Scope) {
    let mut scope = first;
    loop {
        if app.janitor.requeue(scope).await.is_ok() {
            scope = Scope::Due;
        }
        // Should it fail, the next look makes up for it.
        let _ = app.janitor.sweep().await;
        tokio::time::sleep(JANITOR).await;
    }
}
