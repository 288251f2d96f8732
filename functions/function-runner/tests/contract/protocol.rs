//! What HTTP itself asks for: bodies, methods, headers, CORS, documents.

use reqwest::Method;
use serde_json::json;
use testkit::{Server, unique};

#[tokio::test]
async fn the_root_and_health_say_what_this_is() {
    let anyone = Server::shared().anyone();
    let root = anyone.get("/").await.expect(200);
    assert_eq!((&root["message"], &root["docs"]), (&json!("Function Runner API"), &json!("/docs")));
    assert!(root["version"].is_string() && root["environment"].is_string());
    assert_eq!(root["status"], "ok");
    let health = anyone.get("/health").await.expect(200);
    assert_eq!(health["status"], "healthy");
    for part in ["table", "blobs", "queue", "runtime"] {
        assert!(health["checks"][part].is_string(), "{health}");
    }
    // Once both have been asked who they are.
    testkit::poll("the interpreters are named", async || {
        let health = anyone.get("/health").await.expect(200);
        let told = health["checks"]["runtime"].as_str()?;
        (told.contains("; Python 3.") && told.contains("; Node.js ") && !told.contains("looked for"))
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn every_answer_has_a_request_id_the_callers_own_if_it_is_sane() {
    let anyone = Server::shared().anyone();
    let with = async |id: &str| {
        let answer = anyone.send(anyone.request(Method::GET, "/users/me").header("x-request-id", id)).await;
        let shown = answer.header("x-request-id").unwrap().to_owned();
        assert_eq!(answer.expect(401)["request_id"], shown);
        shown
    };
    assert_eq!(with("my-id.1_2").await, "my-id.1_2");
    for odd in ["", "a b", &"x".repeat(129), "<script>"] {
        assert_ne!(with(odd).await, odd);
    }
    assert!(anyone.get("/nothing").await.header("x-request-id").is_some());
}

#[tokio::test]
async fn unknown_paths_and_wrong_methods_are_told_in_the_apis_words() {
    let anyone = Server::shared().anyone();
    for path in ["/nothing", "/users", "/workspaces/a/b/c", "/%00", "/..%2f..%2fetc/passwd", "//"] {
        let answer = anyone.get(path).await;
        assert!(matches!(answer.status, 200 | 404), "{path}: {}", answer.status);
        assert!(answer.json().is_object(), "{path}");
    }
    let wrong = anyone.delete("/users/register").await;
    assert!(wrong.header("allow").is_some_and(|allow| allow.contains("POST")));
    assert!(wrong.expect(405)["detail"].is_string());
}

#[tokio::test]
async fn a_slash_at_the_end_makes_no_difference() {
    let user = Server::shared().user().await;
    for path in ["/workspaces", "/functions", "/users/me", "/health"] {
        let (without, with) = (user.get(path).await, user.get(&format!("{path}/")).await);
        assert_eq!((without.status, with.status), (200, 200), "{path}");
    }
    user.post("/workspaces", &json!({"name": unique("w")})).await.expect(200);
}

#[tokio::test]
async fn bodies_that_are_no_json_are_refused_in_pydantics_words() {
    let anyone = Server::shared().anyone();
    let send =
        async |body: Vec<u8>| anyone.send(anyone.request(Method::POST, "/users/register").body(body)).await;
    for bad in [&b"{"[..], b"{\"a\": \xff}", b"nonsense", b"{\"a\":1}x"] {
        let faults = send(bad.to_vec()).await.faults();
        assert_eq!(faults[0].1, "json_invalid", "{bad:?}");
        assert!(faults[0].0.starts_with("body"));
    }
    assert_eq!(send(Vec::new()).await.faults(), [("body".to_owned(), "missing".to_owned())]);
    for odd in ["[]", "1", "\"text\"", "true"] {
        assert_eq!(
            send(odd.into()).await.faults(),
            [("body".to_owned(), "model_attributes_type".to_owned())],
            "{odd}"
        );
    }
    assert_eq!(send([b"[".repeat(10_000), b"]".repeat(10_000)].concat()).await.faults()[0].1, "json_invalid");
    // What curl -d sends is read as JSON, whatever it is called.
    let form = anyone
        .request(Method::POST, "/users/register")
        .header("content-type", "application/x-www-form-urlencoded");
    let body = json!({"username": unique("curl-"), "name": "C", "password": "password1"});
    anyone.send(form.body(body.to_string())).await.expect(200);
}

#[tokio::test]
async fn a_hundred_megabytes_are_refused_without_breaking_the_connection() {
    let anyone = Server::shared().anyone();
    let body = vec![b'x'; 100 * 1024 * 1024];
    for path in ["/users/register", "/users/login"] {
        let answer = anyone.send(anyone.request(Method::POST, path).body(body.clone())).await;
        assert_eq!(answer.expect(413)["code"], "BODY_TOO_LARGE");
    }
    anyone.get("/health").await.expect(200);
}

#[tokio::test]
async fn browsers_may_call_from_anywhere_without_credentials() {
    let anyone = Server::shared().anyone();
    for path in ["/users/login", "/workspaces/", "/functions/x/invoke", "/run/x/y"] {
        let preflight = anyone
            .request(Method::OPTIONS, path)
            .header("origin", "https://app.example.com")
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,content-type,idempotency-key");
        let answer = anyone.send(preflight).await;
        answer.assert_browsers_may("POST", &["authorization", "content-type", "idempotency-key"]);
    }
    let refused =
        anyone.send(anyone.request(Method::GET, "/users/me").header("origin", "https://a.example")).await;
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (401, Some("*")));
}

#[tokio::test]
async fn documents_are_served_and_load_nothing_from_elsewhere() {
    let anyone = Server::shared().anyone();
    let openapi = anyone.get("/openapi.json").await.expect(200);
    assert_eq!(openapi["openapi"], "3.1.0");
    for path in ["/docs", "/redoc"] {
        let page = anyone.get(path).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(page.header("content-type").is_some_and(|kind| kind.starts_with("text/html")));
        let html = String::from_utf8(page.body.to_vec()).unwrap();
        assert!(!html.contains("//cdn") && !html.contains("https://"), "{path}: {html}");
        let policy = page.header("content-security-policy").unwrap_or_else(|| panic!("{path} has no policy"));
        assert!(policy.contains("'self'") && !policy.contains('*'), "{policy}");
    }
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let anyone = Server::shared().anyone();
    let answer = anyone.send(anyone.request(Method::HEAD, "/health")).await;
    assert_eq!((answer.status, answer.body.len()), (200, 0));
}

/// The 23 routes of the published document, and those that decisions.md adds.
#[tokio::test]
async fn every_route_of_the_document_is_there() {
    let document = Server::shared().anyone().get("/openapi.json").await.expect(200);
    for (method, path) in [
        ("POST", "/users/register"),
        ("POST", "/users/login"),
        ("GET", "/users/me"),
        ("GET", "/workspaces/"),
        ("POST", "/workspaces/"),
        ("GET", "/workspaces/{workspace_id}"),
        ("PUT", "/workspaces/{workspace_id}"),
        ("DELETE", "/workspaces/{workspace_id}"),
        ("POST", "/workspaces/{workspace_id}/auth-keys"),
        ("GET", "/workspaces/{workspace_id}/auth-keys"),
        ("DELETE", "/workspaces/{workspace_id}/auth-keys/{key_id}"),
        ("GET", "/workspaces/{workspace_id}/metrics"),
        ("GET", "/workspaces/{workspace_id}/functions"),
        ("GET", "/functions/"),
        ("POST", "/functions/"),
        ("GET", "/functions/{function_id}"),
        ("PUT", "/functions/{function_id}"),
        ("DELETE", "/functions/{function_id}"),
        ("POST", "/functions/{function_id}/invoke"),
        ("POST", "/functions/{function_id}/invoke/workspace"),
        ("GET", "/functions/{function_id}/jobs"),
        ("GET", "/functions/{function_id}/metrics"),
        ("GET", "/functions/{function_id}/versions"),
        ("POST", "/functions/{function_id}/rollback"),
        ("GET", "/jobs/{id}"),
        ("POST", "/jobs/{id}/cancel"),
        ("POST", "/jobs/{id}/retry"),
        ("GET", "/"),
        ("GET", "/health"),
        ("GET", "/run/{workspace_id}/{endpoint}"),
        ("POST", "/run/{workspace_id}/{endpoint}"),
    ] {
        let operation = &document["paths"][path][method.to_lowercase()];
        assert!(operation["operationId"].is_string(), "{method} {path} is not there");
    }
}
