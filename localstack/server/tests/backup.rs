//! Backups: taken while a server works, restored into a directory that a server then starts on.

#![allow(clippy::unwrap_used, reason = "a test that can't go on says where")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::{Client, ECHO_JS, ECHO_PY, Server, poll};

fn run(arguments: &[&dyn AsRef<std::ffi::OsStr>]) -> Output {
    Command::new(Server::binary()).args(arguments.iter().map(|argument| argument.as_ref())).output().unwrap()
}

fn backup(data: &Path, file: &Path) -> Output {
    run(&[&"backup", &file, &"--data", &data])
}

fn restore(file: &Path, data: &Path) -> Output {
    run(&[&"restore", &file, &"--data", &data])
}

#[track_caller]
fn done(output: &Output) {
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{} {}", said(&output.stdout), said(&output.stderr));
}

/// What a command that did not do it says.
#[track_caller]
fn refusal(output: &Output) -> String {
    assert!(!output.status.success(), "it was done: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Every file and folder, with what is in it.
fn tree(root: &Path) -> BTreeMap<String, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut left = vec![root.to_owned()];
    while let Some(path) = left.pop() {
        let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            found.insert(name, None);
        } else {
            found.insert(name, Some(fs::read(&path).unwrap()));
        }
    }
    found
}

/// What callers were told, in the order in which they were.
#[derive(Default)]
struct Told {
    jobs: Mutex<Vec<(Value, Value)>>,
    count: AtomicU64,
    stop: AtomicBool,
}

/// Calls until it is told to stop: small and large, at once and through the queue.
async fn call(user: Client, function: String, told: Arc<Told>) {
    while !told.stop.load(Ordering::SeqCst) {
        let n = told.count.fetch_add(1, Ordering::SeqCst);
        let mut event = json!({"n": n});
        if n.is_multiple_of(7) {
            event["pad"] = "y".repeat(70_000).into();
        }
        let answer = user.post(&format!("/functions/{function}/invoke"), &event).await;
        if answer.status != 429 {
            assert!([200, 202].contains(&answer.status), "{}", String::from_utf8_lossy(&answer.body));
            told.jobs.lock().unwrap().push((answer.json()["job_id"].clone(), event));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_has_all_that_was_acknowledged_before() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let server = Server::start(&[]);
    let user = server.user().await;
    let workspace = user.workspace().await;
    let key = user.key(&workspace).await;
    let told = Arc::new(Told::default());
    let mut callers = Vec::new();
    for (runtime, code) in [("PYTHON", ECHO_PY), ("NODEJS", ECHO_JS)] {
        for execution in ["SYNC", "ASYNC"] {
            let fields = json!({"runtime": runtime, "code": code, "execution_type": execution});
            let function = user.function_with(&workspace, fields).await;
            for _ in 0..2 {
                callers.push(tokio::spawn(call(user.clone(), function.clone(), told.clone())));
            }
        }
    }
    let mut taken = Vec::new();
    for number in 0..4 {
        let enough = (number + 1) * 150;
        poll("there is load", async || (told.jobs.lock().unwrap().len() >= enough).then_some(())).await;
        let before = told.jobs.lock().unwrap().len();
        let (data, file) = (server.data().to_owned(), path(&format!("{number}.zip")));
        let backed_up = tokio::task::spawn_blocking(move || backup(&data, &file)).await.unwrap();
        done(&backed_up);
        taken.push(before);
    }
    told.stop.store(true, Ordering::SeqCst);
    for caller in callers {
        caller.await.unwrap();
    }
    drop(server);

    let jobs = told.jobs.lock().unwrap().clone();
    for (number, before) in taken.into_iter().enumerate() {
        let (file, data) = (path(&format!("{number}.zip")), path(&format!("restored-{number}")));
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "it has the secret");
        done(&restore(&file, &data));
        for (name, content) in tree(&data) {
            let mode = fs::metadata(data.join(&name)).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, if content.is_some() { 0o600 } else { 0o700 }, "{name}");
        }
        let server = Server::start_on(&data, &[]);
        // The token is good: the secret is the same.
        let user = server.anyone().with_token(user.token().unwrap());
        let nowhere = "/functions/00000000-0000-4000-8000-000000000000/invoke/workspace";
        assert_eq!(
            server.anyone().with_token(&key).post(nowhere, &json!({})).await.status,
            404,
            "the key is good"
        );
        for (job, event) in &jobs[..before] {
            let job = user.finished(job).await;
            assert_eq!((&job["status"], &job["input"]), (&json!("success"), event), "backup {number}: {job}");
            assert_eq!(&job["output"]["event"], event, "backup {number}: {job}");
        }
    }
}

#[tokio::test]
async fn a_directory_that_no_server_has_is_backed_up_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let mut server = Server::start(&[]);
    let user = server.user().await;
    let function = user.function("PYTHON", ECHO_PY).await;
    let ran = user.invoke(&function, &json!({"a": 1})).await;
    // What it said last is in the journal only.
    server.kill();
    let before = tree(server.data());
    done(&backup(server.data(), &path("one.zip")));
    let after = tree(server.data());
    let kept = |tree: &BTreeMap<String, Option<Vec<u8>>>| {
        // SQLite makes the index of its log anew.
        tree.clone().into_iter().filter(|(name, _)| !name.ends_with("-shm")).collect::<BTreeMap<_, _>>()
    };
    assert!(kept(&before) == kept(&after), "it was left as it is");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing is left beside the backup");
    done(&restore(&path("one.zip"), &path("deep/down")));
    let restored = Server::start_on(&path("deep/down"), &[]);
    let user = restored.anyone().with_token(user.token().unwrap());
    let job = user.get(&format!("/jobs/{}", ran["job_id"])).await.expect(200);
    assert_eq!(job["output"], ran["output"]);
    assert_eq!(user.invoke(&function, &json!({"a": 2})).await["output"]["event"], json!({"a": 2}));
}

#[tokio::test]
async fn nothing_is_overwritten_and_a_part_is_not_taken_for_all() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let server = Server::start(&[]);
    let user = server.user().await;
    let function = user.function("PYTHON", ECHO_PY).await;
    user.invoke(&function, &json!({"pad": "x".repeat(70_000)})).await;

    fs::write(path("taken"), "precious").unwrap();
    let said = refusal(&backup(server.data(), &path("taken")));
    assert!(said.contains("is there already"), "{said}");
    assert_eq!(fs::read(path("taken")).unwrap(), b"precious");
    let said = refusal(&backup(&path("nowhere"), &path("x.zip")));
    assert!(said.contains("no database of this program") && !path("x.zip").exists(), "{said}");
    let said = refusal(&backup(server.data(), &path("no/folder/x.zip")));
    assert!(said.contains("no/folder"), "{said}");

    done(&backup(server.data(), &path("whole.zip")));
    let said = refusal(&backup(server.data(), &path("whole.zip")));
    assert!(said.contains("is there already"), "{said}");
    fs::create_dir(path("full")).unwrap();
    fs::write(path("full/letter"), "precious").unwrap();
    for data in [&path("full"), server.data()] {
        let before = tree(data).len();
        let said = refusal(&restore(&path("whole.zip"), data));
        assert!(said.contains("is not empty"), "{said}");
        assert_eq!(tree(data).len(), before);
    }
    user.get("/users/me").await.expect(200);

    // Cut off anywhere, changed anywhere, or something else: it is told, and nothing is left that a server would take.
    let whole = fs::read(path("whole.zip")).unwrap();
    let mut broken: Vec<Vec<u8>> = (0..20).map(|part| whole[..whole.len() * part / 20].to_vec()).collect();
    broken.push(b"a letter".to_vec());
    for at in (0..whole.len()).step_by((whole.len() / 200).max(1)) {
        let mut changed = whole.clone();
        changed[at] ^= 0x20;
        broken.push(changed);
    }
    // The rest of what is restored has sums.
    let kept = |data: &Path| {
        let mut tree = tree(data);
        tree.retain(|name, _| name == "secret" || name.starts_with("blobs"));
        tree
    };
    done(&restore(&path("whole.zip"), &path("of-whole")));
    // What a server would find only when it starts.
    done(&restore(&path("whole.zip"), &path("of-secret")));
    fs::write(path("of-secret/secret"), "x").unwrap();
    done(&backup(&path("of-secret"), &path("secret.zip")));
    let said = refusal(&restore(&path("secret.zip"), &path("again")));
    assert!(said.contains("the secret in it"), "{said}");
    let mut refused = 0;
    for (number, bytes) in broken.iter().enumerate() {
        let (file, data) = (path("broken.zip"), path(&format!("of-broken-{number}")));
        fs::write(&file, bytes).unwrap();
        let output = restore(&file, &data);
        if output.status.success() {
            // What was changed says nothing of the content, such as a time.
            assert!(kept(&data) == kept(&path("of-whole")), "{number}: {:?}", kept(&data).keys());
            continue;
        }
        let said = refusal(&output);
        assert!(said.contains("is not a complete backup") || said.contains("damaged"), "{number}: {said}");
        let left = fs::read_dir(&data).map_or(0, Iterator::count);
        assert_eq!(left, 0, "{number}: {:?}", tree(&data).keys());
        refused += 1;
    }
    assert!(refused > broken.len() / 2, "{refused} of {} were refused", broken.len());
}

/// What comes back must be what went in: a name that leads elsewhere is refused.
#[test]
fn a_backup_can_write_nowhere_else() {
    use std::io::Write;
    let directory = tempfile::tempdir().unwrap();
    for name in
        ["../outside", "/tmp/outside", "blobs/../../outside~", "lock", "pool/shims/shim.cjs", "blobs/~tmp/x"]
    {
        let file = directory.path().join("crafted.zip");
        let mut zip = zip::ZipWriter::new(fs::File::create(&file).unwrap());
        let options =
            zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        let listed = format!("function-runner-backup.json\nsecret\n{name}\nfunction-runner.db\n");
        for (name, content) in [
            ("function-runner-backup.json", &br#"{"format":1,"version":"0"}"#[..]),
            ("secret", &[b'x'; 64]),
            (name, b"evil"),
            ("function-runner.db", b""),
            ("function-runner-backup.names", listed.as_bytes()),
        ] {
            zip.start_file(name, options).unwrap();
            zip.write_all(content).unwrap();
        }
        zip.finish().unwrap();
        let data = directory.path().join("data");
        let said = refusal(&restore(&file, &data));
        assert!(said.contains("it contains the unexpected entry"), "{name}: {said}");
        assert!(fs::read_dir(&data).map_or(true, |mut left| left.next().is_none()), "{name}");
        assert!(!directory.path().join("outside").exists() && !Path::new("/tmp/outside").exists(), "{name}");
    }
}

/// As it is where the machine went down while a backup was restored.
#[test]
fn a_directory_that_was_not_restored_to_the_end_is_not_served() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("restoring"), "").unwrap();
    let mut child = Server::command(directory.path()).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while child.try_wait().unwrap().is_none() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    // Where it has ended, this does nothing.
    child.kill().unwrap();
    let said = String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap();
    assert!(said.contains("restore the backup again"), "{said}");
    assert!(!directory.path().join("function-runner.db").exists());
}

#[test]
fn a_backup_of_a_newer_program_is_told_so() {
    use std::io::Write;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("newer.zip");
    let mut zip = zip::ZipWriter::new(fs::File::create(&file).unwrap());
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    zip.start_file("function-runner-backup.json", options).unwrap();
    zip.write_all(br#"{"format":2,"version":"9.9.9","more":true}"#).unwrap();
    zip.finish().unwrap();
    let said = refusal(&restore(&file, &directory.path().join("data")));
    assert!(said.contains("9.9.9") && said.contains("newer"), "{said}");
}

/// The room of what is deleted goes back to the disk, and so does that of the log.
#[tokio::test]
async fn the_database_shrinks_when_much_is_deleted() {
    let server = Server::start(&[]);
    let user = server.user().await;
    let workspace = user.workspace().await;
    let function = user.function_with(&workspace, json!({"runtime": "PYTHON", "code": ECHO_PY})).await;
    for _ in 0..150 {
        user.invoke(&function, &json!("x".repeat(60_000))).await;
    }
    let size = |name: &str| fs::metadata(server.data().join(name)).map_or(0, |file| file.len());
    let most = size("function-runner.db") + size("function-runner.db-wal");
    assert!(most > 12 << 20, "there is something to give back: {most}");
    user.delete(&format!("/workspaces/{workspace}")).await.expect(200);
    let names = ["function-runner.db", "function-runner.db-wal", "function-runner.journal"];
    let begun = Instant::now();
    while names.iter().map(|name| size(name)).sum::<u64>() > 8 << 20 {
        assert!(begun.elapsed() < Duration::from_secs(90), "{:?}", names.map(|name| (name, size(name))));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    user.get("/users/me").await.expect(200);
}
