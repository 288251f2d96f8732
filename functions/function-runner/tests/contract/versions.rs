//! Versions and rollback.

use serde_json::json;
use testkit::Server;

fn code(n: u32) -> String {
    format!("def handler(event):\n    return {n}\n")
}

#[tokio::test]
async fn new_code_is_a_new_version_and_old_ones_stay() {
    let user = Server::shared().user().await;
    let function = user.function("PYTHON", &code(1)).await;
    let path = format!("/functions/{function}");
    for n in 2..=3 {
        assert_eq!(user.put(&path, &json!({"code": code(n)})).await.expect(200)["version"], n);
    }
    // The same code again is no new version.
    assert_eq!(user.put(&path, &json!({"code": code(3), "name": "renamed"})).await.expect(200)["version"], 3);
    assert_eq!(user.invoke(&function, &json!({})).await["output"], 3);

    let listed = user.get(&format!("{path}/versions")).await.expect(200);
    let versions: Vec<_> = listed["versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| (v["version"].clone(), v["code"].clone()))
        .collect();
    assert_eq!(versions, [3, 2, 1].map(|n| (json!(n), json!(code(n)))));

    let back = user.post(&format!("{path}/rollback"), &json!({"version": 1})).await.expect(200);
    assert_eq!((&back["version"], &back["code"]), (&json!(1), &json!(code(1))));
    let ran = user.invoke(&function, &json!({})).await;
    assert_eq!((&ran["output"], &ran["version"]), (&json!(1), &json!(1)));
    // What comes after a rollback is the next version, not the second again.
    assert_eq!(user.put(&path, &json!({"code": code(4)})).await.expect(200)["version"], 4);
    assert_eq!(user.invoke(&function, &json!({})).await["output"], 4);
}

#[tokio::test]
async fn rolls_back_only_to_what_there_is() {
    let user = Server::shared().user().await;
    let path = format!("/functions/{}/rollback", user.function("PYTHON", &code(1)).await);
    assert_eq!(user.post(&path, &json!({"version": 2})).await.expect(404)["detail"], "Version not found");
    for (body, kind) in [
        (json!({}), "missing"),
        (json!({"version": 0}), "greater_than_equal"),
        (json!({"version": "one"}), "int_parsing"),
        (json!({"version": 1.5}), "int_from_float"),
    ] {
        assert_eq!(user.post(&path, &body).await.faults(), [("body.version".to_owned(), kind.to_owned())]);
    }
}

#[tokio::test]
async fn a_change_of_runtime_is_a_version_too() {
    let user = Server::shared().user().await;
    let function = user.function("PYTHON", &code(1)).await;
    let path = format!("/functions/{function}");
    let changed = json!({"runtime": "NODEJS", "code": "exports.handler = () => 'node'"});
    let changed = user.put(&path, &changed).await.expect(200);
    assert_eq!((&changed["version"], &changed["runtime"]), (&json!(2), &json!("NODEJS")));
    assert_eq!(user.invoke(&function, &json!({})).await["output"], "node");
    let back = user.post(&format!("{path}/rollback"), &json!({"version": 1})).await.expect(200);
    assert_eq!(back["runtime"], "PYTHON");
    assert_eq!(user.invoke(&function, &json!({})).await["output"], 1);
}

#[tokio::test]
async fn a_queued_job_runs_the_version_it_was_submitted_with() {
    let user = Server::shared().user().await;
    let workspace = user.workspace().await;
    // The first job holds the one place this long, so that the others wait while the code changes.
    let slow = "import time\ndef handler(event):\n    time.sleep(event['for'])\n    return 1\n";
    let function = user
        .function_with(&workspace, json!({"runtime": "PYTHON", "code": slow, "execution_type": "ASYNC"}))
        .await;
    let path = format!("/functions/{function}");
    let mut jobs = Vec::new();
    for seconds in std::iter::repeat_n(0.3, 12) {
        let accepted = user.post(&format!("{path}/invoke"), &json!({"for": seconds})).await.expect(202);
        jobs.push(accepted["job_id"].clone());
    }
    user.put(&path, &json!({"code": code(2)})).await.expect(200);
    let newer = user.post(&format!("{path}/invoke"), &json!({})).await.expect(202)["job_id"].clone();
    for job in jobs {
        let job = user.finished(&job).await;
        assert_eq!((&job["version"], &job["output"]), (&json!(1), &json!(1)), "{job}");
    }
    let newer = user.finished(&newer).await;
    assert_eq!((&newer["version"], &newer["output"]), (&json!(2), &json!(2)));
}
