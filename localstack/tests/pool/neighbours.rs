//! Two servers on one machine.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use localstack::pool::Pool;
use localstack::sandbox::{SandboxChoice, SandboxKind};
use serde_json::json;
use testkit::Server;

use crate::kit::{Memory, config, until};

const THREADS: &str = "
import os, threading, time
def handler(count):
    stop = threading.Event()
    threads = [threading.Thread(target=stop.wait) for _ in range(count)]
    for thread in threads: thread.start()
    time.sleep(1)
    stop.set()
    return os.getuid()
";

/// The limit on processes counts per user, so that users of two servers must not be the same.
#[tokio::test(flavor = "multi_thread")]
async fn each_server_may_start_as_many_threads_as_if_it_were_alone() {
    let servers = [(); 2].map(|()| Server::start(&["--sandbox", "bubblewrap"]));
    let mut runs = tokio::task::JoinSet::new();
    for (number, server) in servers.iter().enumerate() {
        let user = server.user().await;
        let workspace = user.workspace().await;
        for n in 0..5 {
            let fields =
                json!({"name": format!("f{n}"), "runtime": "PYTHON", "code": THREADS, "memory_mb": 1024});
            let function = user.function_with(&workspace, fields).await;
            let user = server.anyone().with_token(user.token().unwrap());
            runs.spawn(async move { (number, user.invoke(&function, &json!(55)).await) });
        }
    }
    let mut users = [BTreeSet::new(), BTreeSet::new()];
    while let Some(run) = runs.join_next().await {
        let (number, answer) = run.unwrap();
        assert_eq!(answer["status"], json!("success"), "{answer}");
        users[number].insert(answer["output"].as_u64().unwrap());
    }
    // Where the server is not root each worker is the only one in its namespace.
    if rustix::process::geteuid().is_root() {
        assert_eq!(users.each_ref().map(BTreeSet::len), [5, 5]);
        assert!(users[0].is_disjoint(&users[1]), "{users:?}");
    }
}

/// What a server kills when it starts is what was left of itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_starts_leaves_the_workers_of_others_alone() {
    let folder = tempfile::tempdir().unwrap();
    let start = async |name: &str| {
        let mut config = config(&folder, SandboxChoice::Only(SandboxKind::Bubblewrap));
        config.folder = folder.path().join(name);
        let pool = Pool::start(config, Arc::new(Memory::default())).await.unwrap();
        until("spares are there", || pool.workers() == 2).await;
        pool
    };
    let held = start("data-10").await;
    let of_held = folder.path().join("data-10");
    until("they are bubblewrap's", || launchers(&of_held).len() == 2).await;
    let before = launchers(&of_held);
    // Its folder's name is the beginning of the other's.
    let other = start("data-1").await;
    assert_eq!(launchers(&of_held), before);
    drop((held, other));
}

/// The processes of bubblewrap that bind something of this folder.
fn launchers(folder: &Path) -> BTreeSet<String> {
    let mark = format!("{}/", folder.display());
    let is_one = |entry: &std::fs::DirEntry| {
        let line = std::fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default();
        let mut words = line.split('\0');
        words.next().is_some_and(|program| program.ends_with("bwrap"))
            && words.any(|word| word.starts_with(&mark))
    };
    let outer = |entry: &std::fs::DirEntry| {
        // Its inner process has the same command line.
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let parent =
            stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)).map(str::to_owned);
        parent == Some(std::process::id().to_string())
    };
    let all = std::fs::read_dir("/proc").unwrap().flatten().filter(|entry| is_one(entry) && outer(entry));
    all.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}
