//! How errors look.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Server, unique};

use crate::workspace;

#[tokio::test]
async fn have_one_shape() {
    let user = Server::shared().user().await;
    let nobody = user.without_token();
    let here = workspace(&user).await;
    let send = async |method: Method, path: &str, body: &'static str| {
        user.send(user.request(method, path).header("x-request-id", "mine-1").body(body)).await
    };
    let large = "[".to_owned() + &"1,".repeat(3 * 1024 * 1024 + 10);
    let large = user
        .send(user.request(Method::POST, "/api/workspaces").header("x-request-id", "mine-1").body(large))
        .await;
    let nothing = "/api/workspaces/00000000-0000-4000-8000-000000000000";
    for (answer, status, code) in [
        (send(Method::POST, "/api/workspaces", "").await, 400, "VALIDATION_ERROR"),
        (send(Method::POST, "/api/workspaces", "{oops").await, 400, "VALIDATION_ERROR"),
        (send(Method::POST, "/api/workspaces", "[]").await, 400, "VALIDATION_ERROR"),
        (send(Method::POST, "/api/workspaces", "null").await, 400, "VALIDATION_ERROR"),
        (send(Method::POST, "/api/workspaces", "{\"name\": 7}").await, 400, "VALIDATION_ERROR"),
        (large, 413, "PAYLOAD_TOO_LARGE"),
        (send(Method::GET, nothing, "").await, 404, "NOT_FOUND"),
        (send(Method::GET, "/api/nothing", "").await, 404, "NOT_FOUND"),
        (send(Method::GET, "/api", "").await, 404, "NOT_FOUND"),
        (send(Method::GET, &format!("{here}/nothing/else"), "").await, 404, "NOT_FOUND"),
        (send(Method::PUT, &here, "{}").await, 405, "METHOD_NOT_ALLOWED"),
    ] {
        let body = answer.expect(status);
        let error = body["error"].as_object().unwrap();
        assert_eq!((body.as_object().unwrap().len(), &error["code"]), (1, &json!(code)), "{body}");
        assert!(error["message"].as_str().is_some_and(|text| !text.is_empty()), "{body}");
        assert_eq!((&error["request_id"], answer.header("x-request-id")), (&json!("mine-1"), Some("mine-1")));
        assert_eq!(error.contains_key("details"), status == 400, "{body}");
        if status == 400 {
            assert!(error["details"]["field"].is_string(), "{body}");
        }
    }
    let refused = nobody.get(&here).await;
    assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
    assert_eq!(refused.expect(401)["error"]["code"], "UNAUTHORIZED");
    let wrong = send(Method::PUT, &here, "{}").await;
    assert!(wrong.header("allow").unwrap().contains("PATCH"), "{:?}", wrong.headers);
    // Other paths keep the other API's words.
    assert!(user.get("/nothing").await.expect(404)["detail"].is_string());
}

#[tokio::test]
async fn an_idempotency_key_makes_one_of_everything() {
    let user = Server::shared().user().await;
    let key = unique("key-");
    let post = async |body: &Value| {
        user.send(user.request(Method::POST, "/api/workspaces").header("idempotency-key", &key).json(body))
            .await
    };
    let new = json!({"name": unique("once ")});
    let first = post(&new).await;
    let again = post(&new).await;
    assert_eq!(first.expect(201), again.expect(201));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    let other = post(&json!({"name": unique("other ")})).await.expect(422);
    assert_eq!(other["error"]["details"]["reason"], "IDEMPOTENCY_KEY_REUSED");
    assert_eq!(user.get("/api/workspaces").await.expect(200).as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn browsers_may_call_from_anywhere() {
    let anyone = Server::shared().anyone();
    let preflight = anyone
        .request(Method::OPTIONS, "/api/workspaces")
        .header("origin", "https://app.example")
        .header("access-control-request-method", "PATCH")
        .header("access-control-request-headers", "authorization,content-type");
    let answer = anyone.send(preflight).await;
    answer.assert_browsers_may("PATCH", &["authorization", "content-type"]);
    let refused =
        anyone.send(anyone.request(Method::GET, "/api/workspaces").header("origin", "https://x")).await;
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (401, Some("*")));
    assert!(refused.header("access-control-expose-headers").unwrap().contains("link"));
}
