//! What an operator's settings do to a server.

#![allow(clippy::unwrap_used, reason = "a test that can't go on says where")]

use reqwest::Method;
use serde_json::json;
use testkit::{ECHO_PY, Server};
use tokio::task::JoinSet;

#[tokio::test]
async fn a_burst_beyond_the_limits_waits_or_is_told_when_to_come_back() {
    let server = Server::start(&["--function-concurrency", "1", "--concurrency", "2"]);
    let user = server.user().await;
    let code = "import time\ndef handler(event):\n    time.sleep(1)\n    return event";
    let function = user.function("PYTHON", code).await;
    let path = format!("/functions/{function}/invoke");
    let mut runs = JoinSet::new();
    for n in 0..20 {
        let (user, path) = (user.clone(), path.clone());
        runs.spawn(async move { user.post(&path, &json!(n)).await });
    }
    let answers = runs.join_all().await;
    let ran = answers.iter().filter(|answer| answer.status == 200).count();
    for refused in answers.iter().filter(|answer| answer.status != 200) {
        assert!(refused.header("retry-after").is_some_and(|wait| wait.parse::<u64>().is_ok_and(|s| s >= 1)));
        assert_eq!(refused.expect(429)["code"], "CONCURRENCY_LIMIT");
    }
    assert!((2..20).contains(&ran), "{ran}");
    // What was refused left no trace.
    let listed = user.get(&format!("/functions/{function}/jobs")).await.expect(200);
    assert_eq!(listed["total"], json!(ran));
}

#[tokio::test]
async fn allowed_origins_are_the_only_ones() {
    let server = Server::start(&["--allowed-origin", "https://app.example.com"]);
    let ask = async |origin: &str| {
        let request = server.anyone().request(Method::GET, "/health").header("origin", origin);
        server.anyone().send(request).await.header("access-control-allow-origin").map(str::to_owned)
    };
    assert_eq!(ask("https://app.example.com").await.as_deref(), Some("https://app.example.com"));
    assert_eq!(ask("https://evil.example.com").await, None);
}

#[tokio::test]
async fn a_proxy_that_is_trusted_says_where_callers_are() {
    let server = Server::start(&["--trusted-proxy", "127.0.0.1"]);
    let user = server.user().await;
    let function = user.function("PYTHON", ECHO_PY).await;
    let workspace = user.get(&format!("/functions/{function}")).await.expect(200)["workspace_id"].clone();
    let path = format!("/api/workspaces/{}/functions/{function}", workspace.as_str().unwrap());
    let request = user
        .request(Method::GET, &path)
        .header("x-forwarded-proto", "https")
        .header("x-forwarded-host", "fn.example");
    let shown = user.send(request).await.expect(200);
    let url = shown["invocationUrl"].as_str().unwrap();
    assert!(url.starts_with("https://fn.example/run/"), "{url}");
}

#[tokio::test]
async fn registrations_are_limited_per_source() {
    let server = Server::start(&["--registrations-per-source", "3", "--trusted-proxy", "127.0.0.1"]);
    let register = async |source: &str, username: &str| {
        let new = json!({"username": username, "name": "N", "password": "password1"});
        let request = server.anyone().request(Method::POST, "/users/register").json(&new);
        server.anyone().send(request.header("x-forwarded-for", source)).await
    };
    for n in 0..3 {
        register("192.0.2.1", &format!("user-{n}")).await.expect(200);
    }
    let refused = register("192.0.2.1", "user-3").await;
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=300).contains(&wait), "{wait}");
    assert_eq!(refused.expect(429)["code"], "TOO_MANY_REQUESTS");
    register("192.0.2.2", "user-3").await.expect(200);
    // Who is registered logs in as ever.
    let login = json!({"username": "user-0", "password": "password1"});
    let request = server.anyone().request(Method::POST, "/users/login").json(&login);
    server.anyone().send(request.header("x-forwarded-for", "192.0.2.1")).await.expect(200);
}

#[tokio::test]
async fn a_user_has_no_more_than_the_quotas_whatever_comes_at_once() {
    let quotas = ["--workspaces-per-user", "3", "--functions-per-user", "4", "--versions-per-function", "2"];
    let server = Server::start(&quotas);
    let user = server.user().await;
    let mut made = JoinSet::new();
    for n in 0..16 {
        let user = user.clone();
        let path = if n % 2 == 0 { "/workspaces/" } else { "/api/workspaces" };
        made.spawn(async move { user.post(path, &json!({"name": format!("w{n}")})).await });
    }
    let answers = made.join_all().await;
    let refused = answers.iter().filter(|answer| answer.status == 409);
    assert_eq!((refused.clone().count(), answers.len()), (13, 16));
    for refused in refused {
        assert!(refused.json().to_string().contains("3 workspaces"), "{refused:?}");
    }
    let listed = user.get("/workspaces/").await.expect(200)["workspaces"].clone();
    assert_eq!(listed.as_array().unwrap().len(), 3);
    let workspace = |n: usize| listed[n]["id"].as_str().unwrap().to_owned();

    let function = |n: usize| {
        let code = format!("def handler(event):\n    return {n}");
        json!({"name": format!("f{n}"), "workspace_id": workspace(n % 3), "runtime": "PYTHON", "code": code})
    };
    let mut made = JoinSet::new();
    for n in 0..12 {
        let (user, new) = (user.clone(), function(n));
        made.spawn(async move { user.post("/functions/", &new).await });
    }
    let answers = made.join_all().await;
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status != 200).collect();
    assert_eq!(refused.len(), 8);
    assert_eq!(refused[0].expect(409)["code"], "QUOTA_EXCEEDED");
    let enveloped =
        json!({"name": "g", "runtime": "Python 3.12", "code": "ZGVmIGhhbmRsZXIoZXZlbnQpOiBwYXNz"});
    let refused =
        user.post(&format!("/api/workspaces/{}/functions", workspace(0)), &enveloped).await.expect(409);
    assert!(refused["error"]["message"].as_str().unwrap().contains("4 functions"), "{refused}");

    // What is deleted makes room; a workspace for all that was in it.
    let id = |answer: &testkit::Answer| answer.json()["id"].as_str().unwrap().to_owned();
    let functions: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    user.delete(&format!("/functions/{}", id(functions[0]))).await.expect(200);
    let again = user.post("/functions/", &function(20)).await.expect(200);
    user.post("/functions/", &function(21)).await.expect(409);
    let home = again["workspace_id"].as_str().unwrap();
    let inside = user.get(&format!("/workspaces/{home}/functions")).await.expect(200)["functions"].clone();
    user.delete(&format!("/workspaces/{home}")).await.expect(200);
    user.get(&format!("/functions/{}", again["id"].as_str().unwrap())).await.expect(404);
    let other = user.workspace().await;
    for _ in inside.as_array().unwrap() {
        user.function_with(&other, json!({"runtime": "PYTHON", "code": ECHO_PY})).await;
    }
    let mut more = function(0);
    more["workspace_id"] = other.clone().into();
    assert_eq!(user.post("/functions/", &more).await.expect(409)["code"], "QUOTA_EXCEEDED");

    // Of versions the oldest go.
    let listed = user.get(&format!("/workspaces/{other}/functions")).await.expect(200)["functions"].clone();
    let function = format!("/functions/{}", listed[0]["id"].as_str().unwrap());
    for n in 2..=4 {
        user.put(&function, &json!({"code": format!("def handler(event):\n    return {n}")}))
            .await
            .expect(200);
    }
    let versions = user.get(&format!("{function}/versions")).await.expect(200)["versions"].clone();
    let numbers: Vec<_> =
        versions.as_array().unwrap().iter().map(|version| version["version"].clone()).collect();
    assert_eq!(numbers, [4, 3]);
    user.post(&format!("{function}/rollback"), &json!({"version": 2})).await.expect(404);
    user.post(&format!("{function}/rollback"), &json!({"version": 3})).await.expect(200);
    assert_eq!(user.post(&format!("{function}/invoke"), &json!({})).await.expect(200)["output"], 3);
}
