//! The server as a process: how it starts, stops, dies and comes back.

#![allow(clippy::unwrap_used, reason = "a test that can't go on says where")]

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use domain::Timestamp;
use serde_json::{Value, json};
use testkit::{Client, ECHO_PY, Server, poll};

const SLOW: &str = "import time\ndef handler(event):\n    time.sleep(event['for'])\n    return event['n']";

async fn slow(user: &Client, execution: &str) -> String {
    let fields = json!({"runtime": "PYTHON", "code": SLOW, "execution_type": execution});
    user.function_with(&user.workspace().await, fields).await
}

/// What a server that refuses to start says.
fn refusal(mut command: Command) -> String {
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(!child.wait().unwrap().success(), "{said}");
    said
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let mut server = Server::start(&[]);
    let user = server.user().await;
    let function = user.function("PYTHON", ECHO_PY).await;
    let ran = user.invoke(&function, &json!({"a": 1})).await;
    for kill in [true, false] {
        if kill {
            server.kill();
        } else {
            let (status, took) = server.stop();
            assert!(status.success() && took < Duration::from_secs(10), "{status} after {took:?}");
        }
        server.begin();
        let again = server.anyone().with_token(user.token().unwrap());
        let job = again.get(&format!("/jobs/{}", ran["job_id"])).await.expect(200);
        assert_eq!((&job["output"], &job["logs"]), (&ran["output"], &ran["logs"]));
        assert_eq!(again.invoke(&function, &json!({"a": 2})).await["output"]["event"], json!({"a": 2}));
    }
}

#[tokio::test]
async fn accepted_jobs_survive_kill_9_and_finish_once() {
    let mut server = Server::start(&[]);
    let user = server.user().await;
    let function = slow(&user, "ASYNC").await;
    let mut accepted = Vec::new();
    for round in 0..3 {
        let user = server.anyone().with_token(user.token().unwrap());
        for n in 0..15 {
            let event = json!({"n": round * 100 + n, "for": 0.2});
            let answer = user.post(&format!("/functions/{function}/invoke"), &event).await.expect(202);
            accepted.push((answer["job_id"].clone(), event["n"].clone()));
        }
        poll("a job runs", async || {
            let running = user.get(&format!("/functions/{function}/jobs?status=running")).await.expect(200);
            (running["total"] != 0).then_some(())
        })
        .await;
        server.kill();
        server.begin();
    }
    let user = server.anyone().with_token(user.token().unwrap());
    for (job, n) in &accepted {
        let job = user.finished(job).await;
        assert_eq!((&job["status"], &job["output"]), (&json!("success"), n), "{job}");
    }
    // The counters are the jobs, neither more nor fewer.
    let listed = user.get(&format!("/functions/{function}/jobs?limit=100")).await.expect(200);
    assert_eq!((listed["total"].as_u64(), listed["jobs"].as_array().unwrap().len()), (Some(45), 45));
    let counted = user.get(&format!("/functions/{function}/metrics")).await.expect(200);
    assert_eq!((&counted["total_executions"], &counted["success_count"]), (&json!(45), &json!(45)));
}

#[tokio::test]
async fn a_sync_run_that_a_kill_9_cut_off_is_not_left_running() {
    let mut server = Server::start(&[]);
    let user = server.user().await;
    let function = slow(&user, "SYNC").await;
    let (caller, path) = (user.clone(), format!("/functions/{function}/invoke"));
    let cut = tokio::spawn(async move {
        let request = caller.request(reqwest::Method::POST, &path).json(&json!({"n": 7, "for": 1.5}));
        request.send().await.is_err()
    });
    let jobs = format!("/functions/{function}/jobs");
    let job: Value = poll("the run is recorded", async || {
        let listed = user.get(&jobs).await.expect(200);
        listed["jobs"].get(0).map(|job| job["id"].clone())
    })
    .await;
    server.kill();
    assert!(cut.await.unwrap(), "the caller was answered by a dead server");
    server.begin();
    let user = server.anyone().with_token(user.token().unwrap());
    let job = user.finished(&job).await;
    assert_eq!((&job["status"], &job["output"], &job["attempts"]), (&json!("success"), &json!(7), &json!(2)));
}

/// However often a server dies under a job, that is not the job's fault.
#[tokio::test]
async fn an_accepted_job_survives_many_kills() {
    let mut server = Server::start(&[]);
    let user = server.user().await;
    let function = slow(&user, "ASYNC").await;
    let event = json!({"n": 7, "for": 2.5});
    let accepted = user.post(&format!("/functions/{function}/invoke"), &event).await.expect(202);
    let path = format!("/jobs/{}", accepted["job_id"]);
    for attempt in 1..=6 {
        let user = server.anyone().with_token(user.token().unwrap());
        poll("it runs", async || {
            let job = user.get(&path).await.expect(200);
            (job["status"] == "running" && job["attempts"] == attempt).then_some(())
        })
        .await;
        server.kill();
        server.begin();
    }
    let user = server.anyone().with_token(user.token().unwrap());
    let job = user.finished(&accepted["job_id"]).await;
    assert_eq!((&job["status"], &job["output"], &job["attempts"]), (&json!("success"), &json!(7), &json!(7)));
}

fn signal(server: &Server, signal: i32) {
    // SAFETY: the child has not been waited for, so the pid is its own.
    assert_eq!(unsafe { libc::kill(i32::try_from(server.pid()).unwrap(), signal) }, 0);
}

/// A run that was over while the server stood still was over in time: its answer was in the pipe.
#[tokio::test]
async fn a_server_that_stood_still_does_not_blame_its_runs() {
    let node =
        "exports.handler = async e => { await new Promise(r => setTimeout(r, e.for * 1000)); return e.n }";
    for sandbox in ["bubblewrap", "landlock"] {
        for (runtime, code) in [("PYTHON", SLOW), ("NODEJS", node)] {
            let server = Server::start(&["--sandbox", sandbox]);
            let user = server.user().await;
            for execution in ["SYNC", "ASYNC"] {
                let fields = json!({"runtime": runtime, "code": code, "timeout_seconds": 1, "execution_type": execution});
                let function = user.function_with(&user.workspace().await, fields).await;
                let mut tries = 0;
                while !ends_while_it_stands_still(&server, &user, &function).await {
                    tries += 1;
                    assert!(tries < 20, "the run had always ended before the server could be stopped");
                }
            }
        }
    }
}

/// Runs a function, of which nothing but a success is right, and stops the server meanwhile. Whether that was before the
/// run had ended: on a busy machine it may come too late.
async fn ends_while_it_stands_still(server: &Server, user: &Client, function: &str) -> bool {
    let jobs = format!("/functions/{function}/jobs");
    let before = user.get(&jobs).await.expect(200)["total"].clone();
    let (caller, path) = (user.clone(), format!("/functions/{function}/invoke"));
    let run = tokio::spawn(async move { caller.post(&path, &json!({"n": 7, "for": 0.3})).await });
    let job = poll("it runs", async || {
        let listed = user.get(&jobs).await.expect(200);
        let newest = listed["jobs"].get(0).filter(|job| job["status"] != "pending")?;
        (listed["total"] != before).then(|| newest["id"].clone())
    })
    .await;
    signal(server, libc::SIGSTOP);
    // What the server does not see: the run's end, and its deadline.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let still = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let still = Timestamp::from_millis(i64::try_from(still.as_millis()).unwrap());
    signal(server, libc::SIGCONT);
    let job = user.finished(&job).await;
    assert_eq!((&job["status"], &job["output"]), (&json!("success"), &json!(7)), "{job}");
    assert!([200, 202].contains(&run.await.unwrap().status));
    job["completed_at"].as_str().unwrap().parse::<Timestamp>().unwrap() >= still
}

fn blobs(server: &Server) -> usize {
    fn files(at: &std::path::Path) -> usize {
        let entries = std::fs::read_dir(at).into_iter().flatten().flatten();
        entries.map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { 1 }).sum()
    }
    files(&server.data().join("blobs"))
}

#[tokio::test]
async fn code_that_was_refused_is_not_kept() {
    let mut server = Server::start(&[]);
    let user = server.user().await;
    let workspace = user.workspace().await;
    let large = |n: u32| format!("def handler(event):\n    return {n}\n#{}", "x".repeat(200_000));
    let mut new = json!({"name": "taken", "workspace_id": workspace, "runtime": "PYTHON", "code": large(0)});
    user.post("/functions/", &new).await.expect(200);
    let other = user.function_with(&workspace, json!({"runtime": "PYTHON", "code": large(1)})).await;
    for n in 2..12 {
        new["code"] = large(n).into();
        user.post("/functions/", &new).await.expect(409);
        let change = json!({"name": "taken", "code": large(n)});
        user.put(&format!("/functions/{other}"), &change).await.expect(409);
    }
    poll("the janitor has looked", async || (blobs(&server) == 2).then_some(())).await;
    // What a server leaves that is killed amid it all goes when the next one starts.
    let mut cut = tokio::task::JoinSet::new();
    for n in 12..32 {
        let (user, mut new) = (user.clone(), new.clone());
        new["name"] = format!("new {n}").into();
        new["code"] = large(n).into();
        cut.spawn(async move {
            user.request(reqwest::Method::POST, "/functions/").json(&new).send().await.is_ok()
        });
    }
    poll("some are there", async || (blobs(&server) > 4).then_some(())).await;
    server.kill();
    cut.join_all().await;
    server.begin();
    let user = server.anyone().with_token(user.token().unwrap());
    let kept = user.get("/functions/").await.expect(200)["functions"].as_array().unwrap().len();
    poll("nothing else is kept", async || (blobs(&server) == kept).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_lets_what_runs_finish() {
    let mut server = Server::start(&[]);
    let user = server.user().await;
    let function = slow(&user, "SYNC").await;
    let (caller, path) = (user.clone(), format!("/functions/{function}/invoke"));
    let run = tokio::spawn(async move { caller.post(&path, &json!({"n": 1, "for": 1})).await });
    let jobs = format!("/functions/{function}/jobs?status=running");
    poll("it runs", async || (user.get(&jobs).await.expect(200)["total"] == 1).then_some(())).await;
    let (status, took) = tokio::task::block_in_place(|| server.stop());
    assert!(status.success() && took < Duration::from_secs(10), "{status} after {took:?}");
    assert_eq!(run.await.unwrap().expect(200)["output"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_queues_again_what_would_take_too_long() {
    let mut server = Server::start(&[]);
    let user = server.user().await;
    let function = slow(&user, "ASYNC").await;
    let invoke = format!("/functions/{function}/invoke");
    let accepted = user.post(&invoke, &json!({"n": 1, "for": 12})).await.expect(202);
    let job = format!("/jobs/{}", accepted["job_id"]);
    poll("it runs", async || (user.get(&job).await.expect(200)["status"] == "running").then_some(())).await;
    let (status, took) = tokio::task::block_in_place(|| server.stop());
    assert!(status.success() && took < Duration::from_secs(10), "{status} after {took:?}");
    server.begin();
    let user = server.anyone().with_token(user.token().unwrap());
    let job = user.finished(&accepted["job_id"]).await;
    assert_eq!(
        (&job["status"], &job["attempts"]),
        (&json!("success"), &json!(1)),
        "a stop is no fault: {job}"
    );
}

/// A hundred jobs, some of which run, some of which wait, and some of which would never end.
#[tokio::test(flavor = "multi_thread")]
async fn sigterm_under_load_loses_nothing_and_waits_for_nobody() {
    let mut server = Server::start(&[]);
    let user = server.user().await;
    let function = slow(&user, "ASYNC").await;
    let endless = "import signal\ndef handler(event):\n    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n    while True: pass";
    let endless = |execution: &str| json!({"runtime": "PYTHON", "code": endless, "timeout_seconds": 8, "execution_type": execution});
    let workspace = user.workspace().await;
    let (queued, direct) = (
        user.function_with(&workspace, endless("ASYNC")).await,
        user.function_with(&workspace, endless("SYNC")).await,
    );
    let mut jobs = Vec::new();
    for n in 0..100 {
        let of = if n % 50 == 0 { &queued } else { &function };
        let event = json!({"n": n, "for": if n % 10 == 5 { 9.0 } else { 0.1 }});
        jobs.push(user.post(&format!("/functions/{of}/invoke"), &event).await.expect(202)["job_id"].clone());
    }
    let (caller, path) = (user.clone(), format!("/functions/{direct}/invoke"));
    let cut = tokio::spawn(async move {
        let answer = caller.request(reqwest::Method::POST, &path).json(&json!({})).send().await;
        answer.map(|answer| answer.status().as_u16())
    });
    let running = format!("/functions/{direct}/jobs?status=running");
    poll("it runs", async || (user.get(&running).await.expect(200)["total"] == 1).then_some(())).await;

    // SAFETY: the child has not been waited for, so the pid is its own.
    unsafe { libc::kill(i32::try_from(server.pid()).unwrap(), libc::SIGTERM) };
    let health = format!("{}/health", server.url());
    poll("no request is taken", async || reqwest::get(&health).await.is_err().then_some(())).await;
    // Asks for it a second time, as people do.
    let (status, took) = tokio::task::block_in_place(|| server.stop());
    assert!(status.success() && took < Duration::from_secs(10), "{status} after {took:?}");
    let cut = cut.await.unwrap();
    assert!(!cut.as_ref().is_ok_and(|status| *status == 200), "it can't have ended: {cut:?}");

    server.begin();
    let user = server.anyone().with_token(user.token().unwrap());
    for (n, job) in jobs.iter().enumerate() {
        let job = user.finished(job).await;
        let status = if n % 50 == 0 { "error" } else { "success" };
        assert_eq!(
            (&job["status"], &job["attempts"]),
            (&json!(status), &json!(1)),
            "a stop is no fault: {job}"
        );
    }
    let counted = user.get(&format!("/functions/{function}/metrics")).await.expect(200);
    assert_eq!((&counted["total_executions"], &counted["success_count"]), (&json!(98), &json!(98)));
    let listed = user.get(&format!("/functions/{queued}/jobs")).await.expect(200);
    assert_eq!(listed["total"], 2, "{listed}");
}

/// Whatever the code does about it.
#[tokio::test]
async fn no_run_outlives_a_server_that_was_killed() {
    let code = "import ctypes, os\ndef handler(name):\n    prctl = ctypes.CDLL(None).prctl\n    prctl(15, name.encode(), 0, 0, 0)\n\
                \x20   prctl(1, 0, 0, 0, 0)\n    prctl(36, 0, 0, 0, 0)\n    try:\n        os.setsid() if os.fork() == 0 else None\n\
                \x20   except OSError: pass\n    while True: pass";
    for sandbox in ["bubblewrap", "landlock"] {
        let mut server = Server::start(&["--sandbox", sandbox]);
        let user = server.user().await;
        let fields = json!({"runtime": "PYTHON", "code": code, "execution_type": "ASYNC"});
        let function = user.function_with(&user.workspace().await, fields).await;
        let name = format!("fr{}{}", std::process::id(), &sandbox[..4]);
        let named = || {
            let is_named = |entry: &std::fs::DirEntry| {
                std::fs::read_to_string(entry.path().join("comm")).is_ok_and(|comm| comm.trim() == name)
            };
            std::fs::read_dir("/proc").unwrap().flatten().filter(is_named).count()
        };
        user.post(&format!("/functions/{function}/invoke"), &json!(name)).await.expect(202);
        let wanted = if sandbox == "bubblewrap" { 2 } else { 1 };
        poll("it runs", async || (named() == wanted).then_some(())).await;
        server.kill();
        poll("it is gone", async || (named() == 0).then_some(())).await;
    }
}

#[tokio::test]
async fn a_second_server_on_the_same_data_is_refused() {
    let server = Server::start(&[]);
    let said = refusal(Server::command(server.data()));
    assert!(said.contains("in use by another server") && said.contains(&server.pid().to_string()), "{said}");
    server.anyone().get("/health").await.expect(200);
}

#[tokio::test]
async fn a_port_that_is_taken_is_told_so() {
    let server = Server::start(&[]);
    let port = server.url().rsplit(':').next().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_function-runner"));
    command.args(["serve", "--port", port, "--data"]).arg(directory.path());
    let said = refusal(command);
    assert!(said.contains("--port") && said.contains(port), "{said}");
}

#[test]
fn data_of_something_else_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("function-runner.db");
    std::fs::write(&file, "this is a letter to my mother\n".repeat(100)).unwrap();
    let before = std::fs::read(&file).unwrap();
    let said = refusal(Server::command(directory.path()));
    assert!(said.contains("not a database of this program"), "{said}");
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

#[test]
fn no_sandbox_is_for_loopback_only() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Server::command(directory.path());
    command.args(["--unsafe-no-sandbox", "--host", "0.0.0.0"]);
    let said = refusal(command);
    assert!(said.contains("loopback only"), "{said}");
}
