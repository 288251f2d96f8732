//! The routes, taken from `/openapi.json`, and how to call each.

use std::sync::Arc;

use catalogue::DOCUMENTS;
use reqwest::Method;
use serde_json::Value;
use testkit::{Answer, Client, Server};

use crate::ids::Ids;
use crate::schema::{has_what_it_requires, sample};

/// A route, as the document has it.
pub(crate) struct Operation {
    pub(crate) id: String,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) security: Vec<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) access: Vec<String>,
    /// The whole document, which the parts below refer to.
    document: Arc<Value>,
    body: Option<Value>,
    responses: Value,
}

impl Operation {
    pub(crate) fn is_open(&self) -> bool {
        DOCUMENTS.iter().any(|document| document.open.contains(&self.id.as_str()))
    }

    /// Whether this is the answer of a route that did what it is there for.
    pub(crate) fn is_done(&self, answer: &Answer) -> bool {
        // A job that is over can't be cancelled: that is how this route works.
        let expected = if self.id == "jobs.cancel" { 409..410 } else { 200..300 };
        expected.contains(&answer.status)
    }

    /// This user, or one of their workspace's keys where the route takes that only.
    pub(crate) async fn caller(&self, user: &Client, ids: &Ids) -> Client {
        match self.security.iter().any(|scheme| scheme == "workspace_key") {
            true => user.with_token(&user.key(&ids.workspace).await),
            false => user.clone(),
        }
    }

    /// The path with these ids in it.
    pub(crate) fn path_with(&self, ids: &Ids) -> String {
        let mut before = "";
        let segment = |segment| {
            let collection = std::mem::replace(&mut before, segment);
            if segment.starts_with('{') { ids.of_parameter(collection, segment) } else { segment }
        };
        self.path.split('/').map(segment).collect::<Vec<_>>().join("/")
    }

    /// A body that the route takes.
    fn body_with(&self, ids: &Ids) -> Option<Value> {
        self.body.as_ref().map(|schema| sample(&self.document, schema, ids))
    }

    /// Whether the request says which thing of its caller's it is about.
    pub(crate) fn names_something(&self, ids: &Ids) -> bool {
        self.path.contains('{')
            || self.body_with(ids).is_some_and(|body| body.to_string().contains(&ids.workspace))
    }

    /// The same route asked for in other words: another path, or HEAD for GET.
    pub(crate) async fn call_as(&self, method: Method, path: &str, client: &Client, ids: &Ids) -> Answer {
        let mut request = client.request(method, path);
        if let Some(body) = self.body_with(ids) {
            request = request.json(&body);
        }
        client.send(request).await
    }

    /// Calls the route as its document writes it. The answer is one that the document knows.
    pub(crate) async fn call(&self, client: &Client, ids: &Ids) -> Answer {
        let answer = self.call_as(self.method.clone(), &self.path_with(ids), client, ids).await;
        assert_ne!(answer.status, 500, "{}", self.id);
        let status = answer.status.to_string();
        let known = self.responses.get(&status).or(self.responses.get("default"));
        let known =
            known.unwrap_or_else(|| panic!("{} answered {status}, which its document doesn't know", self.id));
        let schema = &known["content"]["application/json"]["schema"];
        let is_as_told = schema.is_null() || has_what_it_requires(&self.document, schema, &answer.json());
        assert!(is_as_told, "{} answered {status} without what its document says: {answer:?}", self.id);
        answer
    }
}

/// The texts of a list.
fn texts(list: &Value) -> Option<Vec<String>> {
    Some(list.as_array()?.iter().map(|text| text.as_str().unwrap().to_owned()).collect())
}

/// All of them.
pub(crate) async fn operations() -> Vec<Operation> {
    let document = Arc::new(Server::shared().anyone().get("/openapi.json").await.expect(200));
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
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
                document: document.clone(),
                body: operation["requestBody"]["content"]["application/json"].get("schema").cloned(),
                responses: operation["responses"].clone(),
            });
        }
    }
    all
}
