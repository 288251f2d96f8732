//! A small API that uses all of this crate, served over real HTTP.

#![allow(dead_code, missing_docs, unreachable_pub)]

pub mod api;
pub mod held;
pub mod stream;
pub mod style;

use std::net::SocketAddr;
use std::sync::Arc;

use domain::UserId;
use http::{HeaderMap, Method, StatusCode};
use serde_json::Value;
use web::{Config, Parts, Secrets, Site, Tokens, Web};

use api::{App, Shelf};
use held::HeldTable;
use ports::memory::{ManualClock, MemoryBlobs};

pub const SECRET: &str = "a secret that is long enough for anyone";

/// A server on a port of its own; gone with the runtime of its test.
pub struct Server {
    pub address: SocketAddr,
    pub table: Arc<HeldTable>,
    pub blobs: Arc<MemoryBlobs>,
    pub clock: Arc<ManualClock>,
    pub shelf: Arc<Shelf>,
    pub web: Web,
    client: reqwest::Client,
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Status and `detail`.
    pub fn detail(&self) -> (u16, Value) {
        (self.status.as_u16(), self.json()["detail"].clone())
    }

    /// Status, and of every fault its place and type.
    pub fn faults(&self) -> (u16, Vec<String>) {
        let faults = self.json()["detail"].as_array().cloned().unwrap_or_default();
        let short = |fault: &Value| format!("{} {}", fault["loc"], fault["type"].as_str().unwrap());
        (self.status.as_u16(), faults.iter().map(short).collect())
    }
}

impl Server {
    pub async fn start() -> Self {
        Self::with(Config::default()).await
    }

    pub async fn with(config: Config) -> Self {
        Self::serving(config, |web, shelf| {
            Site::new(web.clone(), style::STYLE).api(api::api(), App { web, shelf }).docs()
        })
        .await
    }

    pub async fn serving(config: Config, site: impl FnOnce(Web, Arc<Shelf>) -> Site) -> Self {
        let (table, blobs) = (Arc::new(HeldTable::default()), Arc::new(MemoryBlobs::default()));
        let clock = Arc::new(ManualClock::default());
        let secrets = Secrets::new(SECRET, []).unwrap();
        let web = Web::new(Parts {
            tokens: Tokens::new(&secrets, clock.clone()),
            secrets,
            table: table.clone(),
            blobs: blobs.clone(),
            clock: clock.clone(),
            config,
        });
        let shelf = Arc::new(Shelf::default());
        let router = site(web.clone(), shelf.clone()).into_router();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        Self { address, table, blobs, clock, shelf, web, client: reqwest::Client::new() }
    }

    pub fn token(&self, user: u64) -> String {
        self.web.tokens.begin(UserId(user), 0, domain::limits::ACCESS_TOKEN).unwrap().0.access_token
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.address))
    }

    pub async fn send(request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        Answer { status, headers, text: response.text().await.unwrap() }
    }

    pub async fn get(&self, path: &str) -> Answer {
        Self::send(self.request(Method::GET, path).bearer_auth(self.token(1))).await
    }

    pub async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> Answer {
        Self::send(self.request(Method::POST, path).bearer_auth(self.token(1)).body(body)).await
    }
}
