//! All of this crate over real HTTP: what a caller sees.

#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use http::Method;
use serde_json::{Value, json};
use support::Server;

#[tokio::test]
async fn errors_are_in_the_apis_words() {
    let server = Server::start().await;
    let cases = [
        ("/nothing", 404, json!("Not Found"), "NOT_FOUND"),
        ("/books/7", 404, json!("Book not found"), "BOOK_NOT_FOUND"),
        ("/fail/unprocessable", 422, json!("no"), "NO"),
        ("/fail/other", 400, json!("odd"), "ODD"),
    ];
    for (path, status, detail, code) in cases {
        let answer = server.get(path).await;
        assert_eq!(answer.detail(), (status, detail), "{path}");
        let json = answer.json();
        assert_eq!(json["code"], code, "{path}");
        assert_eq!(json["request_id"], answer.header("x-request-id").unwrap(), "{path}");
    }
    for path in ["/fail/panic", "/fail/internal", "/fail/unavailable"] {
        let answer = server.get(path).await;
        assert!(answer.status.is_server_error() && !answer.text.contains("secret"), "{answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
    assert_eq!(server.get("/fail/unavailable").await.header("retry-after"), Some("1"));
    let busy = server.post("/books", r#"{"title": "busy"}"#).await;
    assert_eq!((busy.status.as_u16(), busy.header("retry-after")), (429, Some("2")));
    let own = server.get("/fail/own").await;
    assert_eq!((own.status.as_u16(), own.text.as_str()), (404, ""), "a handler's own answer stays");

    let wrong = Server::send(server.request(Method::PATCH, "/books/1")).await;
    assert_eq!(wrong.detail(), (405, json!("Method Not Allowed")));
    let mut allowed: Vec<_> = wrong.header("allow").unwrap().split(',').map(str::trim).collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["GET", "HEAD", "PUT"]);
}

#[tokio::test]
async fn callers_are_known_before_anything_is_read() {
    let server = Server::start().await;
    let mut requests = vec![server.request(Method::POST, "/books").body("{")];
    for authorization in ["", "Bearer", "Bearer x", "Basic x", "Bearer a.b.c", "bearer  "] {
        requests.push(server.request(Method::GET, "/books").header("authorization", authorization));
    }
    requests.push(server.request(Method::GET, "/books/not-a-number?limit=0"));
    for request in requests {
        let answer = Server::send(request).await;
        assert_eq!(answer.detail(), (401, json!("Could not validate credentials")));
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
    let who = Server::send(server.request(Method::GET, "/whoami").bearer_auth("frk_x")).await;
    assert_eq!(who.json(), json!(["frk_x", "127.0.0.1"]));
}

#[tokio::test]
async fn all_faults_come_at_once() {
    let server = Server::start().await;
    let answer = server.post("/books", r#"{"title": "  ", "pages": "x"}"#).await;
    let expected = [r#"["body","title"] string_too_short"#, r#"["body","pages"] int_parsing"#];
    assert_eq!(answer.faults(), (422, expected.map(str::to_owned).to_vec()));
    assert_eq!(answer.json().as_object().unwrap().len(), 1, "only detail");

    let put = |path: &str, body: &'static str| {
        Server::send(server.request(Method::PUT, path).bearer_auth(server.token(1)).body(body))
    };
    let answer = put("/books/x", r#"{"title": 1}"#).await;
    let expected = [r#"["path","id"] int_parsing"#, r#"["body","title"] string_type"#];
    assert_eq!(answer.faults(), (422, expected.map(str::to_owned).to_vec()));
    let answer = server.get("/books/-1?limit=101").await;
    let expected = [r#"["path","id"] greater_than_equal"#, r#"["query","limit"] less_than_equal"#];
    assert_eq!(answer.faults(), (422, expected.map(str::to_owned).to_vec()));
    let answer = server.post("/books", r#"{"title": "Necronomicon", "pages": 0}"#).await;
    let expected = [r#"["body","pages"] greater_than_equal"#, r#"["body","title"] value_error"#];
    assert_eq!(answer.faults(), (422, expected.map(str::to_owned).to_vec()));
    let answer = server.get("/books/%ff").await;
    assert_eq!(answer.faults(), (422, vec![r#"["path"] string_unicode"#.to_owned()]));
    let answer = server.post("/labels/abc", "").await;
    assert_eq!(answer.faults(), (422, vec![r#"["path","id"] uuid_parsing"#.to_owned()]));
}

#[tokio::test]
async fn bodies_that_are_no_json() {
    let server = Server::start().await;
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let cases: [(&[u8], &str); 6] = [
        (b"", r#"["body"] missing"#),
        (b" \n", r#"["body"] missing"#),
        (b"null", r#"["body"] missing"#),
        (b"{\"title\": ", r#"["body",9] json_invalid"#),
        (b"{\"title\": \"\xff\"}", r#"["body",11] json_invalid"#),
        (deep.as_bytes(), r#"["body",128] json_invalid"#),
    ];
    for (body, fault) in cases {
        let answer = server.post("/books", body.to_vec()).await;
        assert_eq!(answer.faults(), (422, vec![fault.to_owned()]), "{:.40}", String::from_utf8_lossy(body));
    }
    for (body, echo) in
        [("", "{}"), (" 1.00e2 ", " 1.00e2 "), ("null", "null"), (r#"{"a":1,"a":2}"#, r#"{"a":1,"a":2}"#)]
    {
        assert_eq!(server.post("/echo", body).await.text, echo);
    }
    for (body, fault) in [(deep, r#"["body",128] json_invalid"#), ("{".into(), r#"["body",0] json_invalid"#)]
    {
        assert_eq!(server.post("/echo", body).await.faults(), (422, vec![fault.to_owned()]));
    }
    let id = "/labels/9c5b94b1-35ad-49bb-b118-8e8fc24abf80";
    for body in ["", "null"] {
        assert_eq!(server.post(id, body).await.json(), Value::Null);
    }
    assert_eq!(server.post(id, r#"{"title": " x "}"#).await.json(), "x");
    assert_eq!(server.post(id, "{}").await.faults().1, [r#"["body","title"] missing"#]);
}

#[tokio::test]
async fn a_slash_at_the_end_changes_nothing() {
    let server = Server::start().await;
    for path in ["/books", "/books/", "/books/?limit=1", "/books?limit=1"] {
        let answer = server.get(path).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (200, json!([])), "{path}");
    }
    assert_eq!(server.post("/books/", r#"{"title": "a"}"#).await.status, 200);
    assert_eq!(server.get("/books/1/").await.json(), json!({"id": 1, "title": "a"}));
    assert_eq!(server.get("/any/a/b/?x=1").await.json(), json!(["/any/a/b/?x=1", "a/b"]));
    let head = Server::send(server.request(Method::HEAD, "/books/1/").bearer_auth(server.token(1))).await;
    assert_eq!((head.status.as_u16(), head.text.as_str()), (200, ""));
}

#[tokio::test]
async fn every_answer_has_a_request_id() {
    let server = Server::start().await;
    for path in ["/books", "/nothing", "/fail/panic"] {
        let ask = |id: &str| Server::send(server.request(Method::GET, path).header("x-request-id", id));
        for sane in ["a", "A.b_c-9", &"x".repeat(128)] {
            assert_eq!(ask(sane).await.header("x-request-id"), Some(sane), "{path}");
        }
        for insane in ["", "a b", "é", "a/b", &"x".repeat(129)] {
            let answer = ask(insane).await;
            let id = answer.header("x-request-id").unwrap();
            assert!(id.len() == 36 && id != insane, "{path} {insane}: {id}");
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
            assert_eq!(answer.header("cache-control"), Some("no-store"));
        }
    }
}
