//! One `Idempotency-Key`, one effect: also when the server is killed, or told to stop, amid the first request.

#![allow(clippy::unwrap_used, reason = "a test that can't go on says where")]

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Answer, Client, Server, poll, unique};
use tokio::task::JoinSet;
use tokio::time::timeout;

const SLOW: [(&str, &str); 2] = [
    ("PYTHON", "import time\ndef handler(event):\n    time.sleep(event['for'])\n    return event['n']"),
    (
        "NODEJS",
        "exports.handler = async e => { await new Promise(r => setTimeout(r, e.for * 1000)); return e.n }",
    ),
];
/// How many requests are under way when the server is killed.
const REQUESTS: usize = 24;
/// How long all of them may take when they come again.
const PATIENCE: Duration = Duration::from_secs(60);

/// `None` if the server died under it.
async fn post(user: &Client, path: &str, key: &str, body: &Value) -> Option<Answer> {
    let request = user.request(Method::POST, path).header("idempotency-key", key).json(body);
    let response = request.send().await.ok()?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Some(Answer { status, headers, body: response.bytes().await.ok()? })
}

fn all(user: &Client, path: &str, requests: &[(String, Value)]) -> JoinSet<(usize, Option<Answer>)> {
    let mut set = JoinSet::new();
    for (at, (key, body)) in requests.iter().cloned().enumerate() {
        let (user, path) = (user.clone(), path.to_owned());
        set.spawn(async move { (at, post(&user, &path, &key, &body).await) });
    }
    set
}

/// The answers to all of them, in order.
async fn answers(user: &Client, path: &str, requests: &[(String, Value)]) -> Vec<Answer> {
    let all =
        timeout(PATIENCE, all(user, path, requests).join_all()).await.expect("all are answered in time");
    let mut answers: Vec<_> = all.into_iter().map(|(at, answer)| (at, answer.expect("answered"))).collect();
    answers.sort_by_key(|(at, _)| *at);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

#[tokio::test]
async fn invocations_that_a_kill_9_cut_off_are_one_job_each() {
    for (runtime, code) in SLOW {
        for execution_type in ["SYNC", "ASYNC"] {
            let mut server = Server::start(&[]);
            let user = server.user().await;
            let fields = json!({"runtime": runtime, "code": code, "execution_type": execution_type});
            let function = user.function_with(&user.workspace().await, fields).await;
            let (path, jobs) =
                (format!("/functions/{function}/invoke"), format!("/functions/{function}/jobs"));
            let requests: Vec<_> =
                (0..REQUESTS).map(|n| (unique("k"), json!({"n": n, "for": 0.1 + 0.05 * n as f64}))).collect();
            let cut = all(&user, &path, &requests);
            poll("some have run and some run", async || {
                let done = user.get(&format!("{jobs}?status=success")).await.expect(200);
                let running = user.get(&format!("{jobs}?status=running")).await.expect(200);
                (done["total"].as_u64() >= Some(3) && running["total"].as_u64() >= Some(3)).then_some(())
            })
            .await;
            server.kill();
            cut.join_all().await;
            server.begin();
            let user = server.anyone().with_token(user.token().unwrap());
            let mut ids = BTreeSet::new();
            for (n, answer) in answers(&user, &path, &requests).await.into_iter().enumerate() {
                let told = answer.expect(if execution_type == "SYNC" { 200 } else { 202 });
                assert!(ids.insert(told["job_id"].as_u64()));
                let job = user.finished(&told["job_id"]).await;
                assert_eq!((&job["status"], &job["output"]), (&json!("success"), &json!(n)), "{job}");
            }
            let listed = user.get(&format!("{jobs}?limit=100")).await.expect(200);
            assert_eq!(listed["total"], json!(REQUESTS), "{runtime}, {execution_type}");
            assert_eq!(listed["jobs"].as_array().unwrap().len(), REQUESTS);
            for answer in answers(&user, &path, &requests).await {
                assert_eq!(answer.header("idempotency-replayed"), Some("true"));
                assert!(ids.contains(&answer.json()["job_id"].as_u64()));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invocation_that_a_stop_cut_off_goes_on_as_the_same_job() {
    for (runtime, code) in SLOW {
        let mut server = Server::start(&[]);
        let user = server.user().await;
        let function = user.function(runtime, code).await;
        let (path, key) = (format!("/functions/{function}/invoke"), unique("k"));
        let event = json!({"n": 7, "for": 9});
        let cut = tokio::spawn({
            let (user, path, key, event) = (user.clone(), path.clone(), key.clone(), event.clone());
            async move { post(&user, &path, &key, &event).await }
        });
        let jobs = format!("/functions/{function}/jobs");
        poll("it runs", async || (user.get(&jobs).await.expect(200)["total"] == 1).then_some(())).await;
        assert_eq!(post(&user, &path, &key, &event).await.unwrap().status, 409, "it really runs");
        tokio::task::block_in_place(|| server.stop());
        assert!(cut.await.unwrap().is_none_or(|answer| answer.status == 503));
        server.begin();
        let user = server.anyone().with_token(user.token().unwrap());
        let answer = timeout(PATIENCE, post(&user, &path, &key, &event)).await.unwrap().unwrap();
        assert_eq!(answer.expect(200)["output"], 7);
        let listed = user.get(&jobs).await.expect(200);
        assert_eq!((&listed["total"], &listed["jobs"][0]["id"]), (&json!(1), &answer.json()["job_id"]));
    }
}

#[tokio::test]
async fn what_a_kill_9_cut_off_is_made_once() {
    let mut server = Server::start(&[]);
    let user = server.user().await;
    let home = user.workspace().await;
    let code = "def handler(event):\n    return 1";
    let workspaces: Vec<_> = (0..REQUESTS).map(|n| (unique("w"), json!({"name": format!("w{n}")}))).collect();
    let functions: Vec<_> = (0..REQUESTS)
        .map(|n| {
            let fields =
                json!({"name": format!("f{n}"), "workspace_id": home, "runtime": "PYTHON", "code": code});
            (unique("f"), fields)
        })
        .collect();
    let keys_path = format!("/workspaces/{home}/auth-keys");
    let keys: Vec<_> = (0..REQUESTS).map(|_| (unique("key"), json!({}))).collect();
    let cut = [
        all(&user, "/workspaces/", &workspaces),
        all(&user, "/functions/", &functions),
        all(&user, &keys_path, &keys),
    ];
    poll("some are made", async || {
        let listed = user.get("/functions/").await.expect(200);
        (!listed["functions"].as_array().unwrap().is_empty()).then_some(())
    })
    .await;
    server.kill();
    for set in cut {
        set.join_all().await;
    }
    server.begin();
    let user = server.anyone().with_token(user.token().unwrap());
    let count =
        async |path: &str, name: &str| user.get(path).await.expect(200)[name].as_array().unwrap().len();
    for answer in answers(&user, "/workspaces/", &workspaces).await {
        answer.expect(200);
    }
    assert_eq!(count("/workspaces/?limit=100", "workspaces").await, REQUESTS + 1);
    for answer in answers(&user, "/functions/", &functions).await {
        assert_eq!(answer.expect(200)["status"], "active");
    }
    assert_eq!(count("/functions/?limit=100", "functions").await, REQUESTS);
    let function = user.function_with(&home, json!({"runtime": "PYTHON", "code": code})).await;
    for answer in answers(&user, &keys_path, &keys).await {
        let key = answer.expect(200)["key"].as_str().unwrap().to_owned();
        user.with_token(&key)
            .post(&format!("/functions/{function}/invoke/workspace"), &json!({}))
            .await
            .expect(200);
    }
    assert_eq!(count(&format!("{keys_path}?limit=100"), "auth_keys").await, REQUESTS);
}
