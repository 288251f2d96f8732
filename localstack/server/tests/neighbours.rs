//! Two servers on one machine.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that can't go on says where")]

use std::collections::BTreeSet;

use serde_json::json;
use testkit::Server;

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
