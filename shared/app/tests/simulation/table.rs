//! A table in memory that is slow, fails before or after it has written, and checks every step of a job.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use domain::{Job, JobStatus};
use ports::{
    Blobs, Change, Condition, Durability, Index, Item, Key, Page, PortError, Position, Query, Sort, Table,
    TableError, Write,
};
use serde_json::Value;

use super::world::{World, lock};

pub(crate) struct StormyTable {
    pub(crate) world: Arc<World>,
    items: Mutex<BTreeMap<Key, Item>>,
}

impl StormyTable {
    pub(crate) fn new(world: Arc<World>) -> Self {
        Self { world, items: Mutex::default() }
    }

    /// All jobs that are stored.
    pub(crate) fn jobs(&self) -> Vec<Job> {
        let items = lock(&self.items);
        items.values().filter(|item| item.key.pk.starts_with("JOB#")).map(read).collect()
    }

    /// The blobs that versions name.
    pub(crate) fn named_blobs(&self) -> BTreeSet<String> {
        let items = lock(&self.items);
        let code = |item: &Item| item.attributes.get("code_key").and_then(Value::as_str).map(str::to_owned);
        items.values().filter(|item| item.key.sk.starts_with("VERSION#")).filter_map(code).collect()
    }

    /// The janitor's notes.
    pub(crate) fn notes(&self) -> Vec<Key> {
        lock(&self.items).keys().filter(|key| key.pk.starts_with("DUE#")).cloned().collect()
    }

    /// The lease that a job is stored under.
    pub(crate) fn lease(&self, id: domain::JobId) -> Option<String> {
        let items = lock(&self.items);
        let item = items.get(&Key::new(format!("JOB#{id}"), "META"))?;
        item.attributes.get("lease_id").and_then(Value::as_str).map(str::to_owned)
    }

    fn apply(&self, writes: Vec<Write>) -> Result<(), TableError> {
        let mut items = lock(&self.items);
        for (index, write) in writes.iter().enumerate() {
            if !write.condition().holds(items.get(write.key())) {
                if write.key().pk.starts_with("JOB#") {
                    self.world.note("refused write", format_args!("{}", write.key().pk));
                }
                return Err(TableError::Condition { index });
            }
        }
        for write in writes {
            match write {
                Write::Put(item, _) => {
                    if item.key.pk.starts_with("JOB#") {
                        self.check_step(items.get(&item.key).map(read), &read(&item));
                    }
                    items.insert(item.key.clone(), item);
                }
                Write::Update(key, changes, _) => {
                    items.entry(key.clone()).or_insert_with(|| Item::new(key)).apply(changes)?;
                }
                Write::Delete(key, _) => {
                    items.remove(&key);
                }
                Write::Check(..) => {}
            }
        }
        Ok(())
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

    fn find(&self, query: &Query) -> Page {
        let items = lock(&self.items);
        let place = |item: &Item| match query.index {
            Index::Primary => Some(item.key.clone()),
            Index::Gsi1 => item.gsi1.clone(),
            Index::Gsi2 => item.gsi2.clone(),
        };
        let wanted = |key: &Key| {
            key.pk == query.partition
                && match &query.sort {
                    Sort::All => true,
                    Sort::Prefix(prefix) => key.sk.starts_with(prefix),
                    Sort::Between(from, to) => *from <= key.sk && key.sk <= *to,
                }
        };
        let all = items.values().filter_map(|item| Some((place(item)?, item)));
        let mut found: Vec<_> = all.filter(|(place, _)| wanted(place)).collect();
        found.sort_by(|(a, one), (b, other)| (a, &one.key).cmp(&(b, &other.key)));
        if query.descending {
            found.reverse();
        }
        if let Some(after) = &query.after {
            let last = (after.index.as_ref().unwrap_or(&after.key), &after.key);
            let is_past = |place: &Key, item: &Item| match query.descending {
                true => (place, &item.key) < last,
                false => (place, &item.key) > last,
            };
            found.retain(|(place, item)| is_past(place, item));
        }
        let more = found.len() > query.limit;
        found.truncate(query.limit);
        let next = found.last().filter(|_| more).map(|(place, item)| Position {
            key: item.key.clone(),
            index: (query.index != Index::Primary).then(|| place.clone()),
        });
        Page { items: found.into_iter().map(|(_, item)| item.clone()).collect(), next }
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
        Ok(lock(&self.items).get(key).cloned())
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, TableError> {
        self.weather().await?;
        let items = lock(&self.items);
        Ok(keys.iter().map(|key| items.get(key).cloned()).collect())
    }

    async fn query(&self, query: &Query) -> Result<Page, TableError> {
        self.weather().await?;
        Ok(self.find(query))
    }

    async fn any_partition(&self, prefix: &str) -> Result<bool, TableError> {
        self.weather().await?;
        Ok(lock(&self.items).keys().any(|key| key.pk.starts_with(prefix)))
    }

    async fn write(&self, writes: Vec<Write>, _: Durability) -> Result<(), TableError> {
        self.weather().await?;
        self.apply(writes)?;
        self.weather().await
    }

    async fn update(&self, key: Key, changes: Vec<Change>, condition: Condition) -> Result<Item, TableError> {
        self.weather().await?;
        self.apply(vec![Write::Update(key.clone(), changes, condition)])?;
        Ok(lock(&self.items)[&key].clone())
    }

    async fn health(&self) -> Result<(), TableError> {
        Ok(())
    }
}

/// Blobs in memory. Jobs here are small; only code lies in them.
#[derive(Default)]
pub(crate) struct MemoryBlobs(Mutex<BTreeMap<String, Bytes>>);

impl MemoryBlobs {
    pub(crate) fn keys(&self) -> BTreeSet<String> {
        lock(&self.0).keys().cloned().collect()
    }
}

#[async_trait]
impl Blobs for MemoryBlobs {
    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), PortError> {
        lock(&self.0).insert(key.to_owned(), bytes);
        Ok(())
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>, PortError> {
        Ok(lock(&self.0).get(key).cloned())
    }

    async fn delete_prefix(&self, prefix: &str) -> Result<(), PortError> {
        lock(&self.0).retain(|key, _| !key.starts_with(prefix));
        Ok(())
    }

    async fn health(&self) -> Result<(), PortError> {
        Ok(())
    }
}
