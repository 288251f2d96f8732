//! The use cases, shared by every API document and both homes: register, save a function, invoke it, run a job, sweep.
//!
//! What comes in has passed the API's validation of shapes; rules that need the domain (is this code? is the name
//! taken?) are kept here, and say what is wrong as [`domain::Error`].

mod accounts;
mod auth_keys;
mod background;
pub mod base64;
mod code;
mod config;
mod digest;
pub mod environment;
pub mod functions;
mod health;
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
pub mod sockets;
mod triggers;
pub mod worker;
mod workspaces;

use std::sync::Arc;

use ports::Parts;

pub use accounts::{Accounts, NewUser};
pub use auth_keys::{AuthKeys, check_unless_other};
pub use background::Background;
use code::Code;
pub use config::{Config, Quotas};
pub use functions::Functions;
pub use health::Health;
pub use invocations::Invocations;
pub use janitor::Janitor;
pub use jobs::Jobs;
use leases::Leases;
pub use metrics::Metrics;
use passwords::Passwords;
use random::Random;
pub use random::{Entropy, SystemEntropy};
pub use run_logs::RunLogs;
use runs::Runs;
pub use sockets::Sockets;
pub use store::metrics::Series;
pub use store::{Listed, PageRequest, Store};
pub use triggers::{Bearer, Triggered, Triggers};
pub use worker::Worker;
pub use workspaces::Workspaces;

/// The use cases, as services: each holds only the parts and the other services that it needs.
pub struct Services {
    /// Registering and logging in.
    pub accounts: Arc<Accounts>,
    /// Making and changing workspaces.
    pub workspaces: Arc<Workspaces>,
    /// The keys of workspaces.
    pub auth_keys: Arc<AuthKeys>,
    /// Saving functions.
    pub functions: Arc<Functions>,
    /// Running functions.
    pub invocations: Arc<Invocations>,
    /// Running functions for whoever calls their HTTP endpoints.
    pub triggers: Arc<Triggers>,
    /// Looking at jobs, cancelling them, doing them again.
    pub jobs: Arc<Jobs>,
    /// The last runs of a function.
    pub run_logs: Arc<RunLogs>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Pushing to open sockets.
    pub sockets: Arc<Sockets>,
    /// Whether all parts answer.
    pub health: Arc<Health>,
    /// What is done with queued jobs.
    pub worker: Arc<Worker>,
    /// What is done now and then.
    pub janitor: Arc<Janitor>,
    /// What this process has begun and not ended yet.
    pub background: Background,
}

impl Services {
    /// The services on these parts.
    pub fn new(parts: Parts, config: Config) -> Self {
        Self::with_entropy(parts, config, Arc::new(SystemEntropy))
    }

    /// The services on these parts, their ids, leases and secrets made of what `entropy` gives.
    pub fn with_entropy(parts: Parts, config: Config, entropy: Arc<dyn Entropy>) -> Self {
        let Parts { table, blobs, queue, runtime, connections, clock } = parts;
        let (store, random) = (Store::new(table, blobs), Random(entropy));
        let background = Background::default();
        let accounts = Arc::new(Accounts {
            store: store.clone(),
            clock: clock.clone(),
            random: random.clone(),
            passwords: Arc::new(Passwords::new(config.password_hashes)),
            background: background.clone(),
            registrations_per_source: config.registrations_per_source,
        });
        let workspaces = Arc::new(Workspaces {
            store: store.clone(),
            clock: clock.clone(),
            random: random.clone(),
            most: config.quotas.workspaces,
        });
        let auth_keys = Arc::new(AuthKeys {
            store: store.clone(),
            clock: clock.clone(),
            random: random.clone(),
            workspaces: workspaces.clone(),
        });
        let functions = Arc::new(Functions {
            store: store.clone(),
            runtime: runtime.clone(),
            clock: clock.clone(),
            random: random.clone(),
            code: Code::new(store.clone(), runtime.clone(), clock.clone(), random.clone()),
            workspaces: workspaces.clone(),
            most: config.quotas.functions,
            most_versions: config.quotas.versions,
        });
        let runs = Arc::new(Runs {
            store: store.clone(),
            queue: queue.clone(),
            runtime: runtime.clone(),
            clock: clock.clone(),
            random: random.clone(),
            leases: Leases::default(),
            sync_grace: config.sync_grace,
            sync_patience: config.sync_patience,
        });
        let invocations = Arc::new(Invocations {
            store: store.clone(),
            queue: queue.clone(),
            random: random.clone(),
            functions: functions.clone(),
            auth_keys: auth_keys.clone(),
            runs: runs.clone(),
            background: background.clone(),
            gateway_wait: config.gateway_wait,
            direct_limit: config.direct_limit,
        });
        let triggers = Triggers::new(store.clone(), clock.clone(), auth_keys.clone(), invocations.clone());
        let jobs = Jobs {
            store: store.clone(),
            clock: clock.clone(),
            functions: functions.clone(),
            invocations: invocations.clone(),
        };
        let metrics = Metrics {
            store: store.clone(),
            clock: clock.clone(),
            functions: functions.clone(),
            workspaces: workspaces.clone(),
        };
        let worker = Worker {
            store: store.clone(),
            clock: clock.clone(),
            random,
            runs: runs.clone(),
            background: background.clone(),
        };
        let sockets = Sockets::new(store.clone(), connections, clock.clone());
        let janitor = Janitor { store: store.clone(), runtime: runtime.clone(), clock, runs };
        Self {
            accounts,
            workspaces,
            auth_keys,
            invocations,
            triggers: Arc::new(triggers),
            jobs: Arc::new(jobs),
            run_logs: Arc::new(RunLogs { store: store.clone(), functions: functions.clone() }),
            functions,
            metrics: Arc::new(metrics),
            sockets: Arc::new(sockets),
            health: Arc::new(Health { store, queue, runtime }),
            worker: Arc::new(worker),
            janitor: Arc::new(janitor),
            background,
        }
    }
}
