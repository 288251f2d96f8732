//! One machine's parts, around a clock that is moved by hand.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use app::functions::{FunctionChanges, NewFunction};
use app::{NewUser, Quotas, Services, Store};
use blobs::FileBlobs;
use domain::{ExecutionType, Function, UserId};
use ports::Parts;
use ports::connections::NoConnections;
use ports::memory::ManualClock;
use sqlite::{Database, QueueConfig};
use testkit::{Echo, new_function};

pub(crate) struct Home {
    pub(crate) app: Arc<Services>,
    pub(crate) store: Store,
    pub(crate) clock: Arc<ManualClock>,
    database: Database,
    pub(crate) directory: tempfile::TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self::with(Quotas::default())
    }

    pub(crate) fn with(quotas: Quotas) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::open(directory.path()).unwrap();
        let clock = Arc::<ManualClock>::default();
        let parts = parts(&database, &directory, &clock);
        let config = app::Config { quotas, ..app::Config::default() };
        let store = Store::new(parts.table.clone(), parts.blobs.clone());
        Self { app: Arc::new(Services::new(parts, config)), store, clock, database, directory }
    }

    pub(crate) fn parts(&self) -> Parts {
        parts(&self.database, &self.directory, &self.clock)
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }

    pub(crate) async fn sweep(&self) {
        while self.app.janitor.sweep().await.unwrap() {}
    }

    pub(crate) async fn user(&self) -> UserId {
        let new = NewUser { username: "ada".into(), name: "Ada".into(), password: "password1".into() };
        self.app.accounts.register("192.0.2.1", new).await.unwrap().id
    }

    pub(crate) async fn function(&self, owner: UserId, execution_type: ExecutionType) -> Function {
        let workspace = self.app.workspaces.create(owner, "w", None).await.unwrap();
        let new = NewFunction { execution_type, ..new_function(workspace.id, "f") };
        self.app.functions.create(owner, new).await.unwrap()
    }

    /// Every partition key in the table.
    pub(crate) fn partitions(&self) -> Vec<String> {
        self.database.close();
        let file = self.directory.path().join("function-runner.db");
        let connection = rusqlite::Connection::open(file).unwrap();
        let mut statement = connection.prepare("SELECT pk FROM items ORDER BY pk").unwrap();
        let keys = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        keys.map(|key| key.unwrap().split('#').next().unwrap().to_owned()).collect()
    }
}

fn parts(database: &Database, directory: &tempfile::TempDir, clock: &Arc<ManualClock>) -> Parts {
    Parts {
        table: database.table(),
        blobs: Arc::new(FileBlobs::open(directory.path()).unwrap()),
        queue: database.queue(QueueConfig::default()),
        runtime: Arc::new(Echo::default()),
        connections: Arc::new(NoConnections),
        clock: clock.clone(),
    }
}

pub(crate) fn files_in(directory: &Path) -> usize {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| if entry.path().is_dir() { files_in(&entry.path()) } else { 1 }).sum()
}

pub(crate) fn changes(code: &str) -> FunctionChanges {
    FunctionChanges { code: Some(code.to_owned()), ..FunctionChanges::default() }
}
