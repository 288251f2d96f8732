//! The routes, taken from `/openapi.json`, and how to call each.

use catalogue::DOCUMENTS;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Answer, Client, ECHO_PY, Server, unique};

/// An id that nothing has.
const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

/// A route, as the document has it.
pub(crate) struct Operation {
    pub(crate) id: String,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) security: Vec<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) access: Vec<String>,
    statuses: Vec<String>,
}

impl Operation {
    pub(crate) fn is_open(&self) -> bool {
        DOCUMENTS.iter().any(|document| document.open.contains(&self.id.as_str()))
    }

    /// Whether its errors stand in an envelope: FaaS Backend's do.
    pub(crate) fn is_enveloped(&self) -> bool {
        self.id.starts_with("api.")
    }

    /// What it answers to its owner.
    pub(crate) fn succeeds_with(&self) -> u16 {
        match (self.is_enveloped(), &self.method) {
            (true, &Method::POST) => 201,
            (true, &Method::DELETE) => 204,
            // A job that is over can't be cancelled: that is how this route works.
            _ if self.id == "jobs.cancel" => 409,
            _ => 200,
        }
    }

    /// The path with these ids in it.
    pub(crate) fn with(&self, ids: &Ids) -> String {
        let path = self.path.replace("{ws_id}", &ids.workspace).replace("{fn_id}", &ids.function);
        let path = if self.is_enveloped() { path.replace("{id}", &ids.workspace) } else { path };
        path.replace("{workspace_id}", &ids.workspace)
            .replace("{function_id}", &ids.function)
            .replace("{key_id}", &ids.key)
            .replace("{id}", &ids.job)
            .replace("{endpoint}", "secret-hook")
    }

    /// A body that the route takes.
    fn body(&self, ids: &Ids) -> Option<Value> {
        Some(match self.id.as_str() {
            "users.register" => json!({"username": unique("u"), "name": "U", "password": "password1"}),
            "users.login" => json!({"username": unique("u"), "password": "password1"}),
            "workspaces.create" | "workspaces.update" | "api.workspaces.create" | "api.workspaces.update" => {
                json!({"name": unique("w")})
            }
            "workspaces.auth_keys.create" => json!({"expires_hours": 1}),
            "functions.create" => {
                json!({"name": unique("f"), "runtime": "PYTHON", "code": ECHO_PY, "workspace_id": ids.workspace})
            }
            "api.functions.create" => {
                let code = "ZXhwb3J0cy5oYW5kbGVyID0gKCkgPT4gMQ==";
                json!({"name": unique("f"), "runtime": "Node.js 20", "code": code})
            }
            "functions.update" | "api.functions.update" => json!({"name": unique("f")}),
            "functions.rollback" => json!({"version": 1}),
            "functions.invoke" | "functions.invoke_workspace" => json!({"a": 1}),
            _ => return None,
        })
    }

    pub(crate) async fn call(&self, client: &Client, ids: &Ids) -> Answer {
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

/// What stands in paths.
pub(crate) struct Ids {
    pub(crate) workspace: String,
    pub(crate) function: String,
    key: String,
    job: String,
}

impl Ids {
    /// Of one of everything.
    pub(crate) async fn of(user: &Client) -> Self {
        let workspace = user.workspace().await;
        let fields = json!({"runtime": "PYTHON", "code": ECHO_PY, "endpoint": "/secret-hook"});
        let function = user.function_with(&workspace, fields).await;
        let key = user.post(&format!("/workspaces/{workspace}/auth-keys"), &json!({})).await.expect(200);
        let job = user.invoke(&function, &json!({})).await["job_id"].to_string();
        Self { workspace, function, key: key["id"].as_str().unwrap().to_owned(), job }
    }

    /// The same text for all.
    pub(crate) fn all(id: &str) -> Self {
        Self { workspace: id.into(), function: id.into(), key: id.into(), job: id.into() }
    }

    pub(crate) fn of_nothing() -> Self {
        let job = "4503599627370496".to_owned();
        Self { workspace: NOBODY.into(), function: NOBODY.into(), key: NOBODY.into(), job }
    }
}

/// The texts of a list.
fn texts(list: &Value) -> Option<Vec<String>> {
    Some(list.as_array()?.iter().map(|text| text.as_str().unwrap().to_owned()).collect())
}

/// All of them.
pub(crate) async fn operations() -> Vec<Operation> {
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
                tags: texts(&operation["tags"]).unwrap_or_default(),
                access: texts(&operation["x-access"])
                    .unwrap_or_else(|| panic!("{method} {path} does not say what it may touch (x-access)")),
                statuses: operation["responses"].as_object().unwrap().keys().cloned().collect(),
            });
        }
    }
    all
}
