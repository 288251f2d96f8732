//! Memory that ran out, and not the function's own.

use std::path::PathBuf;

use serde_json::json;
use testkit::{Server, poll};

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

/// Two functions that each keep to their own limit, where there is room for one of them.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_gave_way_to_others_is_run_again() {
    const SOURCE: &str = "import time\ndef handler(mb):\n    held = bytearray(b'x') * (mb << 20)\n    time.sleep(1.5)\n    return len(held) >> 20";
    let server = Server::start(&[]);
    let user = server.user().await;
    let workspace = user.workspace().await;
    let fields = |name: &str, execution: &str| json!({"name": name, "runtime": "PYTHON", "code": SOURCE, "execution_type": execution, "memory_mb": 256});
    let function = user.function_with(&workspace, fields("later", "ASYNC")).await;
    let now = user.function_with(&workspace, fields("now", "SYNC")).await;
    assert_eq!(user.invoke(&now, &json!(150)).await["output"], json!(150));
    let Some((group, limit)) = group_of(server.pid()) else {
        // Not root, nor was a group delegated to whoever runs this.
        return;
    };
    std::fs::write(group.join(limit), (290 << 20).to_string()).unwrap();
    let mut jobs = Vec::new();
    for _ in 0..2 {
        let answer = user.post(&format!("/functions/{function}/invoke"), &json!(150)).await.expect(202);
        jobs.push(answer["job_id"].clone());
    }
    for job in jobs {
        let path = format!("/jobs/{job}");
        let ended = poll("the job ends", async || {
            let job = user.get(&path).await.expect(200);
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
