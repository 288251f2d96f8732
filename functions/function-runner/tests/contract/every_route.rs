//! What holds of every route. The routes are taken from `/openapi.json`, so one that is new is tested from its first day:
//! it fails here until it says what it needs.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Answer, Client, ECHO_PY, Server, unique};

use crate::NOBODY;

/// The routes that anyone may call. Adding one is a decision, taken here.
const OPEN: &[&str] = &["system.health", "system.root", "users.login", "users.register"];

struct Operation {
    id: String,
    method: Method,
    path: String,
    security: Vec<String>,
    statuses: Vec<String>,
}

impl Operation {
    fn is_open(&self) -> bool {
        OPEN.contains(&self.id.as_str())
    }

    /// The path with these ids in it.
    fn with(&self, ids: &Ids) -> String {
        self.path
            .replace("{workspace_id}", &ids.workspace)
            .replace("{function_id}", &ids.function)
            .replace("{key_id}", &ids.key)
            .replace("{id}", &ids.job)
            .replace("{endpoint}", "secret-hook")
    }

    /// A body that the route takes.
    fn body(&self, ids: &Ids) -> Option<Value> {
        Some(match self.id.as_str() {
            "workspaces.create" | "workspaces.update" => json!({"name": unique("w")}),
            "workspaces.auth_keys.create" => json!({"expires_hours": 1}),
            "functions.create" => {
                json!({"name": unique("f"), "runtime": "PYTHON", "code": ECHO_PY, "workspace_id": ids.workspace})
            }
            "functions.update" => json!({"name": unique("f")}),
            "functions.rollback" => json!({"version": 1}),
            "functions.invoke" | "functions.invoke_workspace" => json!({"a": 1}),
            _ => return None,
        })
    }

    async fn call(&self, client: &Client, ids: &Ids) -> Answer {
        let mut request = client.request(self.method.clone(), &self.with(ids));
        if let Some(body) = self.body(ids) {
            request = request.json(&body);
        }
        let answer = client.send(request).await;
        assert_ne!(answer.status, 500, "{}", self.id);
        let status = answer.status.to_string();
        let documented = self.statuses.iter().any(|known| *known == status || known == "default");
        assert!(documented, "{} answered {status}, which its document doesn't know", self.id);
        answer
    }
}

struct Ids {
    workspace: String,
    function: String,
    key: String,
    job: String,
}

impl Ids {
    /// Of one of everything.
    async fn of(user: &Client) -> Self {
        let workspace = user.workspace().await;
        let fields = json!({"runtime": "PYTHON", "code": ECHO_PY, "endpoint": "/secret-hook"});
        let function = user.function_with(&workspace, fields).await;
        let key = user.post(&format!("/workspaces/{workspace}/auth-keys"), &json!({})).await.expect(200);
        let job = user.invoke(&function, &json!({})).await["job_id"].to_string();
        Self { workspace, function, key: key["id"].as_str().unwrap().to_owned(), job }
    }

    fn of_nothing() -> Self {
        let job = "4503599627370496".to_owned();
        Self { workspace: NOBODY.into(), function: NOBODY.into(), key: NOBODY.into(), job }
    }
}

async fn operations() -> Vec<Operation> {
    let doc = Server::shared().anyone().get("/openapi.json").await.expect(200);
    let mut all = Vec::new();
    for (path, item) in doc["paths"].as_object().unwrap() {
        for method in ["get", "post", "put", "patch", "delete"] {
            let Some(operation) = item.get(method) else { continue };
            let schemes = operation["security"].as_array().cloned().unwrap_or_default();
            all.push(Operation {
                id: operation["operationId"]
                    .as_str()
                    .unwrap_or_else(|| panic!("{method} {path} has no id"))
                    .into(),
                method: method.to_uppercase().parse().unwrap(),
                path: path.clone(),
                security: schemes.iter().flat_map(|one| one.as_object().unwrap().keys().cloned()).collect(),
                statuses: operation["responses"].as_object().unwrap().keys().cloned().collect(),
            });
        }
    }
    all
}

#[tokio::test]
async fn the_document_has_every_route_under_an_id_of_its_own() {
    let operations = operations().await;
    let mut ids: Vec<_> = operations.iter().map(|operation| operation.id.clone()).collect();
    ids.sort();
    let count = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), count, "an operationId stands twice");
    // The 23 routes of the published document, and those that decisions.md adds.
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
    assert_eq!(open, OPEN);
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
        assert!(answer.json()["detail"].is_string());
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
            body["request_id"] = Value::Null;
            body
        };
        assert_eq!(body(&theirs), body(&nothings), "{}", operation.id);
        assert_eq!(theirs.headers.len(), nothings.headers.len(), "{}", operation.id);
    }
    assert!(tried > 20, "only {tried} routes name something");
    assert_eq!(owner.get(&format!("/functions/{}", ids.function)).await.expect(200), before);
    owner.get(&format!("/workspaces/{}", ids.workspace)).await.expect(200);
    // Nor are they listed.
    for (path, field) in [("/workspaces/", "workspaces"), ("/functions/", "functions")] {
        let listed = other.get(path).await.expect(200);
        let shown = listed[field].to_string();
        assert!(!shown.contains(&ids.workspace) && !shown.contains(&ids.function), "{shown}");
    }
}

#[tokio::test]
async fn ids_that_are_none_are_told_so_on_every_route() {
    let user = Server::shared().user().await;
    let key = user.with_token(&user.key(&user.workspace().await).await);
    let odd = "not-an-id".to_owned();
    let ids = Ids { workspace: odd.clone(), function: odd.clone(), key: odd.clone(), job: odd };
    for operation in operations().await {
        if !operation.path.contains('{') {
            continue;
        }
        let by_key = operation.security.iter().any(|scheme| scheme == "workspace_key");
        let answer = operation.call(if by_key { &key } else { &user }, &ids).await;
        let faults = answer.faults();
        assert!(faults.iter().all(|(loc, _)| loc.starts_with("path.")), "{}: {faults:?}", operation.id);
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
        // A job that is over can't be cancelled: that is how this route works.
        let expected = if operation.id == "jobs.cancel" { 409 } else { 200 };
        assert_eq!(answer.status, expected, "{}: {}", operation.id, String::from_utf8_lossy(&answer.body));
    }
}
