//! What holds of every route of every API. The routes are taken from `/openapi.json`, so one that is new is tested from its first day:
//! it fails here until it says what it needs.

#![allow(clippy::unwrap_used, reason = "a test that can't go on says where")]

mod access;
mod bill;
mod cloud;
mod cost;
mod operations;
mod platform;
mod prices;
#[path = "../../../../shared/aws/tests/support/mod.rs"]
mod support;

use catalogue::DOCUMENTS;
use serde_json::Value;
use testkit::{Answer, Server};

use operations::{Ids, operations};

#[tokio::test]
async fn the_document_has_every_route_under_an_id_of_its_own() {
    let operations = operations().await;
    let mut ids: Vec<_> = operations.iter().map(|operation| operation.id.clone()).collect();
    ids.sort();
    let count = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), count, "an operationId stands twice");
    for operation in &operations {
        assert!(operation.tags.len() == 1, "{} stands in no group, or in several", operation.id);
    }
    // Function Runner's: the 23 routes of the published document, and those that decisions.md adds.
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
        // FaaS Backend's.
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
        let known = operations.iter().any(|operation| operation.method == method && operation.path == path);
        assert!(known, "{method} {path} is not there");
    }
}

#[tokio::test]
async fn every_route_but_the_open_ones_wants_a_token() {
    let mut open = Vec::new();
    for operation in operations().await {
        match operation.security.is_empty() {
            true => open.push(operation.id),
            false => assert!(!operation.is_open(), "{} is listed as open and is not", operation.id),
        }
    }
    open.sort();
    let mut listed: Vec<_> = DOCUMENTS.iter().flat_map(|document| document.open).copied().collect();
    listed.sort();
    assert_eq!(open, listed);
}

#[tokio::test]
async fn without_a_good_token_every_route_answers_401() {
    let user = Server::shared().user().await;
    let ids = Ids::of(&user).await;
    let token = user.token().unwrap();
    let [header, claims, signature] = token.split('.').collect::<Vec<_>>()[..] else {
        panic!("no JWT: {token}")
    };
    // {"alg":"none","typ":"JWT"}
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    // {"alg":"HS256","typ":"JWT"}, signed with an empty key by whoever made this up
    let bad = [
        "x".to_owned(),
        format!("{none}.{claims}."),
        format!("{none}.{claims}.{signature}"),
        format!("{header}.{claims}."),
        format!("{header}.{claims}.{}", signature.chars().rev().collect::<String>()),
        format!(
            "{header}.{}.{signature}",
            Server::shared().user().await.token().unwrap().split('.').nth(1).unwrap()
        ),
        format!("frk_{}", "A".repeat(75)),
    ];
    for operation in operations().await.into_iter().filter(|operation| !operation.is_open()) {
        let nobody = user.without_token();
        let answer = operation.call(&nobody, &ids).await;
        assert_eq!(answer.status, 401, "{} without a token", operation.id);
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{}", operation.id);
        match operation.is_enveloped() {
            true => assert_eq!(answer.json()["error"]["code"], "UNAUTHORIZED"),
            false => assert!(answer.json()["detail"].is_string()),
        }
        for token in &bad {
            let answer = operation.call(&nobody.with_token(token), &ids).await;
            assert_eq!(answer.status, 401, "{} with {token}", operation.id);
        }
        let basic = nobody
            .request(operation.method.clone(), &operation.with(&ids))
            .basic_auth("user", Some("password"));
        assert_eq!(nobody.send(basic).await.status, 401, "{} with a password", operation.id);
    }
}

#[tokio::test]
async fn another_tenants_things_are_answered_exactly_like_what_is_not_there() {
    let (owner, other) = (Server::shared().user().await, Server::shared().user().await);
    let ids = Ids::of(&owner).await;
    let before = owner.get(&format!("/functions/{}", ids.function)).await.expect(200);
    let other_key = other.with_token(&other.key(&other.workspace().await).await);
    let mut tried = 0;
    for operation in operations().await {
        let names_something = operation.path.contains('{') || operation.id == "functions.create";
        if !names_something {
            continue;
        }
        tried += 1;
        let by_key = operation.security.iter().any(|scheme| scheme == "workspace_key");
        let client = if by_key { &other_key } else { &other };
        let theirs = operation.call(client, &ids).await;
        let nothings = operation.call(client, &Ids::of_nothing()).await;
        assert_eq!((theirs.status, nothings.status), (404, 404), "{}", operation.id);
        let body = |answer: &Answer| {
            let mut body = answer.json();
            let error = if operation.is_enveloped() { &mut body["error"] } else { &mut body };
            error["request_id"] = Value::Null;
            body
        };
        assert_eq!(body(&theirs), body(&nothings), "{}", operation.id);
        assert_eq!(theirs.headers.len(), nothings.headers.len(), "{}", operation.id);
    }
    assert!(tried > 30, "only {tried} routes name something");
    assert_eq!(owner.get(&format!("/functions/{}", ids.function)).await.expect(200), before);
    owner.get(&format!("/workspaces/{}", ids.workspace)).await.expect(200);
    // Nor are they listed.
    for path in ["/workspaces/", "/functions/", "/api/workspaces"] {
        let listed = other.get(path).await.expect(200).to_string();
        assert!(!listed.contains(&ids.workspace) && !listed.contains(&ids.function), "{listed}");
    }
}

#[tokio::test]
async fn ids_that_are_not_valid_are_refused_on_every_route() {
    let user = Server::shared().user().await;
    let key = user.with_token(&user.key(&user.workspace().await).await);
    let ids = Ids::all("not-an-id");
    for operation in operations().await {
        if !operation.path.contains('{') {
            continue;
        }
        let by_key = operation.security.iter().any(|scheme| scheme == "workspace_key");
        let answer = operation.call(if by_key { &key } else { &user }, &ids).await;
        if operation.is_enveloped() {
            // In this API they are not there.
            assert_eq!(answer.expect(404)["error"]["code"], "NOT_FOUND", "{}", operation.id);
            continue;
        }
        let faults = answer.faults();
        let id = |loc: &str| loc.starts_with("path.");
        assert!(!faults.is_empty() && faults.iter().all(|(loc, _)| id(loc)), "{}: {faults:?}", operation.id);
        let kinds = faults.iter().all(|(_, kind)| kind == "uuid_parsing" || kind == "int_parsing");
        assert!(kinds, "{}: {faults:?}", operation.id);
    }
}

#[tokio::test]
async fn whoever_owns_everything_can_call_every_route() {
    let user = Server::shared().user().await;
    for operation in operations().await {
        if operation.is_open() {
            continue;
        }
        let ids = Ids::of(&user).await;
        let by_key = operation.security.iter().any(|scheme| scheme == "workspace_key");
        let client = if by_key { user.with_token(&user.key(&ids.workspace).await) } else { user.clone() };
        let answer = operation.call(&client, &ids).await;
        let expected = operation.succeeds_with();
        assert_eq!(answer.status, expected, "{}: {}", operation.id, String::from_utf8_lossy(&answer.body));
    }
}
