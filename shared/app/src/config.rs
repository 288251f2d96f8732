//! How a home wants the platform.

use std::time::Duration;

use domain::limits;

/// How a home wants the platform.
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
            workspaces: limits::WORKSPACES_PER_USER,
            functions: limits::FUNCTIONS_PER_USER,
            versions: limits::VERSIONS_PER_FUNCTION,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            gateway_wait: limits::GATEWAY_WAIT,
            direct_limit: None,
            sync_grace: Duration::from_millis(5),
            sync_patience: Duration::from_secs(10),
            password_hashes: 2,
            registrations_per_source: limits::REGISTRATIONS_PER_SOURCE,
            quotas: Quotas::default(),
        }
    }
}
