//! The janitor, with a clock that is moved by hand.
#![allow(clippy::unwrap_used, reason = "a test that can't go on says where")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use app::functions::NewFunction;
use app::invocations::Invoked;
use app::users::NewUser;
use app::{App, PageRequest};
use async_trait::async_trait;
use bytes::Bytes;
use domain::function::{Checked, CodeFault, Handler, Module};
use domain::job::Outcome;
use domain::{ExecutionType, Function, FunctionId, Language, Logs, Settings, Timestamp, UserId};
use localstack::files::FileBlobs;
use localstack::sqlite::{Database, QueueConfig};
use ports::{Clock, Draft, Invocation, Parts, Runtime, RuntimeError};

struct ManualClock(AtomicI64);

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// Answers each event with itself.
struct Echo;

#[async_trait]
impl Runtime for Echo {
    async fn check(&self, _: Draft<'_>) -> Result<Result<Checked, CodeFault>, RuntimeError> {
        Ok(Ok(Checked { module: Module::Python, handler: Handler::default() }))
    }

    async fn deploy(&self, _: &Function) -> Result<Result<(), CodeFault>, RuntimeError> {
        Ok(Ok(()))
    }

    async fn invoke(&self, invocation: Invocation) -> Result<Outcome, RuntimeError> {
        let result = Ok(String::from_utf8(invocation.event.to_vec()).unwrap());
        Ok(Outcome { result, logs: Logs::default(), duration: 0.1, cold_start: false })
    }

    async fn remove(&self, _: FunctionId) -> Result<(), RuntimeError> {
        Ok(())
    }

    async fn health(&self) -> Result<String, RuntimeError> {
        Ok("echo".into())
    }
}

struct Home {
    app: Arc<App>,
    clock: Arc<ManualClock>,
    database: Database,
    directory: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::open(directory.path()).unwrap();
        let clock = Arc::new(ManualClock(AtomicI64::new(1_700_000_000_000)));
        let parts = Parts {
            table: database.table(),
            blobs: Arc::new(FileBlobs::open(directory.path()).unwrap()),
            queue: database.queue(QueueConfig::default()),
            runtime: Arc::new(Echo),
            clock: clock.clone(),
        };
        Self { app: Arc::new(App::new(parts, app::Config::default())), clock, database, directory }
    }

    fn pass(&self, time: Duration) {
        self.clock.0.fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::Relaxed);
    }

    async fn sweep(&self) {
        while self.app.sweep().await.unwrap() {}
    }

    async fn user(&self) -> UserId {
        let new = NewUser { username: "ada".into(), name: "Ada".into(), password: "password1".into() };
        self.app.register("192.0.2.1", new).await.unwrap().id
    }

    async fn function(&self, owner: UserId, execution_type: ExecutionType) -> Function {
        let workspace = self.app.create_workspace(owner, "w", None).await.unwrap();
        let new = NewFunction {
            workspace_id: workspace.id,
            name: "f".into(),
            description: String::new(),
            language: Language::Python,
            code: "def handler(event): return event".into(),
            execution_type,
            endpoint: None,
            public: false,
            http_methods: None,
            runtime_label: None,
            settings: Settings::default(),
        };
        self.app.create_function(owner, new).await.unwrap()
    }

    /// Every partition key in the table.
    fn partitions(&self) -> Vec<String> {
        self.database.close();
        let file = self.directory.path().join("function-runner.db");
        let connection = rusqlite::Connection::open(file).unwrap();
        let mut statement = connection.prepare("SELECT pk FROM items ORDER BY pk").unwrap();
        let keys = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        keys.map(|key| key.unwrap().split('#').next().unwrap().to_owned()).collect()
    }
}

fn files_in(directory: &Path) -> usize {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| if entry.path().is_dir() { files_in(&entry.path()) } else { 1 }).sum()
}

#[tokio::test]
async fn a_deleted_workspace_leaves_nothing_behind() {
    let home = Home::new();
    let user = home.user().await;
    let function = home.function(user, ExecutionType::Sync).await;
    let large = Bytes::from(format!("\"{}\"", "x".repeat(200_000)));
    for event in [Bytes::from_static(b"1"), large] {
        home.app.invoke_as_user(user, function.id, event).await.unwrap();
    }
    home.app.create_auth_key(user, function.workspace_id, 1).await.unwrap();
    let blobs = home.directory.path().join("blobs");
    assert_eq!(files_in(&blobs), 3, "code, a large input, a large output");

    home.app.delete_workspace(user, function.workspace_id).await.unwrap();
    home.sweep().await;
    assert_eq!(files_in(&blobs), 0);
    // Once more when nothing that ran then can be under way.
    home.pass(Duration::from_secs(21 * 60));
    home.sweep().await;
    // The count of registrations expires by itself.
    assert_eq!(home.partitions(), ["REGISTER", "USER", "USERNAME"]);
}

#[tokio::test]
async fn a_run_that_ends_after_its_function_was_swept_is_swept_too() {
    let home = Home::new();
    let user = home.user().await;
    let function = home.function(user, ExecutionType::Async).await;
    let accepted = home.app.invoke_as_user(user, function.id, Bytes::from_static(b"1")).await.unwrap();
    let Invoked::Accepted(job) = accepted else { panic!("an ASYNC run is accepted") };
    home.app.delete_workspace(user, function.workspace_id).await.unwrap();
    home.sweep().await;
    // What a run under way would write: its result, for a function that is no more.
    let mut late = *job;
    late.finish(domain::JobStatus::Success, home.clock.now());
    assert!(home.app.store().add_job(&late, ports::Durability::Crash).await.unwrap());
    home.pass(Duration::from_secs(21 * 60));
    home.sweep().await;
    assert_eq!(home.partitions(), ["REGISTER", "USER", "USERNAME"]);
}

#[tokio::test]
async fn a_job_whose_message_was_lost_is_queued_again_when_it_is_due() {
    let home = Home::new();
    let user = home.user().await;
    let function = home.function(user, ExecutionType::Async).await;
    home.app.invoke_as_user(user, function.id, Bytes::from_static(b"1")).await.unwrap();
    assert_eq!(home.app.requeue(app::janitor::Look::Due).await.unwrap(), 0, "not yet");
    home.pass(domain::job::FIRST_LOOK + Duration::from_secs(1));
    assert_eq!(home.app.requeue(app::janitor::Look::Due).await.unwrap(), 1);
    assert_eq!(home.app.requeue(app::janitor::Look::Due).await.unwrap(), 0, "not at every look");
    home.pass(domain::job::QUEUE_PATIENCE + Duration::from_secs(1));
    assert_eq!(home.app.requeue(app::janitor::Look::Due).await.unwrap(), 1);
    let page = PageRequest { limit: 10, after: None };
    let (jobs, total) = home.app.jobs(user, function.id, None, page).await.unwrap();
    assert_eq!((jobs.items.len(), total), (1, 1));
}

#[tokio::test]
async fn old_answers_to_idempotency_keys_are_removed() {
    let home = Home::new();
    let blobs = home.app.store().blobs();
    let today = home.clock.now();
    let key = |day: Timestamp| format!("{}/x", app::janitor::kept_answers(day));
    let two_days_ago = today.minus(Duration::from_secs(2 * 24 * 3600));
    for day in [today, two_days_ago] {
        blobs.put(&key(day), Bytes::from_static(b"answer")).await.unwrap();
    }
    home.sweep().await;
    assert!(blobs.get(&key(today)).await.unwrap().is_some());
    assert!(blobs.get(&key(two_days_ago)).await.unwrap().is_none());
}
