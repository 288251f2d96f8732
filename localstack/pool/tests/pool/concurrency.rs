//! Many at once, and what becomes of workers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::WorkspaceId;
use domain::function::Module;
use futures::future::join_all;
use pool::Limits;
use ports::{Runtime, RuntimeError};
use sandbox::SandboxChoice;

use crate::kit::{Kit, unique, until};

const SLEEP: &str = "import time\ndef handler(seconds):\n    time.sleep(seconds)\n    return 1";

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_at_once_share_ten_workers() {
    let kit = Kit::new(SandboxChoice::Auto).await;
    let function = kit.python(SLEEP).await;
    let began = Instant::now();
    let results = join_all((0..100).map(|_| kit.try_run(&function, "0.1"))).await;
    assert!(results.iter().all(|result| result.as_ref().is_ok_and(|outcome| outcome.result.is_ok())));
    assert!(began.elapsed() < Duration::from_secs(7), "one by one it would be 10 s: {:?}", began.elapsed());
    let cold =
        results.iter().filter(|result| result.as_ref().is_ok_and(|outcome| outcome.cold_start)).count();
    assert!((1..=10).contains(&cold), "{cold} workers");
    assert_eq!(kit.pool.idle_workers(), cold);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_finds_no_place_in_time_is_told_when_to_come_back() {
    let kit = Kit::with(SandboxChoice::Auto, |config| {
        config.limits = Limits { per_function: 1, ..Limits::default() };
    })
    .await;
    let function = kit.python(SLEEP).await;
    let mut impatient = function.clone();
    impatient.patience = Duration::from_millis(50);
    let (long, busy) = tokio::join!(kit.run(&function, "1"), async {
        until("it runs", || kit.pool.running() == 1).await;
        kit.try_run(&impatient, "0").await
    });
    assert!(long.result.is_ok());
    assert!(
        matches!(busy, Err(RuntimeError::Busy { retry_after }) if retry_after > Duration::ZERO),
        "{busy:?}"
    );
    assert_eq!(kit.ok(&impatient, "0").await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_gives_up_leaves_no_trace() {
    let kit = Kit::with(SandboxChoice::Auto, |config| {
        config.limits = Limits { per_function: 2, ..Limits::default() };
    })
    .await;
    let function = kit.python(SLEEP).await;
    for _ in 0..3 {
        let runs = (0..6).map(|_| {
            let (pool, invocation) = (kit.pool.clone(), function.invocation("30"));
            tokio::spawn(async move { pool.invoke(invocation).await })
        });
        let runs: Vec<_> = runs.collect();
        until("two run", || kit.pool.running() == 2).await;
        until("four wait", || kit.pool.waiting() == 4).await;
        for run in runs {
            run.abort();
            assert!(run.await.is_err());
        }
        assert_eq!(kit.pool.running(), 0);
    }
    assert_eq!(kit.ok(&function, "0").await, "1");
    until("the workers of those are gone", || kit.pool.workers() <= 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_runs_its_own_code_with_its_own_settings() {
    let kit = Kit::new(SandboxChoice::Auto).await;
    let first = kit.python("import os\ndef handler(e):\n    return [1, os.environ.get('A')]").await;
    let id = first.version.function_id;
    let second = kit.save_version(id, 2, Module::Python, "def handler(e):\n    return 2").await;
    assert_eq!(kit.ok(&first, "{}").await, "[1,null]");
    assert_eq!(kit.ok(&second, "{}").await, "2");
    assert_eq!(kit.pool.idle_workers(), 1, "the worker of the other version is gone");
    assert_eq!(kit.ok(&first, "{}").await, "[1,null]", "a queued job still runs its version");
    let changed = first.clone().environment("A", "b");
    let outcome = kit.run(&changed, "{}").await;
    assert!(outcome.cold_start);
    assert_eq!(outcome.result.as_deref(), Ok(r#"[1,"b"]"#));
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_workers_make_room_and_go_in_the_end() {
    let kit = Kit::with(SandboxChoice::Auto, |config| {
        config.limits = Limits { total: 3, ..Limits::default() };
        config.idle = Duration::from_secs(3);
    })
    .await;
    let mut functions = Vec::new();
    for _ in 0..5 {
        let function = kit.python("def handler(e):\n    return e").await;
        assert_eq!(kit.ok(&function, "1").await, "1");
        functions.push(function);
    }
    assert_eq!(kit.pool.idle_workers(), 3);
    assert!(!kit.run(&functions[4], "1").await.cold_start);
    assert!(kit.run(&functions[0], "1").await.cold_start, "the oldest was evicted");
    until("the idle are gone", || kit.pool.idle_workers() == 0).await;
    until("their processes too", || kit.pool.workers() == 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_function_runs_no_more() {
    let kit = Kit::new(SandboxChoice::Auto).await;
    let function = kit.python(SLEEP).await;
    kit.ok(&function, "0").await;
    let (outcome, ()) = tokio::join!(kit.run(&function, "15"), async {
        until("it has its worker", || kit.pool.running() == 1 && kit.pool.idle_workers() == 0).await;
        kit.pool.remove(function.version.function_id).await.unwrap();
    });
    assert!(outcome.result.unwrap_err().contains("deleted"));
    assert_eq!(kit.pool.idle_workers(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_tenant_cannot_starve_another() {
    let kit = Kit::with(SandboxChoice::Auto, |config| {
        config.limits = Limits { per_function: 10, per_workspace: 10, total: 2, ..Limits::default() };
    })
    .await;
    let flood = kit.python(SLEEP).await;
    let mut other = kit.python(SLEEP).await;
    other.workspace = WorkspaceId::from_random(unique());
    let flood_runs = join_all((0..40).map(|_| kit.run(&flood, "0.05")));
    let finished = Arc::new(std::sync::Mutex::new(Vec::new()));
    let (mine, theirs) = (finished.clone(), finished.clone());
    tokio::join!(
        async {
            flood_runs.await;
            mine.lock().unwrap().push("flood");
        },
        async {
            until("the flood runs", || kit.pool.running() == 2).await;
            kit.run(&other, "0").await;
            theirs.lock().unwrap().push("other");
        }
    );
    assert_eq!(*finished.lock().unwrap(), ["other", "flood"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_works_without_spares_and_ends_everything_on_shutdown() {
    let kit = Kit::with(SandboxChoice::Auto, |config| config.spares = 0).await;
    let function = kit.python("def handler(e):\n    return e").await;
    assert_eq!(kit.ok(&function, "1").await, "1");
    let node = kit.node("exports.handler = (e) => e").await.memory(2048);
    assert_eq!(kit.ok(&node, "1").await, "1");
    kit.pool.shutdown();
    until("all are gone", || kit.pool.workers() == 0).await;
    assert!(kit.try_run(&function, "1").await.is_err());
}
