//! Everything that can go wrong between two writes: each use case is broken off at each of its steps, before it is done
//! and after, as a crash would; then the next process takes over, and the same request comes again. Whatever the step, it
//! has one effect, and no blob is left that nothing names.

#![allow(clippy::unwrap_used, reason = "a test that can't go on says where")]

mod parts;

use std::sync::Arc;
use std::time::Duration;

use app::NewUser;
use app::functions::{FunctionChanges, NewFunction};
use app::janitor::Scope;
use app::request::Identity;
use app::{PageRequest, Services};
use bytes::Bytes;
use domain::{ExecutionType, Function, Payload, Result, UserId, WorkspaceId};
use ports::{Attributes, Change, Check, Condition, Item, Key, Write};

use parts::{Faults, Home};

/// More steps than any use case has.
const STEPS: u64 = 60;

/// A request with an `Idempotency-Key`, as `web` keeps it.
struct Keyed(Key);

impl Keyed {
    async fn new(home: &Home) -> Self {
        let key = Key::new("IDEMPOTENCY#test", "META");
        let mut item = Item::new(key.clone());
        item.attributes = Attributes::from_iter([("lock".to_owned(), "first".into())]);
        home.write(vec![Write::Put(item, Condition::Absent)]).await;
        Self(key)
    }

    fn identity(&self, lock: &str) -> Identity {
        let mine = Condition::Present(vec![Check::Equals("lock", lock.into())]);
        Identity::new(
            [7; 32],
            Write::Update(self.0.clone(), vec![Change::Set("made".into(), 1.into())], mine),
        )
    }

    fn first(&self) -> Identity {
        self.identity("first")
    }

    async fn second(&self, home: &Home) -> Identity {
        let item = home.table.get(&self.0).await.unwrap().unwrap();
        let taken = vec![Change::Set("lock".into(), "second".into())];
        home.write(vec![Write::Update(self.0.clone(), taken, Condition::None)]).await;
        self.identity("second").again(item.attributes.contains_key("made"))
    }
}

/// What is there before the request.
#[derive(Clone)]
struct Setting {
    user: UserId,
    workspace: WorkspaceId,
    function: Function,
}

fn page() -> PageRequest {
    PageRequest { limit: 100, after: None }
}

fn code(what: &str) -> String {
    format!("def handler(event):\n    return '{what}'")
}

fn new_function(workspace_id: WorkspaceId, name: &str, execution_type: ExecutionType) -> NewFunction {
    NewFunction { code: code(name), execution_type, ..testkit::new_function(workspace_id, name) }
}

async fn setting(app: &Services, execution_type: ExecutionType) -> Setting {
    let new = NewUser { username: "ada".into(), name: "Ada".into(), password: "password1".into() };
    let user = app.accounts.register("10.0.0.1", new).await.unwrap().id;
    let workspace = app.workspaces.create(user, "w", None).await.unwrap().id;
    let function = app.functions.create(user, new_function(workspace, "f", execution_type)).await.unwrap();
    app.functions.update(user, function.id, changes("second")).await.unwrap();
    let function = app.functions.get(user, function.id).await.unwrap();
    Setting { user, workspace, function }
}

fn changes(what: &str) -> FunctionChanges {
    FunctionChanges { code: Some(code(what)), ..FunctionChanges::default() }
}

/// An event, and so a result, that is too large for the table.
fn large() -> Bytes {
    Bytes::from(format!("\"{}\"", "x".repeat(100_000)))
}

/// The blobs that records name.
async fn named(app: &Services, user: UserId) -> Vec<String> {
    let mut named = Vec::new();
    for function in app.functions.list(user, page()).await.unwrap().items {
        for version in app.functions.versions(user, function.id, page()).await.unwrap().items {
            named.push(version.code_key);
        }
        for detail in app.jobs.list(user, function.id, None, page()).await.unwrap().0.items {
            let payloads = [Some(detail.job.input), detail.job.output, detail.job.logs];
            named.extend(payloads.into_iter().flatten().filter_map(|payload| match payload {
                Payload::Blob { key, .. } => Some(key),
                Payload::Inline(_) => None,
            }));
        }
    }
    named.sort();
    named
}

/// Breaks `request` off at each step. `check` is asked what must hold when the second try has been answered.
async fn at_each_step<T, R, C>(execution_type: ExecutionType, request: R, check: C)
where
    R: AsyncFn(Arc<Services>, Setting) -> Result<T>,
    C: AsyncFn(&Arc<Services>, &Setting, T),
{
    for after in [false, true] {
        let mut steps = 0;
        for step in 0..STEPS {
            let home = Home::new();
            let setting = setting(&home.app(Faults::none()), execution_type).await;
            let keyed = Keyed::new(&home).await;
            let faults = Faults::at(step, after);
            let app = home.app(faults.clone());
            let first = keyed.first().scope(request(app.clone(), setting.clone()));
            let first = faults.until_death(first).await;
            // Its process is gone.
            app.background.break_off().await;
            if !faults.was_met() {
                first.unwrap().unwrap_or_else(|error| panic!("nothing went wrong: {error}"));
                steps = step;
                break;
            }
            home.pass(Duration::from_secs(1));
            let app = home.app(Faults::none());
            app.janitor.take_over(home.now()).await.unwrap();
            app.janitor.requeue(Scope::LeftBefore(home.now())).await.unwrap();
            let what = format!("step {step}, {}", if after { "done" } else { "not done" });
            let second = keyed.second(&home).await;
            let again = second.scope(request(app.clone(), setting.clone()));
            let (again, ()) = tokio::join!(again, home.work(&app));
            // A slow machine's may have queued its job when nobody looked any more.
            home.work(&app).await;
            let again = again.unwrap_or_else(|error| panic!("{what}: the second try failed: {error}"));
            check(&app, &setting, again).await;
            home.sweep(&app).await;
            assert_eq!(home.blobs(), named(&app, setting.user).await, "{what}");
        }
        assert!((1..STEPS).contains(&steps), "{steps} steps");
    }
}

#[tokio::test]
async fn a_workspace_is_made_once() {
    let make = async |app: Arc<Services>, of: Setting| app.workspaces.create(of.user, "new", None).await;
    at_each_step(ExecutionType::Sync, make, async |app, of, made| {
        let all = app.workspaces.list(of.user, page()).await.unwrap().items;
        assert_eq!(all.len(), 2);
        assert!(all.contains(&made));
    })
    .await;
}

#[tokio::test]
async fn a_function_is_made_once_and_runs() {
    let make = async |app: Arc<Services>, of: Setting| {
        app.functions.create(of.user, new_function(of.workspace, "new", ExecutionType::Sync)).await
    };
    at_each_step(ExecutionType::Sync, make, async |app, of, made| {
        assert_eq!(app.functions.list(of.user, page()).await.unwrap().items.len(), 2);
        assert_eq!(made.status, domain::Status::Active);
        assert_eq!(&*app.functions.code(&made.current).await.unwrap(), code("new"));
    })
    .await;
}

#[tokio::test]
async fn a_key_is_issued_once_and_works() {
    let make = async |app: Arc<Services>, of: Setting| app.auth_keys.create(of.user, of.workspace, 1).await;
    at_each_step(ExecutionType::Sync, make, async |app, of, made| {
        assert_eq!(app.auth_keys.list(of.user, of.workspace, page()).await.unwrap().items, [made.record]);
        app.auth_keys.function(&made.key, of.function.id).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_user_is_registered_once() {
    let make = async |app: Arc<Services>, _: Setting| {
        let new = NewUser { username: "bob".into(), name: "Bob".into(), password: "password1".into() };
        app.accounts.register("10.0.0.1", new).await
    };
    at_each_step(ExecutionType::Sync, make, async |app, _, made| {
        assert_eq!(app.accounts.log_in("10.0.0.1", "bob", "password1").await.unwrap().id, made.id);
    })
    .await;
}

#[tokio::test]
async fn a_rollback_is_done_once() {
    let roll =
        async |app: Arc<Services>, of: Setting| app.functions.rollback(of.user, of.function.id, 1).await;
    at_each_step(ExecutionType::Sync, roll, async |_, of, rolled| {
        assert_eq!((rolled.current.version, rolled.revision), (1, of.function.revision + 1));
    })
    .await;
}

async fn one_job(app: &Services, of: &Setting) {
    let (jobs, total) = app.jobs.list(of.user, of.function.id, None, page()).await.unwrap();
    let statuses: Vec<_> = jobs.items.iter().map(|detail| detail.job.status).collect();
    assert_eq!((statuses, total), (vec![domain::JobStatus::Success], 1));
}

#[tokio::test]
async fn an_invocation_is_one_job() {
    for event in [Bytes::from_static(b"1"), large()] {
        for execution_type in [ExecutionType::Sync, ExecutionType::Async] {
            let invoke = async |app: Arc<Services>, of: Setting| {
                app.invocations.invoke_as_user(of.user, of.function.id, event.clone()).await
            };
            at_each_step(execution_type, invoke, async |app, of, _| one_job(app, of).await).await;
        }
    }
}

#[tokio::test]
async fn a_run_that_is_recorded_while_it_goes_on_is_one_job() {
    let invoke = async |app: Arc<Services>, of: Setting| {
        app.invocations
            .invoke_as_user(of.user, of.function.id, Bytes::from(format!("\"slow{}\"", "x".repeat(100_000))))
            .await
    };
    at_each_step(ExecutionType::Sync, invoke, async |app, of, _| one_job(app, of).await).await;
}

/// Of what has no key: it may have had its effect or not, but nothing in between, and no blob is left.
async fn unkeyed<R, C>(request: R, check: C)
where
    R: AsyncFn(Arc<Services>, Setting) -> Result<()>,
    C: AsyncFn(&Arc<Services>, &Setting),
{
    for after in [false, true] {
        for step in 0..STEPS {
            let home = Home::new();
            let of = setting(&home.app(Faults::none()), ExecutionType::Sync).await;
            let faults = Faults::at(step, after);
            let app = home.app(faults.clone());
            let _ = faults.until_death(request(app.clone(), of.clone())).await;
            app.background.break_off().await;
            let app = home.app(Faults::none());
            // Before anybody has looked after anything.
            check(&app, &of).await;
            home.pass(Duration::from_secs(1));
            app.janitor.take_over(home.now()).await.unwrap();
            app.janitor.requeue(Scope::LeftBefore(home.now())).await.unwrap();
            home.work(&app).await;
            home.sweep(&app).await;
            check(&app, &of).await;
            assert_eq!(home.blobs(), named(&app, of.user).await, "step {step}, {after}");
            if !faults.was_met() {
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_deleted_workspace_takes_all_in_it_along_in_one_step() {
    let delete = async |app: Arc<Services>, of: Setting| app.workspaces.delete(of.user, of.workspace).await;
    unkeyed(delete, async |app, of| {
        let there = app.workspaces.get(of.user, of.workspace).await.is_ok();
        let run = app.invocations.invoke_as_user(of.user, of.function.id, Bytes::from_static(b"1")).await;
        assert_eq!(run.is_ok(), there);
        assert_eq!(app.functions.get(of.user, of.function.id).await.is_ok(), there);
        assert_eq!(!app.functions.list(of.user, page()).await.unwrap().items.is_empty(), there);
    })
    .await;
}

#[tokio::test]
async fn code_that_was_not_saved_is_not_kept() {
    let update = async |app: Arc<Services>, of: Setting| {
        app.functions.update(of.user, of.function.id, changes("third")).await.map(drop)
    };
    unkeyed(update, async |app, of| {
        let function = app.functions.get(of.user, of.function.id).await.unwrap();
        assert!([2, 3].contains(&function.current.version));
        assert!(app.functions.code(&function.current).await.is_ok());
    })
    .await;
}

#[tokio::test]
async fn code_that_was_refused_is_not_kept() {
    let home = Home::new();
    let app = home.app(Faults::none());
    let of = setting(&app, ExecutionType::Sync).await;
    for n in 0..3 {
        let mut taken = new_function(of.workspace, "f", ExecutionType::Sync);
        taken.code = code(&format!("refused {n}"));
        assert_eq!(app.functions.create(of.user, taken).await.unwrap_err().code, "FUNCTION_NAME_TAKEN");
    }
    let other = app.functions.create(of.user, new_function(of.workspace, "other", ExecutionType::Sync)).await;
    let mut refused = changes("refused");
    refused.name = Some("f".into());
    let refused = app.functions.update(of.user, other.unwrap().id, refused).await.unwrap_err();
    assert_eq!(refused.code, "FUNCTION_NAME_TAKEN");
    while app.janitor.sweep().await.unwrap() {}
    assert_eq!(home.blobs(), named(&app, of.user).await);
}

#[tokio::test]
async fn a_run_that_found_no_room_leaves_nothing() {
    let home = Home::new();
    let of = setting(&home.app(Faults::none()), ExecutionType::Sync).await;
    let app = home.app(Faults::none());
    let event = Bytes::from(format!("\"busy{}\"", "x".repeat(100_000)));
    let refused = app.invocations.invoke_as_user(of.user, of.function.id, event).await.unwrap_err();
    assert_eq!(refused.code, "CONCURRENCY_LIMIT");
    while app.janitor.sweep().await.unwrap() {}
    assert_eq!(home.blobs(), named(&app, of.user).await);
}

#[tokio::test]
async fn who_lost_the_request_can_make_nothing_any_more() {
    let home = Home::new();
    let of = setting(&home.app(Faults::none()), ExecutionType::Sync).await;
    let keyed = Keyed::new(&home).await;
    let (late, app) = (keyed.first(), home.app(Faults::none()));
    let made = keyed.second(&home).await.scope(app.workspaces.create(of.user, "new", None)).await.unwrap();
    app.workspaces.delete(of.user, made.id).await.unwrap();
    let late = late.scope(app.workspaces.create(of.user, "new", None)).await.unwrap_err();
    assert_eq!(late.code, "IDEMPOTENCY_KEY_IN_USE");
    // Nor is what was made and deleted made again.
    let again =
        keyed.second(&home).await.scope(app.workspaces.create(of.user, "new", None)).await.unwrap_err();
    assert_eq!(again.code, "WORKSPACE_NOT_FOUND");
}

/// Of a machine that slept past the end of its leases.
#[tokio::test]
async fn a_job_in_hand_is_not_given_to_another() {
    let home = Home::new();
    let app = home.app(Faults::none());
    let of = setting(&app, ExecutionType::Sync).await;
    let run = tokio::spawn({
        let (app, of) = (app.clone(), of.clone());
        async move {
            app.invocations.invoke_as_user(of.user, of.function.id, Bytes::from_static(b"\"held\"")).await
        }
    });
    let job = testkit::poll("it is recorded", async || {
        app.jobs.list(of.user, of.function.id, None, page()).await.unwrap().0.items.pop()
    })
    .await
    .job;
    home.pass(Duration::from_secs(3600));
    assert_eq!(app.janitor.requeue(Scope::Due).await.unwrap(), 0);
    let message = ports::Message { kind: domain::JobKind::Function, id: job.id, tenant: job.workspace_id };
    assert!(matches!(app.worker.work(&message).await.unwrap(), app::worker::Disposition::Release(_)));
    home.runtime.go.notify_one();
    run.await.unwrap().unwrap();
    let job = app.jobs.get(of.user, job.id).await.unwrap().job;
    assert_eq!((job.status, job.attempts), (domain::JobStatus::Success, 1));
}
