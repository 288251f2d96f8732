//! One machine's parts, behind a process that dies at a step.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use app::Services;
use app::worker::Disposition;
use async_trait::async_trait;
use blobs::FileBlobs;
use bytes::Bytes;
use domain::Timestamp;
use ports::connections::NoConnections;
use ports::memory::ManualClock;
use ports::{
    Blobs, Change, Clock, Condition, Delivery, Durability, Item, Key, Message, Page, Parts, PortError, Query,
    Queue, Table, TableError, Write,
};
use sqlite::{Database, QueueConfig};
use testkit::Echo;
use tokio::sync::Notify;

/// At which step of what it asks of its parts a process dies.
#[derive(Clone)]
pub(crate) struct Faults(Arc<Inner>);

struct Inner {
    left: AtomicI64,
    after: bool,
    met: AtomicBool,
    death: Notify,
}

impl Faults {
    pub(crate) fn none() -> Self {
        Self::at(u64::MAX >> 1, false)
    }

    /// Before this step is done, or after.
    pub(crate) fn at(step: u64, after: bool) -> Self {
        let left = AtomicI64::new(i64::try_from(step).unwrap_or(i64::MAX));
        Self(Arc::new(Inner { left, after, met: AtomicBool::new(false), death: Notify::new() }))
    }

    pub(crate) fn was_met(&self) -> bool {
        self.0.met.load(Ordering::SeqCst)
    }

    /// What `request` comes to, if the process lives to answer it.
    pub(crate) async fn until_death<T>(&self, request: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.0.death.notified() => None,
            answer = request => Some(answer),
        }
    }

    /// Does a step. What a dead process asks is never answered.
    async fn step<T>(&self, work: impl Future<Output = T>) -> T {
        if self.was_met() {
            std::future::pending::<()>().await;
        }
        if self.0.left.fetch_sub(1, Ordering::SeqCst) != 0 {
            return work.await;
        }
        self.0.met.store(true, Ordering::SeqCst);
        if self.0.after {
            work.await;
        }
        self.0.death.notify_one();
        std::future::pending().await
    }
}

struct Mortal<T: ?Sized> {
    port: Arc<T>,
    faults: Faults,
}

#[async_trait]
impl Table for Mortal<dyn Table> {
    async fn get(&self, key: &Key) -> Result<Option<Item>, TableError> {
        self.faults.step(self.port.get(key)).await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, TableError> {
        self.faults.step(self.port.get_many(keys)).await
    }

    async fn query(&self, query: &Query) -> Result<Page, TableError> {
        self.faults.step(self.port.query(query)).await
    }

    async fn any_partition(&self, prefix: &str) -> Result<bool, TableError> {
        self.faults.step(self.port.any_partition(prefix)).await
    }

    async fn write(&self, writes: Vec<Write>, durability: Durability) -> Result<(), TableError> {
        self.faults.step(self.port.write(writes, durability)).await
    }

    async fn update(&self, key: Key, changes: Vec<Change>, condition: Condition) -> Result<Item, TableError> {
        self.faults.step(self.port.update(key, changes, condition)).await
    }

    async fn health(&self) -> Result<(), TableError> {
        self.port.health().await
    }
}

#[async_trait]
impl Blobs for Mortal<dyn Blobs> {
    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), PortError> {
        self.faults.step(self.port.put(key, bytes)).await
    }

    async fn sync(&self, key: &str) -> Result<(), PortError> {
        self.faults.step(self.port.sync(key)).await
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>, PortError> {
        self.faults.step(self.port.get(key)).await
    }

    async fn delete_prefix(&self, prefix: &str) -> Result<(), PortError> {
        self.faults.step(self.port.delete_prefix(prefix)).await
    }

    async fn health(&self) -> Result<(), PortError> {
        self.port.health().await
    }
}

#[async_trait]
impl Queue for Mortal<dyn Queue> {
    async fn send(&self, message: &Message, delay: Duration) -> Result<(), PortError> {
        self.faults.step(self.port.send(message, delay)).await
    }

    async fn receive(
        &self,
        max: usize,
        hidden: Duration,
        wait: Duration,
    ) -> Result<Vec<Delivery>, PortError> {
        self.port.receive(max, hidden, wait).await
    }

    async fn ack(&self, receipt: &str) -> Result<(), PortError> {
        self.port.ack(receipt).await
    }

    async fn release(&self, receipt: &str, delay: Duration) -> Result<(), PortError> {
        self.port.release(receipt, delay).await
    }

    async fn dead_letter(&self, receipt: &str, message: &Message) -> Result<(), PortError> {
        self.port.dead_letter(receipt, message).await
    }

    async fn health(&self) -> Result<(), PortError> {
        self.port.health().await
    }
}

/// What outlives a process.
pub(crate) struct Home {
    pub(crate) table: Arc<dyn Table>,
    pub(crate) runtime: Arc<Echo>,
    blobs: Arc<dyn Blobs>,
    queue: Arc<dyn Queue>,
    clock: Arc<ManualClock>,
    directory: tempfile::TempDir,
    _database: Database,
}

impl Home {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::open(directory.path()).unwrap();
        Self {
            table: database.table(),
            runtime: Arc::default(),
            blobs: Arc::new(FileBlobs::open(directory.path()).unwrap()),
            queue: database.queue(QueueConfig::default()),
            clock: Arc::default(),
            directory,
            _database: database,
        }
    }

    /// A process that dies so.
    pub(crate) fn app(&self, faults: Faults) -> Arc<Services> {
        let parts = Parts {
            table: Arc::new(Mortal { port: self.table.clone(), faults: faults.clone() }),
            blobs: Arc::new(Mortal { port: self.blobs.clone(), faults: faults.clone() }),
            queue: Arc::new(Mortal { port: self.queue.clone(), faults }),
            runtime: self.runtime.clone(),
            connections: Arc::new(NoConnections),
            clock: self.clock.clone(),
        };
        Arc::new(Services::new(parts, app::Config::default()))
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }

    pub(crate) async fn write(&self, writes: Vec<Write>) {
        self.table.write(writes, Durability::Crash).await.unwrap();
    }

    /// Works on what is queued, until nothing is.
    pub(crate) async fn work(&self, app: &Services) {
        loop {
            let hidden = Duration::from_secs(60);
            let deliveries = self.queue.receive(1, hidden, Duration::from_millis(20)).await.unwrap();
            let Some(delivery) = deliveries.first() else { return };
            match app.worker.work(&delivery.message).await.unwrap() {
                Disposition::Ack => self.queue.ack(&delivery.receipt).await.unwrap(),
                other => panic!("{other:?} of {delivery:?}"),
            }
        }
    }

    /// Sweeps now, and once more when nothing that ran can be under way.
    pub(crate) async fn sweep(&self, app: &Services) {
        while app.janitor.sweep().await.unwrap() {}
        self.pass(Duration::from_secs(21 * 60));
        while app.janitor.sweep().await.unwrap() {}
    }

    /// The keys of all blobs.
    pub(crate) fn blobs(&self) -> Vec<String> {
        let root = self.directory.path().join("blobs");
        let mut keys = Vec::new();
        collect(&root, &root, &mut keys);
        keys.sort();
        keys
    }
}

fn collect(root: &Path, at: &PathBuf, keys: &mut Vec<String>) {
    for entry in std::fs::read_dir(at).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(root, &path, keys);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap();
            keys.push(name.trim_end_matches('~').to_owned());
        }
    }
}
