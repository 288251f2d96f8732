//! The suite that every adapter passes: [`table`], [`queue`], [`blobs`], [`connections`]. Each runs all the named cases of its port and
//! panics at the end with every case that failed; `*_cases` gives them one by one.
//!
//! Table and blob cases keep to keys of their own, so they may share a store with anything. Queue cases need a queue
//! that nobody else uses, and run one after the other.

use std::any::Any;
use std::fmt::Debug;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::{Blobs, Connections, Queue, Table};

mod blobs;
mod connections;
mod queue;
mod table;

pub use connections::{Client, Clients};
pub use queue::QueueOptions;

/// One named case, to be run on an `S` (such as `&dyn Table`).
pub struct Case<'a, S> {
    /// What it shows, in `snake_case`.
    pub name: &'static str,
    body: fn(S) -> BoxFuture<'a, ()>,
}

impl<'a, S> Case<'a, S> {
    /// Runs it; `Err` says what went wrong.
    pub async fn outcome(&self, subject: S) -> Result<(), String> {
        AssertUnwindSafe((self.body)(subject)).catch_unwind().await.map_err(|panic| message(panic.as_ref()))
    }

    /// Runs it, and panics with its name where it fails.
    pub async fn run(&self, subject: S) {
        if let Err(reason) = self.outcome(subject).await {
            panic!("{}: {reason}", self.name);
        }
    }
}

/// A list of [`Case`]s, each named after the async function that it is.
macro_rules! cases {
    ($($module:ident { $($case:ident),+ $(,)? })+) => {
        vec![$($(Case { name: stringify!($case), body: |subject| Box::pin($module::$case(subject)) }),+),+]
    };
}
use cases;

/// Every case of [`Table`].
pub fn table_cases<'a>() -> Vec<Case<'a, &'a dyn Table>> {
    table::cases()
}

/// Every case of [`Queue`].
pub fn queue_cases<'a>() -> Vec<Case<'a, (&'a dyn Queue, QueueOptions)>> {
    queue::cases()
}

/// Every case of [`Blobs`].
pub fn blobs_cases<'a>() -> Vec<Case<'a, &'a dyn Blobs>> {
    blobs::cases()
}

/// Every case of [`Connections`].
pub fn connections_cases<'a>() -> Vec<Case<'a, (&'a dyn Connections, &'a dyn Clients)>> {
    connections::cases()
}

/// Runs all of [`table_cases`].
pub async fn table(table: &dyn Table) {
    run_all(table_cases(), table).await;
}

/// Runs all of [`queue_cases`], on a queue that nobody else uses.
pub async fn queue(queue: &dyn Queue, options: QueueOptions) {
    run_all(queue_cases(), (queue, options)).await;
}

/// Runs all of [`blobs_cases`].
pub async fn blobs(blobs: &dyn Blobs) {
    run_all(blobs_cases(), blobs).await;
}

/// Runs all of [`connections_cases`].
pub async fn connections(connections: &dyn Connections, clients: &dyn Clients) {
    run_all(connections_cases(), (connections, clients)).await;
}

async fn run_all<'a, S: Copy + 'a>(cases: Vec<Case<'a, S>>, subject: S) {
    let mut failures = Vec::new();
    for case in cases {
        if let Err(reason) = case.outcome(subject).await {
            failures.push(format!("{}: {reason}", case.name));
        }
    }
    assert!(failures.is_empty(), "{} cases failed\n{}", failures.len(), failures.join("\n"));
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("panicked").to_owned()
}

/// A name that nothing else in the store begins with.
fn fresh() -> String {
    format!("T{}", uuid::Uuid::new_v4().simple())
}

/// Asks until the answer is the expected one (an index may lag), for at most ten seconds.
async fn eventually<T: PartialEq + Debug, F: Future<Output = T>>(expected: T, mut ask: impl FnMut() -> F) {
    let begun = Instant::now();
    loop {
        let answer = ask().await;
        if answer == expected {
            return;
        }
        if begun.elapsed() > Duration::from_secs(10) {
            panic!("expected {expected:?}, still {answer:?} after ten seconds");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
