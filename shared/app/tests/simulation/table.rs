//! A table in memory that is slow, fails before or after it has written, and checks every step of a job.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use domain::{Job, JobStatus};
use ports::memory::MemoryTable;
use ports::{Change, Condition, Durability, Item, Key, Page, Query, Table, TableError, Write};
use serde_json::Value;

use super::world::World;

pub(crate) struct StormyTable {
    pub(crate) world: Arc<World>,
    items: MemoryTable,
}

impl StormyTable {
    pub(crate) fn new(world: Arc<World>) -> Self {
        Self { world, items: MemoryTable::default() }
    }

    fn items(&self) -> impl Iterator<Item = Item> {
        self.items.items().into_iter()
    }

    /// All jobs that are stored.
    pub(crate) fn jobs(&self) -> Vec<Job> {
        self.items().filter(|item| item.key.pk.starts_with("JOB#")).map(|item| read(&item)).collect()
    }

    /// The blobs that versions name.
    pub(crate) fn named_blobs(&self) -> BTreeSet<String> {
        let code = |item: Item| item.attributes.get("code_key").and_then(Value::as_str).map(str::to_owned);
        self.items().filter(|item| item.key.sk.starts_with("VERSION#")).filter_map(code).collect()
    }

    /// The janitor's notes.
    pub(crate) fn notes(&self) -> Vec<Key> {
        self.items().map(|item| item.key).filter(|key| key.pk.starts_with("DUE#")).collect()
    }

    /// The lease that a job is stored under.
    pub(crate) async fn lease(&self, id: domain::JobId) -> Option<String> {
        let item = self.items.get(&Key::new(format!("JOB#{id}"), "META")).await.ok()??;
        item.attributes.get("lease_id").and_then(Value::as_str).map(str::to_owned)
    }

    async fn apply(&self, writes: Vec<Write>) -> Result<(), TableError> {
        let mut steps = Vec::new();
        for write in &writes {
            if let Write::Put(item, _) = write
                && item.key.pk.starts_with("JOB#")
            {
                // Nothing comes between this and the write: neither waits for anything.
                steps.push((self.items.get(&item.key).await?.as_ref().map(read), read(item)));
            }
        }
        let keys: Vec<_> = writes.iter().map(|write| write.key().pk.clone()).collect();
        let done = self.items.write(writes, Durability::Crash).await;
        match &done {
            Ok(()) => steps.into_iter().for_each(|(before, after)| self.check_step(before, &after)),
            Err(TableError::Condition { index }) if keys[*index].starts_with("JOB#") => {
                self.world.note("refused write", &keys[*index]);
            }
            Err(_) => {}
        }
        done
    }

    /// Whether a job may go from there to here.
    fn check_step(&self, before: Option<Job>, after: &Job) {
        use JobStatus::{Cancelled, Error, Pending, Running, Success};
        let from = before.as_ref().map(|job| job.status);
        self.world.note("step", format_args!("job {}, {}", after.id, Step(before.as_ref(), after)));
        let legal = match (from, after.status) {
            (Some(Success | Error | Cancelled), _) | (None, Cancelled) => false,
            (None, _) | (Some(Pending), Pending | Running | Error | Cancelled) => true,
            (Some(Pending), Success) | (Some(Running), Cancelled) => false,
            (Some(Running), _) => true,
        };
        let has_note = after.status.is_final() != after.due.is_some();
        let has_lease = (after.status == Running) == after.lease.is_some();
        if !legal || !has_note || !has_lease {
            self.world.complain(format!("an illegal step: {before:?} to {after:?}"));
        }
        if after.status == Success {
            self.check_result(before.as_ref(), after);
        }
    }

    /// A result is that of the run that the lease in force was for.
    fn check_result(&self, before: Option<&Job>, after: &Job) {
        let Some(domain::Payload::Inline(output)) = &after.output else {
            return self.world.complain(format!("a success without a result: {after:?}"));
        };
        let output: Value = serde_json::from_str(output).expect("the runtime answers JSON");
        let attempt = output["attempt"].as_u64();
        let lease = before.and_then(|job| job.lease.as_ref()).map(|lease| lease.id.as_str());
        let right =
            attempt == Some(after.attempts.into()) && before.is_none_or(|_| ran_under(&output, lease));
        if !right {
            self.world.complain(format!("the result of another run: {output} in {after:?}"));
        }
    }

    async fn weather(&self) -> Result<(), TableError> {
        self.world.dawdle().await;
        match self.world.once_in(60) {
            true => {
                self.world.note("storm", "the table fails");
                Err(TableError::Unavailable("a storm".into()))
            }
            false => Ok(()),
        }
    }
}

/// A step, in a line of the history.
struct Step<'a>(Option<&'a Job>, &'a Job);

impl std::fmt::Display for Step<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(before, after) = self;
        let lease = after.lease.as_ref().map_or("none", |lease| &lease.id);
        let from = before.map_or("nothing", |job| job.status.as_str());
        let (attempts, faults) = (after.attempts, after.faults);
        write!(f, "{from} to {}, attempts {attempts}, faults {faults}, lease {lease}", after.status.as_str())
    }
}

/// Whether a run was begun under this lease. One that no record was there for (SYNC, before its grace) had none to see.
fn ran_under(output: &Value, lease: Option<&str>) -> bool {
    output["lease"].is_null() || output["lease"].as_str() == lease
}

fn read(item: &Item) -> Job {
    serde_json::from_value(Value::Object(item.attributes.clone())).expect("the platform writes jobs")
}

#[async_trait]
impl Table for StormyTable {
    async fn get(&self, key: &Key) -> Result<Option<Item>, TableError> {
        self.weather().await?;
        self.items.get(key).await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, TableError> {
        self.weather().await?;
        self.items.get_many(keys).await
    }

    async fn query(&self, query: &Query) -> Result<Page, TableError> {
        self.weather().await?;
        self.items.query(query).await
    }

    async fn any_partition(&self, prefix: &str) -> Result<bool, TableError> {
        self.weather().await?;
        self.items.any_partition(prefix).await
    }

    async fn write(&self, writes: Vec<Write>, _: Durability) -> Result<(), TableError> {
        self.weather().await?;
        self.apply(writes).await?;
        self.weather().await
    }

    async fn update(&self, key: Key, changes: Vec<Change>, condition: Condition) -> Result<Item, TableError> {
        self.weather().await?;
        self.items.update(key, changes, condition).await
    }

    async fn health(&self) -> Result<(), TableError> {
        Ok(())
    }
}
