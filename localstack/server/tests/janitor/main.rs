//! The janitor, with a clock that is moved by hand.
#![allow(clippy::unwrap_used, reason = "a test that can't go on says where")]

mod earlier;
mod home;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use app::invocations::Invoked;
use app::{PageRequest, Quotas, Services, Store};
use async_trait::async_trait;
use blobs::FileBlobs;
use bytes::Bytes;
use domain::{ExecutionType, Timestamp};
use ports::{Clock, Parts};

use home::{Home, changes, files_in};

#[tokio::test]
async fn a_deleted_workspace_leaves_nothing_behind() {
    let home = Home::new();
    let user = home.user().await;
    let function = home.function(user, ExecutionType::Sync).await;
    let large = Bytes::from(format!("\"{}\"", "x".repeat(200_000)));
    for event in [Bytes::from_static(b"1"), large] {
        home.app.invocations.invoke_as_user(user, function.id, event).await.unwrap();
    }
    home.app.auth_keys.create(user, function.workspace_id, 1).await.unwrap();
    let blobs = home.directory.path().join("blobs");
    assert_eq!(files_in(&blobs), 3, "code, a large input, a large output");

    home.app.workspaces.delete(user, function.workspace_id).await.unwrap();
    home.sweep().await;
    assert_eq!(files_in(&blobs), 0);
    // Once more when nothing that ran then can be under way.
    home.pass(Duration::from_secs(21 * 60));
    home.sweep().await;
    // The count of registrations expires by itself; what the user has is counted beside them.
    assert_eq!(home.partitions(), ["REGISTER", "USER", "USER", "USERNAME"]);
}

/// A request may have read a function just before it was removed, and look for the mark just after.
#[tokio::test]
async fn the_mark_of_a_deleted_workspace_outlives_its_functions() {
    let home = Home::new();
    let user = home.user().await;
    let function = home.function(user, ExecutionType::Sync).await;
    let table = home.store.table().clone();
    let is_marked = async || {
        let counts = table.get(&store::keys::quota(user)).await.unwrap().unwrap();
        counts.attributes.keys().any(|name| name.starts_with("gone."))
    };
    home.app.workspaces.delete(user, function.workspace_id).await.unwrap();
    home.sweep().await;
    assert!(table.get(&store::keys::function(function.id)).await.unwrap().is_none());
    assert!(is_marked().await, "the request that has read the function finds the mark");
    home.pass(Duration::from_secs(61));
    home.sweep().await;
    assert!(!is_marked().await);
}

/// Blobs of which one can't be removed.
struct Stubborn {
    blobs: FileBlobs,
    stuck: AtomicBool,
}

#[async_trait]
impl ports::Blobs for Stubborn {
    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), ports::PortError> {
        self.blobs.put(key, bytes).await
    }

    async fn sync(&self, key: &str) -> Result<(), ports::PortError> {
        self.blobs.sync(key).await
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>, ports::PortError> {
        self.blobs.get(key).await
    }

    async fn delete_prefix(&self, prefix: &str) -> Result<(), ports::PortError> {
        if prefix == "code/stuck" && self.stuck.load(Ordering::Relaxed) {
            return Err(ports::PortError::new("blobs", "it is stuck"));
        }
        self.blobs.delete_prefix(prefix).await
    }

    async fn health(&self) -> Result<(), ports::PortError> {
        self.blobs.health().await
    }
}

#[tokio::test]
async fn an_upload_that_can_not_be_removed_keeps_no_other_waiting() {
    let mut home = Home::new();
    let blobs = FileBlobs::open(home.directory.path()).unwrap();
    let blobs = Arc::new(Stubborn { blobs, stuck: true.into() });
    let parts = Parts { blobs: blobs.clone(), ..home.parts() };
    home.store = Store::new(parts.table.clone(), blobs.clone());
    home.app = Arc::new(Services::new(parts, app::Config::default()));
    let upload = async |name: String| {
        let code = vec![(format!("code/{name}"), Bytes::from_static(b"1"))];
        home.store.upload(code, false, home.clock.now()).await.unwrap();
    };
    let files = || files_in(&home.directory.path().join("blobs"));
    // At a start, and when they are overdue.
    for (at_start, left) in [(true, 1), (false, 1)] {
        upload("stuck".into()).await;
        for n in 0..20 {
            upload(format!("{n}")).await;
        }
        home.pass(Duration::from_secs(if at_start { 1 } else { 21 * 60 }));
        match at_start {
            true => home.app.janitor.take_over(home.clock.now()).await.unwrap(),
            false => home.sweep().await,
        }
        assert_eq!(files(), left, "at a start: {at_start}");
    }
    blobs.stuck.store(false, Ordering::Relaxed);
    home.pass(Duration::from_secs(61));
    home.sweep().await;
    assert_eq!(files(), 0);
    assert!(
        home.store
            .overdue_uploads(home.clock.now() + Duration::from_secs(3600), 10)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_run_that_ends_after_its_function_was_swept_is_swept_too() {
    let home = Home::new();
    let user = home.user().await;
    let function = home.function(user, ExecutionType::Async).await;
    let accepted =
        home.app.invocations.invoke_as_user(user, function.id, Bytes::from_static(b"1")).await.unwrap();
    let Invoked::Accepted(job) = accepted else { panic!("an ASYNC run is accepted") };
    home.app.workspaces.delete(user, function.workspace_id).await.unwrap();
    home.sweep().await;
    // What a run under way would write: its result, for a function that is no more.
    let mut late = *job;
    late.finish(domain::JobStatus::Success, home.clock.now());
    assert!(home.store.add_job(&mut late, ports::Durability::Crash).await.unwrap());
    home.pass(Duration::from_secs(21 * 60));
    home.sweep().await;
    // The count of registrations expires by itself; what the user has is counted beside them.
    assert_eq!(home.partitions(), ["REGISTER", "USER", "USER", "USERNAME"]);
}

#[tokio::test]
async fn a_job_whose_message_was_lost_is_queued_again_when_it_is_due() {
    let home = Home::new();
    let user = home.user().await;
    let function = home.function(user, ExecutionType::Async).await;
    home.app.invocations.invoke_as_user(user, function.id, Bytes::from_static(b"1")).await.unwrap();
    assert_eq!(home.app.janitor.requeue(app::janitor::Scope::Due).await.unwrap(), 0, "not yet");
    home.pass(domain::job::FIRST_LOOK + Duration::from_secs(1));
    assert_eq!(home.app.janitor.requeue(app::janitor::Scope::Due).await.unwrap(), 1);
    assert_eq!(home.app.janitor.requeue(app::janitor::Scope::Due).await.unwrap(), 0, "not at every look");
    home.pass(domain::job::QUEUE_PATIENCE + Duration::from_secs(1));
    assert_eq!(home.app.janitor.requeue(app::janitor::Scope::Due).await.unwrap(), 1);
    let page = PageRequest { limit: 10, after: None };
    let (jobs, total) = home.app.jobs.list(user, function.id, None, page).await.unwrap();
    assert_eq!((jobs.items.len(), total), (1, 1));
}

#[tokio::test]
async fn old_answers_to_idempotency_keys_are_removed() {
    let home = Home::new();
    let blobs = home.store.blobs();
    let (today, day) = (home.clock.now(), Duration::from_secs(24 * 3600));
    let key = |day: Timestamp| format!("{}/x", app::janitor::kept_answers(day));
    // One that an earlier release kept, and one of this.
    for day in [today, today.minus(2 * day)] {
        blobs.put(&key(day), Bytes::from_static(b"answer")).await.unwrap();
    }
    app::janitor::note_answers(home.store.table().as_ref(), today).await.unwrap();
    home.app.janitor.take_over(today).await.unwrap();
    home.pass(Duration::from_secs(3600));
    home.sweep().await;
    assert!(blobs.get(&key(today)).await.unwrap().is_some());
    assert!(blobs.get(&key(today.minus(2 * day))).await.unwrap().is_none());
    // However long the janitor is away.
    home.pass(30 * day);
    home.sweep().await;
    assert!(blobs.get(&key(today)).await.unwrap().is_none());
}

#[tokio::test]
async fn versions_beyond_the_quota_go_with_their_code_once_no_job_needs_them() {
    let home = Home::with(Quotas { versions: 2, ..Quotas::default() });
    let user = home.user().await;
    let function = home.function(user, ExecutionType::Async).await;
    let id = function.id;
    let Invoked::Accepted(job) =
        home.app.invocations.invoke_as_user(user, id, Bytes::from_static(b"1")).await.unwrap()
    else {
        panic!("an ASYNC run is accepted")
    };
    let code = |n: u32| format!("def handler(event): return {n}");
    for n in 2..=5 {
        home.app.functions.update(user, id, changes(&code(n))).await.unwrap();
    }
    let page = || PageRequest { limit: 10, after: None };
    let listed = home.app.functions.versions(user, id, page()).await.unwrap();
    assert_eq!(listed.items.iter().map(|version| version.version).collect::<Vec<_>>(), [5, 4]);
    for n in 1..=3 {
        assert_eq!(home.app.functions.rollback(user, id, n).await.unwrap_err().code, "VERSION_NOT_FOUND");
    }
    // Which are gone for their owner, but not yet for an invocation that had just read the function.
    let blobs = home.directory.path().join("blobs");
    home.sweep().await;
    assert_eq!(files_in(&blobs), 5);
    home.pass(Duration::from_secs(21 * 60));
    home.sweep().await;
    assert_eq!(files_in(&blobs), 3, "4, 5, and what the queued job needs");
    let message = ports::Message { kind: domain::JobKind::Function, id: job.id, tenant: job.workspace_id };
    assert_eq!(home.app.worker.work(&message).await.unwrap(), app::worker::Disposition::Ack);
    let done = home.app.jobs.get(user, job.id).await.unwrap().job;
    assert_eq!((done.status, done.version), (domain::JobStatus::Success, 1));
    home.pass(Duration::from_secs(21 * 60));
    home.sweep().await;
    assert_eq!(files_in(&blobs), 2);
    assert_eq!(home.app.jobs.retry(user, job.id).await.unwrap_err().code, "VERSION_NOT_FOUND");
    home.app.functions.rollback(user, id, 4).await.unwrap();
    assert_eq!(
        &*home.app.functions.code(&home.app.functions.get(user, id).await.unwrap().current).await.unwrap(),
        code(4)
    );
}
