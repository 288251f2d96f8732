//! A server whose disk is full: when it starts, and while jobs run. And what else can be in the way of a start.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that can't go on says where")]

mod held;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::{Value, json};
use testkit::{Client, Server, poll};

/// How long a server may take to start, or to say why it doesn't.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process that ends with its value, and what it has said so far.
struct Running(Child, Arc<Mutex<String>>);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts this server. `Ok` is where it listens; what it says when it doesn't start is the error.
fn start(mut command: Command) -> Result<(Running, String), String> {
    let started = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut running = Running(started, Arc::default());
    let mut stdout = BufReader::new(running.0.stdout.take().unwrap());
    let stderr = BufReader::new(running.0.stderr.take().unwrap());
    let (told, heard) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        // Whoever waited may have given up.
        let _ = told.send(line);
    });
    let said = running.1.clone();
    let reader = std::thread::spawn(move || {
        for line in stderr.lines() {
            said.lock().unwrap().extend([&line.unwrap(), "\n"]);
        }
    });
    let line = heard.recv_timeout(PATIENCE).expect("it starts, or ends");
    match line.trim().strip_prefix("listening on ") {
        Some(url) => Ok((running, url.to_owned())),
        None => {
            reader.join().unwrap();
            Err(running.1.lock().unwrap().clone())
        }
    }
}

/// A server within bubblewrap, which gives it a disk of so many bytes at `disk`.
fn on_a_disk_of(bytes: u64, disk: &Path) -> Command {
    let mut command = Command::new("bwrap");
    command
        .args(["--die-with-parent", "--dev-bind", "/", "/", "--size", &bytes.to_string(), "--tmpfs"])
        .arg(disk);
    command.arg(Server::binary()).args(["serve", "--port", "0", "--data"]).arg(disk.join("data"));
    command.env("FUNCTION_RUNNER_LOG", "text");
    command
}

/// Every size of disk from nothing to one that is enough: whatever it is that finds no room, that is what is said.
#[test]
fn a_disk_that_is_full_at_the_start_is_told_so() {
    let directory = tempfile::tempdir().unwrap();
    let mut refused = 0;
    let mut bytes = 4 << 10;
    loop {
        assert!(bytes < 64 << 20, "no disk is enough");
        match start(on_a_disk_of(bytes, directory.path())) {
            Ok(_) => break,
            Err(said) => {
                assert!(said.contains("no room left"), "with {bytes} bytes: {said}");
                assert!(!said.contains("backup") && !said.contains("damaged:"), "with {bytes} bytes: {said}");
            }
        }
        refused += 1;
        bytes += bytes / 4;
    }
    assert!(refused >= 8, "{refused} disks were too small");
}

#[test]
fn a_disk_that_is_read_only_is_told_so() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    drop(start(Server::command(&data)).unwrap());
    let mut command = Command::new("bwrap");
    command.args(["--die-with-parent", "--dev-bind", "/", "/", "--ro-bind"]).arg(&data).arg(&data);
    command.arg(Server::binary()).args(["serve", "--port", "0", "--data"]).arg(&data);
    let said = start(command).err().unwrap();
    assert!(said.contains("read-only") && said.contains(data.to_str().unwrap()), "{said}");
    assert!(!said.contains("backup"), "{said}");
}

#[test]
fn a_database_that_another_program_locks_is_told_so() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    drop(start(Server::command(&data)).unwrap());
    let other = rusqlite::Connection::open(data.join("function-runner.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let said = start(Server::command(&data)).err().unwrap();
    assert!(said.contains("another program") && said.contains("start again"), "{said}");
    assert!(!said.contains("backup"), "{said}");
    drop(other);
    start(Server::command(&data)).unwrap();
}

/// Each part of a data directory, with something else in its place.
#[test]
fn what_is_in_the_place_of_something_else_is_told_so() {
    for (name, folder) in [
        ("", false),
        ("function-runner.db", true),
        ("function-runner.journal", true),
        ("lock", true),
        ("secret", true),
        ("blobs", false),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        let path = if name.is_empty() { data.clone() } else { data.join(name) };
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        if folder {
            std::fs::create_dir(&path).unwrap();
        } else {
            std::fs::write(&path, "x").unwrap();
        }
        let said = start(Server::command(&data)).err().unwrap();
        assert!(said.contains(path.to_str().unwrap()) && said.contains("is in its place"), "{name}: {said}");
        assert!(!said.contains("backup"), "{name}: {said}");
    }
}

#[test]
fn a_secret_that_is_none_is_told_so() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("secret"), "too short\n").unwrap();
    let said = start(Server::command(&data)).err().unwrap();
    assert!(said.contains("secret") && said.contains("everyone has to log in again"), "{said}");
}

/// Says how large the files of a server may become.
fn limit_files(pid: u32, bytes: Option<u64>) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap());
    prlimit(pid, Resource::Fsize, Rlimit { current: bytes, maximum: None }).unwrap();
}

/// Their runs end while nothing can be written; they must not stay running until their leases end, minutes later.
#[tokio::test]
async fn jobs_that_end_while_the_disk_is_full_are_recorded_once_it_is_not() {
    let directory = tempfile::tempdir().unwrap();
    // The shell's way of ignoring the signal that comes with the limit, which the server inherits.
    let mut command = Command::new("sh");
    command.args(["-c", r#"trap '' XFSZ; exec "$0" serve --port 0 --data "$1""#]).arg(Server::binary());
    command.arg(directory.path().join("data")).env("FUNCTION_RUNNER_LOG", "text");
    let (server, url) = start(command).unwrap();
    let user = Client::new(&url).registered().await;
    let workspace = user.workspace().await;
    let mut accepted = Vec::new();
    let python = format!("{}def handler(size):\n    wait()\n    return 'x' * size", held::WAIT_PY);
    // A promise that only a signal resolves counts as one that never settles.
    let node = "exports.handler = async (size) => {\n\
                const waits = setInterval(() => {}, 1000);\n\
                await new Promise((told) => process.on('SIGUSR2', told));\n\
                clearInterval(waits);\n\
                return 'x'.repeat(size); };";
    for (runtime, code) in [("PYTHON", python.as_str()), ("NODEJS", node)] {
        let fields =
            json!({"runtime": runtime, "code": code, "execution_type": "ASYNC", "timeout_seconds": 120});
        let function = user.function_with(&workspace, fields).await;
        // Some results are rows, some are blobs.
        for size in [3, 100_000, 7] {
            let answer = user.post(&format!("/functions/{function}/invoke"), &json!(size)).await.expect(202);
            accepted.push((answer["job_id"].clone(), size));
        }
    }
    let all_run = async || (held::waiting(server.0.id()).len() == accepted.len()).then_some(());
    poll("all run", all_run).await;
    limit_files(server.0.id(), Some(0));
    assert_eq!(held::end(server.0.id()), accepted.len());
    poll("the runs have ended", async || {
        let said = server.1.lock().unwrap();
        let is_told = |job: &Value| {
            let of_it = format!("job={job}");
            said.lines().any(|line| {
                line.contains("what became of a job could not be recorded")
                    && line.split(' ').any(|word| word == of_it)
            })
        };
        accepted.iter().all(|(job, _)| is_told(job)).then_some(())
    })
    .await;
    for (job, _) in &accepted {
        assert_eq!(
            user.get(&format!("/jobs/{job}")).await.expect(200)["status"],
            "running",
            "nothing can be written"
        );
    }
    limit_files(server.0.id(), None);
    // Far sooner than a lease ends, and each of them at the first try.
    let deadline = Instant::now() + Duration::from_secs(30);
    for (job, size) in &accepted {
        let path = format!("/jobs/{job}");
        let ended = loop {
            let now = user.get(&path).await.expect(200);
            if now["status"] != "running" {
                break now;
            }
            assert!(Instant::now() < deadline, "still running: {now}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        assert_eq!((&ended["status"], &ended["attempts"]), (&json!("success"), &json!(1)), "{ended}");
        assert_eq!(ended["output"].as_str().unwrap().len(), *size);
    }
}
