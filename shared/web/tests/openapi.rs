//! The OpenAPI document, and the pages about it.

#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use http::Method;
use serde_json::{Value, json};
use support::Server;

#[tokio::test]
async fn the_document_says_what_the_routes_do() {
    let server = Server::start().await;
    let answer = Server::send(server.request(Method::GET, "/openapi.json")).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, Some("application/json")));
    let doc = answer.json();
    assert_eq!(doc["openapi"], "3.1.0");
    assert_eq!(doc["info"]["title"], "Books");
    assert_eq!(doc["servers"], json!([{"url": "/"}]));
    assert_eq!(doc["components"]["securitySchemes"]["user"]["scheme"], "bearer");

    let create = &doc["paths"]["/books/"]["post"];
    assert_eq!((&create["operationId"], &create["tags"]), (&json!("books.create"), &json!(["Books"])));
    // An answer that is kept for its key takes rights of its own.
    assert_eq!(create["x-access"], json!(["table:write", "idempotency:keep"]));
    let statuses = |operation: &Value| -> Vec<String> {
        operation["responses"].as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(statuses(create), ["200", "401", "409", "413", "422", "503"]);
    assert_eq!(create["responses"]["409"]["description"], "There is one of that title");
    assert_eq!(create["parameters"][0]["name"], "Idempotency-Key");
    let schema = |status: &str| &create["responses"][status]["content"]["application/json"]["schema"];
    assert_eq!(schema("409"), &json!({"$ref": "#/components/schemas/HTTPError"}));
    assert_eq!(
        schema("422")["anyOf"],
        json!([{"$ref": "#/components/schemas/HTTPValidationError"}, {"$ref": "#/components/schemas/HTTPError"}])
    );
    let title = &doc["components"]["schemas"]["BookCreate"]["properties"]["title"];
    assert_eq!((&title["minLength"], &title["x-form"]), (&json!(1), &json!("name")));

    assert_eq!(statuses(&doc["paths"]["/books/{id}"]["get"]), ["200", "401", "404", "422", "503"]);
    assert_eq!(statuses(&doc["paths"]["/whoami"]["get"]), ["200", "503"]);
    assert_eq!(doc["paths"]["/books/{id}"]["get"]["operationId"], "books.read");
    assert_eq!(doc["paths"]["/books/{id}"]["get"]["responses"]["200"]["description"], "Done");
    assert_eq!(doc["components"]["schemas"]["AnyJson"].as_object().unwrap().len(), 1);
    let any = &doc["paths"]["/any/{rest}"];
    assert_eq!(any["delete"]["operationId"], "any.delete");
    assert_eq!(any["get"]["operationId"], "any.get");
}

/// Every `$ref` leads somewhere, and no two operations share a name.
#[tokio::test]
async fn the_document_is_whole() {
    let doc = Server::start().await.get("/openapi.json").await.json();
    let (mut references, mut names) = (Vec::new(), Vec::new());
    let mut rest = vec![&doc];
    while let Some(value) = rest.pop() {
        match value {
            Value::Object(map) => {
                references.extend(map.get("$ref").and_then(Value::as_str));
                names.extend(map.get("operationId").and_then(Value::as_str));
                rest.extend(map.values());
            }
            Value::Array(list) => rest.extend(list),
            _ => {}
        }
    }
    assert!(!references.is_empty() && !names.is_empty());
    for reference in references {
        assert!(doc.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
    }
    names.sort_unstable();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all, "{names:?}");
}

#[tokio::test]
async fn the_pages_load_nothing_from_elsewhere() {
    let server = Server::start().await;
    for page in ["/docs", "/docs/", "/redoc"] {
        let answer = Server::send(server.request(Method::GET, page)).await;
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
        assert!(!answer.text.contains("//"), "{}", answer.text);
        let mut loads = 0;
        for path in answer.text.split('"').filter(|part| part.starts_with("/docs/")) {
            let asset = Server::send(server.request(Method::GET, path)).await;
            assert!(
                asset.status == 200 && asset.header("content-type").unwrap().starts_with("text/"),
                "{path}"
            );
            let kept = asset.header("cache-control").unwrap();
            assert_eq!(kept.contains("immutable"), path.contains(char::is_numeric), "{path}: {kept}");
            loads += 1;
        }
        assert!(loads > 0, "{page}");
    }
    for path in web::docs::PATHS {
        let head = Server::send(server.request(Method::HEAD, path)).await;
        assert_eq!(head.status, 200, "{path}");
        let wrong = Server::send(server.request(Method::POST, path)).await;
        assert_eq!((wrong.status.as_u16(), wrong.header("allow")), (405, Some("GET,HEAD")), "{path}");
        assert_eq!(wrong.json()["detail"], "Method Not Allowed");
    }
}
