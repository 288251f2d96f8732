//! What holds of every route of every API. The routes are taken from `/openapi.json`, so one that is new is tested from its first day:
//! it fails here until it says what it needs.

#![allow(clippy::unwrap_used, reason = "a test that can't go on says where")]

mod access;
mod bill;
mod cloud;
mod cost;
mod ids;
mod operations;
mod platform;
mod prices;
mod schema;
#[path = "../../../../shared/aws/tests/support/mod.rs"]
mod support;

use catalogue::DOCUMENTS;
use reqwest::Method;
use serde_json::Value;
use testkit::{Answer, Server};

use ids::Ids;
use operations::operations;

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
        for token in &bad {
            let answer = operation.call(&nobody.with_token(token), &ids).await;
            assert_eq!(answer.status, 401, "{} with {token}", operation.id);
        }
        let basic = nobody
            .request(operation.method.clone(), &operation.path_with(&ids))
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
        if !operation.names_something(&ids) {
            // Lists, among others: what is another's is in none.
            if operation.method == Method::GET && !operation.is_open() {
                let listed = String::from_utf8(operation.call(&other, &ids).await.body.into()).unwrap();
                assert!(!listed.contains(&ids.workspace) && !listed.contains(&ids.function), "{listed}");
            }
            continue;
        }
        tried += 1;
        let by_key = operation.security.iter().any(|scheme| scheme == "workspace_key");
        let client = if by_key { &other_key } else { &other };
        let theirs = operation.call(client, &ids).await;
        let nothings = operation.call(client, &Ids::of_nothing()).await;
        assert_eq!((theirs.status, nothings.status), (404, 404), "{}", operation.id);
        assert_eq!(without_request_id(&theirs), without_request_id(&nothings), "{}", operation.id);
        assert_eq!(theirs.headers.len(), nothings.headers.len(), "{}", operation.id);
    }
    assert!(tried > 30, "only {tried} routes name something");
    assert_eq!(owner.get(&format!("/functions/{}", ids.function)).await.expect(200), before);
    owner.get(&format!("/workspaces/{}", ids.workspace)).await.expect(200);
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
        let client = if by_key { &key } else { &user };
        let answer = operation.call(client, &ids).await;
        // Either nothing is there, or the caller hears which parameter can't be an id.
        let body = answer.json().to_string();
        let parameters =
            operation.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        let is_named = parameters.into_iter().any(|name| body.contains(&format!("\"{name}\"")));
        let is_refused = answer.status == 404 || (answer.status == 422 && is_named);
        assert!(is_refused, "{}: {} {body}", operation.id, answer.status);
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
        let client = operation.caller(&user, &ids).await;
        let answer = operation.call(&client, &ids).await;
        let body = String::from_utf8_lossy(&answer.body);
        assert!(operation.is_done(&answer), "{}: {} {body}", operation.id, answer.status);
    }
}

/// Documents write a path with a slash at its end or without, and clients write both.
#[tokio::test]
async fn every_spelling_of_a_path_is_the_same_route() {
    for operation in operations().await {
        // Of their own, since there is a most that one user may have.
        let user = Server::shared().user().await;
        let call = async |method: &Method, path: &dyn Fn(&str) -> String| {
            let ids = Ids::of(&user).await;
            let client = operation.caller(&user, &ids).await;
            let path = path(&operation.path_with(&ids));
            (path.clone(), operation.call_as(method.clone(), &path, &client, &ids).await)
        };
        let (_, as_documented) = call(&operation.method, &|path| path.to_owned()).await;
        let slashed =
            |slashes: &'static str| move |path: &str| path.trim_end_matches('/').to_owned() + slashes;
        // The root has one spelling.
        let slashes: &[&'static str] = if operation.path == "/" { &["/"] } else { &["", "/"] };
        for &slashes in slashes {
            let (path, answer) = call(&operation.method, &slashed(slashes)).await;
            assert_eq!(answer.status, as_documented.status, "{}: {path}", operation.id);
        }
        if operation.method == Method::GET {
            let (_, head) = call(&Method::HEAD, &|path| path.to_owned()).await;
            assert_eq!((head.status, head.body.len()), (as_documented.status, 0), "{}", operation.id);
            assert_eq!(head.header("content-type"), as_documented.header("content-type"), "{}", operation.id);
        }
    }
}

/// An error's body, but for what is another's in each answer.
fn without_request_id(answer: &Answer) -> Value {
    fn clear(value: &mut Value) {
        for (name, value) in value.as_object_mut().into_iter().flatten() {
            match name.as_str() {
                "request_id" => *value = Value::Null,
                _ => clear(value),
            }
        }
    }
    let mut body = answer.json();
    clear(&mut body);
    body
}
