//! What every API shares.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::response::Response;
use domain::limits;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderValue};
use ipnet::IpNet;
use ports::{Blobs, Clock, Table};
use tokio_util::sync::CancellationToken;

use crate::{Error, Secrets, Tokens};

/// What this crate's extractors and layers work with; cheap to clone. The application's state gives it by
/// `impl FromRef<AppState> for Web`.
#[derive(Clone)]
pub struct Web(Arc<Inner>);

struct Inner {
    parts: Parts,
    /// Under which locks requests with an `Idempotency-Key` run in this process.
    running: Mutex<HashSet<String>>,
}

/// What [`Web`] is made of.
pub struct Parts {
    /// Access tokens.
    pub tokens: Tokens,
    /// Signs cursors, seals kept answers.
    pub secrets: Secrets,
    /// Where answers are kept for their `Idempotency-Key`.
    pub table: Arc<dyn Table>,
    /// Where the large ones are.
    pub blobs: Arc<dyn Blobs>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// What an operator may set.
    pub config: Config,
}

/// Makes of an answer to a request with these headers one that the front door can carry, or the error that says why it can't.
pub type Fit = fn(request: HeaderMap, answer: Response) -> BoxFuture<'static, Result<Response, Error>>;

/// What an operator or the home may set.
#[derive(Clone, Debug)]
pub struct Config {
    /// Whether browsers' requests from other origins are answered here. A gateway may do it instead.
    pub cors: bool,
    /// Origins that browsers may call from; empty: any.
    pub allowed_origins: Vec<HeaderValue>,
    /// Proxies whose `X-Forwarded-For` is believed; empty: none.
    pub trusted_proxies: Vec<IpNet>,
    /// Where callers reach the platform, as `https://functions.example.com`; taken from each request where absent.
    pub public_url: Option<String>,
    /// The name of the deployment, for `/`.
    pub environment: String,
    /// Bytes of a request's body.
    pub max_body: usize,
    /// What makes an answer one that the front door can carry, where that can't carry any (Lambda).
    pub fit: Option<Fit>,
    /// How long a request's body may take to arrive; of one that is read as it comes, each chunk.
    pub body_timeout: Duration,
    /// How long a response may be made while it is sent, where the front door waits for its end (Lambda).
    pub stream_time: Option<Duration>,
    /// Cancelled when the server stops: responses that would go on for ever end then.
    pub stopping: CancellationToken,
    /// Whether no other process serves this table, so that a request which this one doesn't run is run by nobody.
    pub only_server: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            cors: true,
            allowed_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            public_url: None,
            environment: "local".to_owned(),
            max_body: limits::REQUEST_BODY,
            fit: None,
            body_timeout: Duration::from_secs(30),
            stream_time: None,
            stopping: CancellationToken::new(),
            only_server: false,
        }
    }
}

impl Web {
    /// Of its parts.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(Inner { parts, running: Mutex::default() }))
    }

    pub(crate) fn running(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::ops::Deref for Web {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0.parts
    }
}
