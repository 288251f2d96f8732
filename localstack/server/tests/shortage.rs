//! Memory that ran out, and not the function's own.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that can't go on says where")]

mod held;

use std::path::PathBuf;

use serde_json::json;
use testkit::{Server, poll};

use held::WAIT_PY;

/// Where the groups of a server's workers are, if it can make any.
fn group_of(pid: u32) -> Option<(PathBuf, &'static str)> {
    let own = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    own.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?);
        let (root, file) = match controllers {
            "memory" => ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            "" => ("/sys/fs/cgroup", "memory.max"),
            _ => return None,
        };
        let folder = PathBuf::from(format!("{root}{}/function-runner-{pid}", path.trim_end_matches('/')));
        folder.join(file).is_file().then_some((folder, file))
    })
}

/// Two runs that each keep to their own limit, where there is room for one of them.
#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stderr, reason = "whoever runs it must see that it proved nothing")]
async fn a_run_that_gave_way_to_others_is_run_again() {
    const HOLD: &str = "def handler(mb):\n    return len(bytearray(b'x') * (mb << 20)) >> 20\n";
    const HOLD_AND_WAIT: &str =
        "def handler(mb):\n    held = bytearray(b'x') * (mb << 20)\n    wait()\n    return len(held) >> 20\n";
    let server = Server::start(&[]);
    let user = server.user().await;
    let workspace = user.workspace().await;
    let fields = |name: &str, execution: &str, code: &str| {
        json!({"name": name, "runtime": "PYTHON", "code": code, "execution_type": execution, "memory_mb": 256,
               "timeout_seconds": 120})
    };
    let code = format!("{WAIT_PY}{HOLD_AND_WAIT}");
    let function = user.function_with(&workspace, fields("later", "ASYNC", &code)).await;
    let now = user.function_with(&workspace, fields("now", "SYNC", HOLD)).await;
    assert_eq!(user.invoke(&now, &json!(150)).await["output"], json!(150));
    let Some((group, limit)) = group_of(server.pid()) else {
        eprintln!("skipped: without root or a delegated control group there is no shortage to be told of");
        return;
    };
    std::fs::write(group.join(limit), (290 << 20).to_string()).unwrap();
    let mut jobs = Vec::new();
    for _ in 0..2 {
        let answer = user.post(&format!("/functions/{function}/invoke"), &json!(150)).await.expect(202);
        jobs.push(format!("/jobs/{}", answer["job_id"]));
        if jobs.len() == 1 {
            let first_holds_its_memory = async || (held::waiting(server.pid()).len() == 1).then_some(());
            poll("the first holds its memory", first_holds_its_memory).await;
        }
    }
    poll("one gives way, for it needs memory that the other holds", async || {
        for job in &jobs {
            let job = user.get(job).await.expect(200);
            assert!(
                !["success", "error"].contains(&job["status"].as_str().unwrap()),
                "none was told to end: {job}"
            );
            if job["attempts"].as_u64() > Some(1) {
                return Some(());
            }
        }
        None
    })
    .await;
    for job in jobs {
        let ended = poll("the job ends", async || {
            held::end(server.pid());
            let job = user.get(&job).await.expect(200);
            ["success", "error"].contains(&job["status"].as_str().unwrap()).then_some(job)
        });
        let ended = ended.await;
        assert_eq!((&ended["status"], &ended["output"]), (&json!("success"), &json!(150)), "{ended}");
    }
    // One alone, for which there is not even room: told apart from a function that used too much.
    std::fs::write(group.join(limit), (160 << 20).to_string()).unwrap();
    let refused = user.post(&format!("/functions/{now}/invoke"), &json!(200)).await.expect(503);
    assert!(!refused.to_string().contains("256 MB"), "{refused}");
}
