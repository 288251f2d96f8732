//! A caller.

use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::unique;

/// A caller, with or without a token.
#[derive(Clone)]
pub struct Client {
    url: String,
    token: Option<String>,
    http: reqwest::Client,
}

/// What a caller is answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// How long an answer may take, longer than any test's request should: a server that stands still fails a test, and does
/// not stop it.
const PATIENCE: Duration = Duration::from_secs(120);

/// A password that is good enough.
pub(crate) const PASSWORD: &str = "correct horse battery";

impl Client {
    /// A caller of the platform at `url`, without a token.
    pub fn new(url: &str) -> Self {
        let http = reqwest::Client::builder().timeout(PATIENCE).build().expect("a client can be made");
        Self { url: url.to_owned(), token: None, http }
    }

    /// The same caller with this bearer token.
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// The same caller without a token.
    pub fn without_token(&self) -> Self {
        Self { token: None, ..self.clone() }
    }

    /// The token, if there is one.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// A new user of the same platform, logged in.
    pub async fn registered(&self) -> Self {
        let username = unique("user-");
        let new = json!({"username": username, "name": "A User", "password": PASSWORD});
        self.without_token().post("/users/register", &new).await.expect(200);
        let login = json!({"username": username, "password": PASSWORD});
        let token = self.without_token().post("/users/login", &login).await.expect(200);
        self.with_token(token["access_token"].as_str().expect("a login answers a token"))
    }

    /// A request, to be sent by [`send`](Self::send).
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Sends a request.
    pub async fn send(&self, request: RequestBuilder) -> Answer {
        let response = request.send().await.expect("the server answers");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await.expect("the answer arrives whole");
        Answer { status, headers, body }
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    /// `DELETE`.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path)).await
    }

    /// `POST` with a JSON body.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    /// `PUT` with a JSON body.
    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::PUT, path).json(body)).await
    }

    /// `PATCH` with a JSON body.
    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::PATCH, path).json(body)).await
    }

    /// A workspace of a new name; its id.
    pub async fn workspace(&self) -> String {
        let made = self.post("/workspaces/", &json!({"name": unique("ws ")})).await.expect(200);
        id(&made)
    }

    /// A SYNC function with this code in a new workspace of its own; its id.
    pub async fn function(&self, runtime: &str, code: &str) -> String {
        let workspace = self.workspace().await;
        self.function_with(&workspace, json!({"runtime": runtime, "code": code})).await
    }

    /// A function in a workspace, with these fields beside a new name; its id.
    pub async fn function_with(&self, workspace: &str, fields: Value) -> String {
        let mut new = json!({"name": unique("fn-"), "workspace_id": workspace, "execution_type": "SYNC"});
        new.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
        let made = self.post("/functions/", &new).await.expect(200);
        assert_eq!(made["status"], "active", "{made}");
        id(&made)
    }

    /// Invokes a function; the answer to a run.
    pub async fn invoke(&self, function: &str, event: &Value) -> Value {
        self.post(&format!("/functions/{function}/invoke"), event).await.expect(200)
    }

    /// A key of a workspace.
    pub async fn key(&self, workspace: &str) -> String {
        let issued = self.post(&format!("/workspaces/{workspace}/auth-keys"), &json!({})).await.expect(200);
        issued["key"].as_str().expect("a key is text").to_owned()
    }

    /// A job, once it is final.
    pub async fn finished(&self, job: &Value) -> Value {
        let path = format!("/jobs/{job}");
        poll(&format!("job {job} is final"), async || {
            let job = self.get(&path).await.expect(200);
            let waits = matches!(job["status"].as_str(), Some("pending" | "running"));
            (!waits).then_some(job)
        })
        .await
    }
}

fn id(made: &Value) -> String {
    made["id"].as_str().expect("ids are text").to_owned()
}

impl Answer {
    /// The body as JSON, if the status is this one.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        self.json()
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// This is the answer to a preflight, and lets a browser send such a request from anywhere, without cookies. A `*`
    /// is all headers but `authorization`, which has to be named.
    #[track_caller]
    pub fn assert_browsers_may(&self, method: &str, headers: &[&str]) {
        let list = |name: &str| {
            let text = self.header(name).unwrap_or_default().to_ascii_lowercase();
            text.split(',').map(|word| word.trim().to_owned()).collect::<Vec<_>>()
        };
        assert!((200..300).contains(&self.status), "{}", self.status);
        assert_eq!(self.header("access-control-allow-origin"), Some("*"));
        assert_eq!(self.header("access-control-allow-credentials"), None);
        let methods = list("access-control-allow-methods");
        let method = method.to_ascii_lowercase();
        assert!(methods.iter().any(|known| *known == method || known == "*"), "{method}: {methods:?}");
        let allowed = list("access-control-allow-headers");
        for header in headers {
            let by_star = *header != "authorization" && allowed.iter().any(|known| known == "*");
            assert!(by_star || allowed.iter().any(|known| known == header), "{header}: {allowed:?}");
        }
    }

    /// The faults of a 422, each as `["body.name", "missing"]`.
    #[track_caller]
    pub fn faults(&self) -> Vec<(String, String)> {
        let body = self.expect(422);
        let faults = body["detail"].as_array().unwrap_or_else(|| panic!("no faults: {body}"));
        let step = |step: &Value| step.as_str().map_or_else(|| step.to_string(), str::to_owned);
        faults
            .iter()
            .map(|fault| {
                let loc =
                    fault["loc"].as_array().expect("loc is a list").iter().map(step).collect::<Vec<_>>();
                (loc.join("."), fault["type"].as_str().expect("type is text").to_owned())
            })
            .collect()
    }
}

/// Asks again and again until there is an answer. Panics after 30 s.
pub async fn poll<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "{what}: not within 30 s");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
