//! What the platform needs of the world, as six traits. The adapters are `shared/aws` (DynamoDB, S3, SQS, Lambda) and
//! `localstack` (SQLite, files, SQLite, processes); both pass the suite in [`conformance`].

pub mod blobs;
pub mod clock;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod connections;
#[cfg(feature = "memory")]
pub mod memory;
pub mod queue;
pub mod runtime;
pub mod table;

use std::sync::Arc;

pub use blobs::Blobs;
pub use clock::Clock;
pub use connections::{Close, ConnectionError, ConnectionId, Connections};
pub use queue::{Delivery, Message, Queue};
pub use runtime::{Draft, Invocation, Runtime, RuntimeError};
pub use table::{
    Attributes, Change, Check, Condition, Durability, Index, Item, Key, Page, Position, Query, Sort, Table,
    TableError, Write,
};

/// The parts that a home gives.
#[derive(Clone)]
pub struct Parts {
    /// Records.
    pub table: Arc<dyn Table>,
    /// Code and large payloads.
    pub blobs: Arc<dyn Blobs>,
    /// ASYNC jobs.
    pub queue: Arc<dyn Queue>,
    /// What runs user code.
    pub runtime: Arc<dyn Runtime>,
    /// Open WebSockets.
    pub connections: Arc<dyn Connections>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// What an outside part (a blob store, a queue) answers when it can't do what it was asked. Always worth another try.
#[derive(Debug, thiserror::Error)]
#[error("{part}: {reason}")]
pub struct PortError {
    /// Which part: `blobs`, `queue`.
    pub part: &'static str,
    /// What it said. For the log.
    pub reason: String,
}

impl PortError {
    /// A fault of `part`.
    pub fn new(part: &'static str, reason: impl ToString) -> Self {
        Self { part, reason: reason.to_string() }
    }
}

impl From<PortError> for domain::Error {
    fn from(error: PortError) -> Self {
        domain::Error::unavailable(error)
    }
}
