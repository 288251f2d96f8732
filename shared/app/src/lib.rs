//! The use cases, shared by every API document and both homes: register, save a function, invoke it, run a job, sweep.
//!
//! What comes in has passed the API's validation of shapes; rules that need the domain (is this code? is the name
//! taken?) are kept here, and say what is wrong as [`domain::Error`].

pub mod auth_keys;
pub mod base64;
mod checks;
pub mod environment;
pub mod figures;
pub mod functions;
pub mod http_trigger;
pub mod invocations;
pub mod janitor;
pub mod jobs;
mod leases;
pub mod metrics;
mod passwords;
mod random;
pub mod request;
pub mod run_logs;
mod runs;
pub mod users;
pub mod work;
pub mod workspaces;

use std::sync::Arc;
use std::time::Duration;

use domain::{Error, FunctionId, Kind, WorkspaceId};
use ports::{Clock, Parts, Queue, Runtime};
use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use random::Random;
pub use random::{Entropy, SystemEntropy};
pub use store::metrics::Series;
pub use store::{Listed, PageRequest, Store};

/// How a home wants it.
#[derive(Clone, Debug)]
pub struct Config {
    /// How long a SYNC caller is kept waiting before 202.
    pub gateway_wait: Duration,
    /// SYNC functions with a longer timeout go through the queue, because the process that runs them directly is
    /// frozen once it has answered (Lambda). `None` where runs go on by themselves.
    pub direct_limit: Option<Duration>,
    /// A SYNC run shorter than this is recorded once, when it ends: nobody was told of it before.
    pub sync_grace: Duration,
    /// How long a SYNC run may wait for a place to run before 429.
    pub sync_patience: Duration,
    /// How many passwords may be hashed at once: each takes 19 MiB.
    pub password_hashes: usize,
    /// How many registrations one source may make in five minutes; 0 for any number.
    pub registrations_per_source: u64,
    /// How much of everything one user may have.
    pub quotas: Quotas,
}

/// How much of everything one user may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quotas {
    /// Workspaces.
    pub workspaces: u32,
    /// Functions, in all workspaces.
    pub functions: u32,
    /// Versions that are kept of a function, 1 at least: the oldest go.
    pub versions: u32,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            workspaces: domain::limits::WORKSPACES_PER_USER,
            functions: domain::limits::FUNCTIONS_PER_USER,
            versions: domain::limits::VERSIONS_PER_FUNCTION,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            gateway_wait: domain::limits::GATEWAY_WAIT,
            direct_limit: None,
            sync_grace: Duration::from_millis(5),
            sync_patience: Duration::from_secs(10),
            password_hashes: 2,
            registrations_per_source: domain::limits::REGISTRATIONS_PER_SOURCE,
            quotas: Quotas::default(),
        }
    }
}

/// The platform, as its APIs see it.
pub struct App {
    store: Store,
    queue: Arc<dyn Queue>,
    runtime: Arc<dyn Runtime>,
    clock: Arc<dyn Clock>,
    random: Random,
    passwords: passwords::Passwords,
    code: Cache<String, Arc<str>>,
    endpoints: Cache<(WorkspaceId, String), FunctionId>,
    /// Under which leases this process runs jobs.
    leases: leases::Leases,
    tasks: TaskTracker,
    stopping: CancellationToken,
    config: Config,
}

/// How many sources are kept in memory. They never change: their keys name their content.
const CACHED_SOURCES: usize = 256;

/// How many endpoints' functions are remembered. One that has moved is noticed when its function is read.
const KNOWN_ENDPOINTS: usize = 4096;

impl App {
    /// The platform on these parts.
    pub fn new(parts: Parts, config: Config) -> Self {
        Self::with_entropy(parts, config, Arc::new(SystemEntropy))
    }

    /// The platform on these parts, its ids, leases and secrets made of what `entropy` gives.
    pub fn with_entropy(parts: Parts, config: Config, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            store: Store::new(parts.table, parts.blobs),
            queue: parts.queue,
            runtime: parts.runtime,
            clock: parts.clock,
            random: Random(entropy),
            passwords: passwords::Passwords::new(config.password_hashes),
            code: Cache::new(CACHED_SOURCES),
            endpoints: Cache::new(KNOWN_ENDPOINTS),
            leases: leases::Leases::default(),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            config,
        }
    }

    /// The records.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The time.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Whether each part the platform needs answers: its name, and how it is or what is wrong.
    pub async fn health(&self) -> Vec<(&'static str, Result<String, String>)> {
        let ok = |()| "ok".to_owned();
        let text = |error: &dyn std::fmt::Display| error.to_string();
        vec![
            ("table", self.store.table().health().await.map(ok).map_err(|error| text(&error))),
            ("blobs", self.store.blobs().health().await.map(ok).map_err(|error| text(&error))),
            ("queue", self.queue.health().await.map(ok).map_err(|error| text(&error))),
            ("runtime", self.runtime.health().await.map_err(|error| text(&error))),
        ]
    }
}

/// The SHA-256 of a text, in hex.
fn sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a caller hears when the limit of concurrent runs is reached.
pub(crate) fn busy(retry_after: Duration) -> Error {
    Error::new(
        Kind::TooMany { retry_after },
        "CONCURRENCY_LIMIT",
        "The limit of concurrent runs is reached. Try again after the time in Retry-After",
    )
}
