//! Entities in the one table: every key, every condition, and nothing of the use cases.
//!
//! One file per entity; [`keys`] has the access patterns. Every document and list is one key lookup or one index query,
//! whatever is stored.

pub mod api_keys;
pub mod connections;
pub mod ended;
pub mod functions;
mod items;
pub mod jobs;
pub mod keys;
pub mod logins;
pub mod metrics;
mod names;
pub mod payloads;
pub mod quotas;
pub mod sessions;
pub mod sweeps;
pub mod uploads;
pub mod users;
pub mod workspaces;

use std::sync::Arc;

use domain::{Error, Function, FunctionId, Result};
use ports::{
    Blobs, Condition, Durability, Index, Item, Key, Page, Position, Query, Sort, Table, TableError, Write,
};
use quick_cache::sync::Cache;
use serde::de::DeserializeOwned;

/// The entities' home.
#[derive(Clone)]
pub struct Store {
    table: Arc<dyn Table>,
    blobs: Arc<dyn Blobs>,
    functions: Arc<Cache<FunctionId, Read>>,
}

/// The write by which a request that may be sent again notes that it has had its effect: it goes with the write that is
/// the effect, and is refused once another has taken the request over. `None` of a request that is sent once.
pub type Mark = Option<Write>;

/// A function, and the record that it was read from: as long as the table has that very one, it is the same.
#[derive(Clone)]
struct Read {
    record: Arc<Item>,
    function: Arc<Function>,
}

/// How many functions are kept as they were read.
const READ: usize = 1024;

/// Part of a list.
#[derive(Clone, Debug)]
pub struct Listed<T> {
    /// The entities.
    pub items: Vec<T>,
    /// Where to go on; `None` at the end.
    pub next: Option<Position>,
    /// Where each of them is.
    places: Vec<Position>,
}

impl<T> Listed<T> {
    /// Leaves out what would make the list larger than `bytes` in all, to be asked for with `next`; one stays at least.
    pub fn within(mut self, bytes: usize, size: impl Fn(&T) -> usize) -> Self {
        let mut all = 0;
        let fit = self.items.iter().take_while(|item| {
            all += size(item);
            all <= bytes
        });
        let fit = fit.count().max(1);
        if fit < self.items.len() {
            self.next = self.places.get(fit - 1).cloned();
            self.items.truncate(fit);
            self.places.truncate(fit);
        }
        self
    }

    /// Leaves out what is not to be shown.
    fn only(self, shown: impl Fn(&T) -> bool) -> Self {
        let both = self.items.into_iter().zip(self.places);
        let (items, places) = both.filter(|(item, _)| shown(item)).unzip();
        Self { items, places, next: self.next }
    }

    /// The same list of something else.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Listed<U> {
        Listed { items: self.items.into_iter().map(f).collect(), next: self.next, places: self.places }
    }
}

/// How much of a list, and from where.
#[derive(Clone, Debug)]
pub struct PageRequest {
    /// How many at most.
    pub limit: usize,
    /// Where the page before ended.
    pub after: Option<Position>,
}

impl Store {
    /// A store on these parts.
    pub fn new(table: Arc<dyn Table>, blobs: Arc<dyn Blobs>) -> Self {
        Self { table, blobs, functions: Arc::new(Cache::new(READ)) }
    }

    /// The table under it.
    pub fn table(&self) -> &Arc<dyn Table> {
        &self.table
    }

    /// The blob store under it.
    pub fn blobs(&self) -> &Arc<dyn Blobs> {
        &self.blobs
    }

    async fn get<T: DeserializeOwned>(&self, key: &Key) -> Result<Option<T>> {
        self.table.get(key).await?.map(items::read).transpose()
    }

    async fn list<T: DeserializeOwned>(&self, query: Query) -> Result<Listed<T>> {
        let Page { items, next } = self.table.query(&query).await?;
        let places = items.iter().map(|item| place(item, query.index)).collect();
        Ok(Listed { items: items.into_iter().map(items::read).collect::<Result<_>>()?, next, places })
    }

    /// As much of a list as was asked for, page after page; for entities that are small.
    async fn list_all<T: DeserializeOwned>(&self, mut query: Query) -> Result<Listed<T>> {
        let limit = query.limit;
        let mut listed = self.list(query.clone()).await?;
        while let (Some(next), Some(left)) = (listed.next.take(), limit.checked_sub(listed.items.len())) {
            if left == 0 {
                listed.next = Some(next);
                break;
            }
            query.limit = left;
            query.after = Some(next);
            let page = self.list(query.clone()).await?;
            listed.items.extend(page.items);
            listed.places.extend(page.places);
            listed.next = page.next;
        }
        Ok(listed)
    }

    /// Everything of a partition whose sort key begins with `prefix`.
    async fn all(&self, partition: &str, prefix: &str) -> Result<Vec<Item>> {
        let sort = if prefix.is_empty() { Sort::All } else { Sort::Prefix(prefix.to_owned()) };
        self.whole(partition, sort).await
    }

    /// This part of a partition, page after page.
    async fn whole(&self, partition: &str, sort: Sort) -> Result<Vec<Item>> {
        let mut query = Query { sort, ..Query::partition(partition, 1000) };
        let mut items = Vec::new();
        loop {
            let page = self.table.query(&query).await?;
            items.extend(page.items);
            match page.next {
                Some(next) => query.after = Some(next),
                None => return Ok(items),
            }
        }
    }

    /// Deletes these, whatever they are, in as few writes as it takes.
    async fn delete_all(&self, keys: impl IntoIterator<Item = Key>) -> Result<()> {
        let mut writes = keys.into_iter().map(|key| Write::Delete(key, Condition::None)).peekable();
        while writes.peek().is_some() {
            let some: Vec<_> = writes.by_ref().take(ports::table::MAX_WRITES).collect();
            self.table.write(some, Durability::Crash).await?;
        }
        Ok(())
    }
}

/// Where an item is in what was asked.
fn place(item: &Item, index: Index) -> Position {
    let in_index = match index {
        Index::Primary => None,
        Index::Gsi1 => item.gsi1.clone(),
        Index::Gsi2 => item.gsi2.clone(),
    };
    Position { key: item.key.clone(), index: in_index }
}

/// The error of a write whose conditions can fail: `at(index)` says which error that is.
fn conflict(error: TableError, at: impl FnOnce(usize) -> Error) -> Error {
    match error {
        TableError::Condition { index } => at(index),
        other => other.into(),
    }
}
