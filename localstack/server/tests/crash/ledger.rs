//! Whether the ledger holds what callers were told, and adds up.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use testkit::Client;

use crate::Dice;
use crate::load::{ATTEMPTS, Functions, Told};
use crate::watch::Watch;

/// How long the server may take to be done with what is queued when the kills have ended.
const DRAIN: Duration = Duration::from_secs(120);

/// Some of what was told, right after a start.
pub(crate) async fn spot_check(user: &Client, told: &Mutex<Told>, dice: &mut Dice) {
    let (jobs, keyed, deleted) = {
        let told = told.lock().expect("no caller panicked");
        let mut jobs: Vec<u64> = told.jobs.keys().copied().collect();
        while jobs.len() > 12 {
            jobs.swap_remove(dice.roll(jobs.len() as u64) as usize);
        }
        (jobs, told.keyed.iter().rev().take(3).cloned().collect::<Vec<_>>(), told.deleted.last().cloned())
    };
    for id in jobs {
        let job = user.get(&format!("/jobs/{id}")).await.expect(200);
        if !is_open(&job) {
            told.lock().expect("no caller panicked").over(id, &job);
        }
    }
    for (key, function, event, answer) in keyed {
        let path = format!("/functions/{function}/invoke");
        let request = user.request(Method::POST, &path).json(&event).header("idempotency-key", key);
        let again = user.send(request).await;
        assert_eq!(again.header("idempotency-replayed"), Some("true"), "{answer} was forgotten");
        assert_eq!(again.json(), answer, "a key has one answer");
    }
    if let Some(function) = deleted {
        assert_eq!(user.get(&format!("/functions/{function}")).await.status, 404, "a delete was taken back");
    }
}

/// All of it.
pub(crate) async fn check(user: &Client, functions: &Functions, told: &Told, watch: &Watch) {
    let deadline = Instant::now() + DRAIN;
    let (mut seen, mut runs) = (0, 0);
    for function in functions.all() {
        watch.waits_for(&format!("all jobs of {function}"));
        let jobs = loop {
            let jobs = all_jobs(user, function).await;
            let open: Vec<_> = jobs.values().filter(|job| is_open(job)).collect();
            if open.is_empty() {
                break jobs;
            }
            assert!(Instant::now() < deadline, "{} jobs are stuck, such as {}", open.len(), open[0]);
            tokio::time::sleep(Duration::from_millis(200)).await;
        };
        for (id, (_, event)) in told.jobs.iter().filter(|(_, (of, _))| of == function) {
            let job = jobs.get(id).unwrap_or_else(|| panic!("job {id} was acknowledged and is lost"));
            is_right(job, event, functions.queued.contains(function));
            if let Some((status, output)) = told.over.get(id) {
                assert_eq!((&job["status"], &job["output"]), (status, output), "job {id} finished twice");
            }
        }
        runs += counted(user, function, &jobs).await;
        seen += jobs.len();
    }
    watch.waits_for("the workspace's figures, and what was deleted");
    let workspace = user.get(&format!("/workspaces/{}/metrics", functions.workspace)).await.expect(200);
    assert_eq!(workspace["total_executions"], runs, "{workspace}");
    for function in &told.deleted {
        assert_eq!(user.get(&format!("/functions/{function}")).await.status, 404, "a delete was taken back");
    }
    println!(
        "{seen} jobs, {runs} ended in a run; {} acknowledged, {} with a key, {} functions deleted",
        told.jobs.len(),
        told.keyed.len(),
        told.deleted.len()
    );
    assert!(!told.jobs.is_empty() && !told.keyed.is_empty(), "the load did something");
}

fn is_open(job: &Value) -> bool {
    matches!(job["status"].as_str(), Some("pending" | "running"))
}

/// Whether a job that is over is what its event makes it.
fn is_right(job: &Value, event: &Value, queued: bool) {
    let fails = event["fails"].as_u64().unwrap_or(0);
    let ends_well = if queued { fails < ATTEMPTS } else { true };
    match job["status"].as_str() {
        Some("success") => {
            let mut output = json!({"n": event["n"], "attempt": job["attempts"]});
            if let Some(big) = event["big"].as_u64() {
                output["pad"] = "y".repeat(big as usize).into();
            }
            assert_eq!(job["output"], output, "the result is of another attempt than the last: {job}");
        }
        Some("cancelled") => assert!(queued && job["output"].is_null(), "{job}"),
        Some("error") => {
            let error = job["error"].as_str().expect("an error says something");
            let killed_each_time = error.contains("the process that ran it stopped each time");
            let failed = error.contains("not yet") && (!ends_well || !queued);
            assert!(killed_each_time || failed, "{job}");
        }
        _ => panic!("not over: {job}"),
    }
}

/// Every job of a function, by id.
async fn all_jobs(user: &Client, function: &str) -> BTreeMap<u64, Value> {
    let mut jobs = BTreeMap::new();
    let mut cursor = String::new();
    loop {
        let page = user.get(&format!("/functions/{function}/jobs?limit=100{cursor}")).await.expect(200);
        for job in page["jobs"].as_array().expect("a list") {
            // A large text is left out of a list.
            let job = match job["omitted"].as_array() {
                Some(_) => user.get(&format!("/jobs/{}", job["id"])).await.expect(200),
                None => job.clone(),
            };
            let id = job["id"].as_u64().expect("an id");
            assert!(jobs.insert(id, job).is_none(), "job {id} is listed twice");
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return jobs,
        }
    }
}

/// Compares the counters with the jobs. How many runs ended.
async fn counted(user: &Client, function: &str, jobs: &BTreeMap<u64, Value>) -> usize {
    let of = |status: &str| jobs.values().filter(|job| job["status"] == status).count();
    for status in ["pending", "running", "success", "error", "cancelled"] {
        let path = format!("/functions/{function}/jobs?limit=1&status={status}");
        assert_eq!(user.get(&path).await.expect(200)["total"], of(status), "{status} jobs of {function}");
    }
    let all = user.get(&format!("/functions/{function}/jobs?limit=1")).await.expect(200);
    assert_eq!(all["total"], jobs.len(), "jobs of {function}");
    let figures = user.get(&format!("/functions/{function}/metrics")).await.expect(200);
    let cold = jobs.values().filter(|job| job["cold_start"] == true).count();
    let runs = of("success") + of("error");
    let counted =
        ["total_executions", "success_count", "error_count", "cold_starts"].map(|name| &figures[name]);
    let ledger = [runs, of("success"), of("error"), cold].map(Value::from);
    assert_eq!(counted, ledger.each_ref(), "counters of {function}");
    runs
}
