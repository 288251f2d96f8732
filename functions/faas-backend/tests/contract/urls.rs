//! What stands behind `invocationUrl`.

use reqwest::Method;
use serde_json::json;
use testkit::Server;

use crate::{ECHO_JS, made, path, url, workspace};

#[tokio::test]
async fn json_html_and_an_image_come_back() {
    let user = Server::shared().user().await;
    let here = workspace(&user).await;
    let gif = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7";
    let image = format!(
        "exports.handler = () => ({{statusCode: 200, headers: {{'content-type': 'image/gif'}}, body: '{gif}', isBase64Encoded: true}})"
    );
    let page = "exports.handler = () => ({statusCode: 200, headers: {'Content-Type': 'text/html; charset=utf-8'}, body: '<h1>안녕</h1>'})";
    for (code, media, body) in [
        ("exports.handler = () => ({hello: 'world'})", "application/json", &b"{\"hello\":\"world\"}"[..]),
        (page, "text/html; charset=utf-8", "<h1>안녕</h1>".as_bytes()),
        (image.as_str(), "image/gif", &b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x01D\x00;"[..]),
    ] {
        let function = made(&user, &here, code, json!({"public": true})).await;
        let answer = user.without_token().get(&url(&function)).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(media)));
        assert_eq!(&answer.body[..], body);
    }
}

#[tokio::test]
async fn other_methods_get_405_and_the_ones_there_are() {
    let user = Server::shared().user().await;
    let fields = json!({"public": true, "httpMethods": ["GET", "POST"]});
    let function = made(&user, &workspace(&user).await, ECHO_JS, fields).await;
    let anyone = user.without_token();
    let send = async |method: Method| anyone.send(anyone.request(method, &url(&function))).await;
    for method in [Method::PUT, Method::PATCH, Method::DELETE] {
        let refused = send(method).await;
        assert_eq!(refused.header("allow"), Some("GET, POST"));
        assert_eq!(refused.expect(405)["code"], "METHOD_NOT_ALLOWED");
    }
    for method in [Method::GET, Method::POST] {
        let event = send(method.clone()).await.expect(200);
        assert_eq!(event["requestContext"]["http"]["method"], method.as_str());
    }
    let head = send(Method::HEAD).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    // A private one says no more to a stranger than that they are one.
    user.patch(&path(&function), &json!({"public": false})).await.expect(200);
    send(Method::PUT).await.expect(401);
    user.patch(&path(&function), &json!({"public": true, "httpMethods": ["PUT"]})).await.expect(200);
    send(Method::PUT).await.expect(200);
    let refused = send(Method::HEAD).await;
    assert_eq!((refused.status, refused.header("allow")), (405, Some("PUT")));
}

#[tokio::test]
async fn what_is_disabled_answers_409_and_what_is_deleted_404_at_once() {
    let user = Server::shared().user().await;
    let here = workspace(&user).await;
    let function = made(&user, &here, ECHO_JS, json!({"public": true})).await;
    let anyone = user.without_token();
    anyone.get(&url(&function)).await.expect(200);
    user.patch(&path(&function), &json!({"status": "disabled"})).await.expect(200);
    anyone.get(&url(&function)).await.expect(409);
    user.post(&format!("/functions/{}/invoke", function["id"].as_str().unwrap()), &json!({}))
        .await
        .expect(409);
    user.patch(&path(&function), &json!({"status": "active"})).await.expect(200);
    anyone.get(&url(&function)).await.expect(200);
    assert_eq!(user.delete(&here).await.status, 204);
    anyone.get(&url(&function)).await.expect(404);
    user.get(&path(&function)).await.expect(404);
}

#[tokio::test]
async fn browsers_preflight_is_answered_and_the_platforms_cors_is_the_only_one() {
    let user = Server::shared().user().await;
    let code = "exports.handler = () => ({statusCode: 200, headers: {'Access-Control-Allow-Origin': 'https://own.example', \
                'Access-Control-Allow-Credentials': 'true', 'X-Own': '1'}, cookies: ['a=1; HttpOnly', 'b=2'], body: 'x'})";
    let function = made(&user, &workspace(&user).await, code, json!({"public": true})).await;
    let anyone = user.without_token();
    let preflight = anyone
        .request(Method::OPTIONS, &url(&function))
        .header("origin", "https://app.example")
        .header("access-control-request-method", "GET")
        .header("access-control-request-headers", "x-custom");
    let answer = anyone.send(preflight).await;
    answer.assert_browsers_may("GET", &["x-custom"]);
    assert_eq!(user.get(&path(&function)).await.expect(200)["invocations24h"], 0, "nothing ran for it");

    let request = anyone.request(Method::GET, &url(&function)).header("origin", "https://app.example");
    let answer = anyone.send(request).await;
    let origins: Vec<_> = answer.headers.get_all("access-control-allow-origin").iter().collect();
    assert_eq!(origins, ["*"]);
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    assert_eq!((answer.header("x-own"), &answer.body[..]), (Some("1"), &b"x"[..]));
    let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1; HttpOnly", "b=2"]);
}

#[tokio::test]
async fn credentials_and_headers_of_the_connection_stay_with_us() {
    let user = Server::shared().user().await;
    let here = workspace(&user).await;
    let function = made(&user, &here, ECHO_JS, json!({"httpMethods": ["POST"]})).await;
    let caller = user.with_token(&user.key(here.rsplit('/').next().unwrap()).await);
    let request = caller
        .request(Method::POST, &format!("{}?q=%ED%95%9C&q=2", url(&function)))
        .header("cookie", "c=1; d=2")
        .header("te", "trailers")
        .header("x-own", "1")
        .body("words");
    let event = caller.send(request).await.expect(200);
    let headers = event["headers"].as_object().unwrap();
    for kept_back in ["authorization", "connection", "te", "transfer-encoding", "cookie"] {
        assert!(!headers.contains_key(kept_back), "{headers:?}");
    }
    assert!(!event.to_string().contains("frk_"), "{event}");
    assert_eq!((&headers["x-own"], &event["cookies"]), (&json!("1"), &json!(["c=1", "d=2"])));
    assert_eq!(event["queryStringParameters"], json!({"q": "한,2"}));
    assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("words"), &json!(false)));
    assert_eq!((&event["version"], &event["rawPath"]), (&json!("2.0"), &json!(url(&function))));
    let context = &event["requestContext"];
    assert_eq!(context["domainName"], headers["host"]);
    assert!(
        context["time"].as_str().unwrap().ends_with(" +0000") && context["timeEpoch"].is_u64(),
        "{context}"
    );
}

#[tokio::test]
async fn bytes_pass_both_ways() {
    let user = Server::shared().user().await;
    let code = "exports.handler = (event) => ({statusCode: 200, headers: {'content-type': 'application/octet-stream'}, \
                body: event.body, isBase64Encoded: event.isBase64Encoded})";
    let fields = json!({"public": true, "httpMethods": ["PUT"]});
    let function = made(&user, &workspace(&user).await, code, fields).await;
    let bytes: Vec<u8> = (0..=255u8).cycle().take(300_000).collect();
    let request = user
        .request(Method::PUT, &url(&function))
        .header("content-type", "application/octet-stream")
        .body(bytes.clone());
    let answer = user.send(request).await;
    assert_eq!((answer.status, answer.body.len()), (200, bytes.len()));
    assert!(answer.body == bytes, "the bytes came back changed");
}

#[tokio::test]
async fn nobody_but_a_trusted_proxy_says_where_callers_are() {
    let user = Server::shared().user().await;
    let function = made(&user, &workspace(&user).await, ECHO_JS, json!({})).await;
    let request = user.request(Method::GET, &path(&function)).header("x-forwarded-host", "evil.example");
    let shown = user.send(request).await.expect(200);
    assert_eq!(shown["invocationUrl"], format!("{}{}", Server::shared().url(), url(&function)));
}

/// The routes of the published document.
#[tokio::test]
async fn every_route_of_the_document_is_there() {
    let document = Server::shared().anyone().get("/openapi.json").await.expect(200);
    for (method, path) in [
        ("POST", "/api/workspaces"),
        ("GET", "/api/workspaces"),
        ("GET", "/api/workspaces/{id}"),
        ("PATCH", "/api/workspaces/{id}"),
        ("DELETE", "/api/workspaces/{id}"),
        ("POST", "/api/workspaces/{ws_id}/functions"),
        ("GET", "/api/workspaces/{ws_id}/functions"),
        ("GET", "/api/workspaces/{ws_id}/functions/{fn_id}"),
        ("PATCH", "/api/workspaces/{ws_id}/functions/{fn_id}"),
        ("DELETE", "/api/workspaces/{ws_id}/functions/{fn_id}"),
        ("GET", "/api/workspaces/{ws_id}/functions/{fn_id}/logs"),
    ] {
        let operation = &document["paths"][path][method.to_lowercase()];
        assert!(operation["operationId"].is_string(), "{method} {path} is not there");
    }
}
