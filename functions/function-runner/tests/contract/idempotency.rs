//! `Idempotency-Key`

use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Answer, Client, Server, unique};
use tokio::task::JoinSet;

async fn post(user: &Client, path: &str, key: &str, body: &Value) -> Answer {
    user.send(user.request(Method::POST, path).header("idempotency-key", key).json(body)).await
}

#[tokio::test]
async fn the_same_request_gets_the_first_answer_and_is_not_done_again() {
    let user = Server::shared().user().await;
    let workspace = user.workspace().await;
    let code = "count = 0\ndef handler(event):\n    global count\n    count += 1\n    return count";
    let function = user.function_with(&workspace, json!({"runtime": "PYTHON", "code": code})).await;
    for (path, body) in [
        ("/workspaces/".to_owned(), json!({"name": unique("w")})),
        (format!("/workspaces/{workspace}/auth-keys"), json!({"expires_hours": 2})),
        (
            "/functions/".to_owned(),
            json!({"name": unique("f"), "workspace_id": workspace, "runtime": "PYTHON", "code": code}),
        ),
        (format!("/functions/{function}/invoke"), json!({"n": 1})),
        (
            "/users/register".to_owned(),
            json!({"username": unique("u"), "name": "U", "password": "password1"}),
        ),
    ] {
        let key = unique("key ");
        let first = post(&user, &path, &key, &body).await;
        first.expect(200);
        assert_eq!(first.header("idempotency-replayed"), None);
        let again = post(&user, &path, &key, &body).await;
        assert_eq!(
            (again.expect(200), again.header("idempotency-replayed")),
            (first.json(), Some("true")),
            "{path}"
        );
        let other = post(&user, &path, &key, &json!({"name": "other", "expires_hours": 3})).await;
        assert_eq!(other.status, 422, "{path}");
    }
    assert_eq!(user.invoke(&function, &json!({})).await["output"], 2);
}

#[tokio::test]
async fn an_accepted_job_is_accepted_once() {
    let user = Server::shared().user().await;
    let fields = json!({"runtime": "NODEJS", "code": "exports.handler = () => 1", "execution_type": "ASYNC"});
    let function = user.function_with(&user.workspace().await, fields).await;
    let (path, key) = (format!("/functions/{function}/invoke"), unique("k"));
    let first = post(&user, &path, &key, &json!(1)).await;
    let again = post(&user, &path, &key, &json!(1)).await;
    assert_eq!((first.expect(202), first.header("location")), (again.expect(202), again.header("location")));
    assert_eq!(user.get(&format!("/functions/{function}/jobs")).await.expect(200)["total"], 1);
}

#[tokio::test]
async fn keys_are_per_caller() {
    let (user, other) = (Server::shared().user().await, Server::shared().user().await);
    let (key, body) = (unique("k"), json!({"name": unique("w")}));
    let one = post(&user, "/workspaces/", &key, &body).await.expect(200);
    let two = post(&other, "/workspaces/", &key, &body).await;
    assert_eq!(two.header("idempotency-replayed"), None);
    assert_ne!(two.expect(200)["id"], one["id"]);
}

#[tokio::test]
async fn of_many_twins_one_is_done() {
    let user = Server::shared().user().await;
    let code = "import time\ndef handler(event):\n    time.sleep(0.5)\n    return 1";
    let function = user.function("PYTHON", code).await;
    let (path, key) = (format!("/functions/{function}/invoke"), unique("k"));
    let mut twins = JoinSet::new();
    for _ in 0..5 {
        let (user, path, key) = (user.clone(), path.clone(), key.clone());
        twins.spawn(async move { post(&user, &path, &key, &json!({})).await });
    }
    for answer in twins.join_all().await {
        assert!(matches!(answer.status, 200 | 409), "{answer:?}");
    }
    assert_eq!(user.get(&format!("/functions/{function}/jobs")).await.expect(200)["total"], 1);
}

#[tokio::test]
async fn a_key_that_is_none_is_refused() {
    let user = Server::shared().user().await;
    for key in ["", &"k".repeat(256), "schlüssel"] {
        let answer = post(&user, "/workspaces/", key, &json!({"name": unique("w")})).await;
        assert_eq!(answer.faults()[0].0.to_lowercase(), "header.idempotency-key", "{key}");
    }
}

#[tokio::test]
async fn a_refusal_that_would_come_again_may_be_kept_and_a_fault_of_the_body_is_told_each_time() {
    let user = Server::shared().user().await;
    let key = unique("k");
    post(&user, "/workspaces/", &key, &json!({"name": ""})).await.expect(422);
    post(&user, "/workspaces/", &key, &json!({"name": ""})).await.expect(422);
}

/// Other methods of a trigger know no keys. Visitors whom only the function tells apart share no answers.
#[tokio::test]
async fn a_post_to_a_trigger_is_done_once() {
    let user = Server::shared().user().await;
    let workspace = user.workspace().await;
    let code = "def handler(event):\n    return event['requestContext']['requestId']";
    let fields = json!({"runtime": "PYTHON", "code": code, "endpoint": "/hook", "public": true});
    let function = user.function_with(&workspace, fields).await;
    let (path, anyone, key) = (format!("/run/{workspace}/hook"), user.without_token(), unique("k"));
    let send = async |method: Method, cookie: &str, body: &'static str| {
        let request = anyone.request(method, &path).header("idempotency-key", &key);
        anyone.send(request.header("cookie", cookie).body(body)).await
    };
    let first = send(Method::POST, "session=1", "x").await;
    first.expect(200);
    let again = send(Method::POST, "session=1", "x").await;
    assert_eq!((again.expect(200), again.header("idempotency-replayed")), (first.json(), Some("true")));
    assert_eq!(send(Method::POST, "session=1", "y").await.status, 422);
    for (method, cookie) in
        [(Method::POST, "session=2"), (Method::GET, "session=1"), (Method::PUT, "session=1")]
    {
        let other = send(method, cookie, "x").await;
        assert_ne!(other.expect(200), first.json());
        assert_eq!(other.header("idempotency-replayed"), None);
    }
    assert_eq!(user.get(&format!("/functions/{function}/jobs")).await.expect(200)["total"], 4);
}

#[tokio::test]
async fn a_revoked_key_gets_no_answer_that_was_kept() {
    let user = Server::shared().user().await;
    let workspace = user.workspace().await;
    let fields = json!({"runtime": "NODEJS", "code": "exports.handler = () => 'secret'"});
    let function = user.function_with(&workspace, fields).await;
    let keys = format!("/workspaces/{workspace}/auth-keys");
    let made = user.post(&keys, &json!({})).await.expect(200);
    let holder = user.with_token(made["key"].as_str().unwrap());
    let (path, key) = (format!("/functions/{function}/invoke/workspace"), unique("k"));
    post(&holder, &path, &key, &json!({})).await.expect(200);
    assert_eq!(post(&holder, &path, &key, &json!({})).await.header("idempotency-replayed"), Some("true"));
    user.delete(&format!("{keys}/{}", made["id"].as_str().unwrap())).await.expect(200);
    post(&holder, &path, &key, &json!({})).await.expect(401);
}
