//! Parts in memory, for tests: what they hold is gone with them. They pass the conformance suite like every adapter.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use domain::Timestamp;

use crate::blobs::is_valid_key;
use crate::connections::MAX_MESSAGE;
use crate::table::{MAX_ITEM, check_together};
use crate::{
    Blobs, Change, Clock, Close, Condition, ConnectionError, ConnectionId, Connections, Durability, Index,
    Item, Key, Page, PortError, Position, Query, Sort, Table, TableError, Write,
};

/// A table. Its futures are ready at once.
#[derive(Default)]
pub struct MemoryTable(Mutex<BTreeMap<Key, Item>>);

impl MemoryTable {
    /// Everything that is stored, by key.
    pub fn items(&self) -> Vec<Item> {
        lock(&self.0).values().cloned().collect()
    }
}

#[async_trait]
impl Table for MemoryTable {
    async fn get(&self, key: &Key) -> Result<Option<Item>, TableError> {
        Ok(lock(&self.0).get(key).cloned())
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, TableError> {
        let items = lock(&self.0);
        Ok(keys.iter().map(|key| items.get(key).cloned()).collect())
    }

    async fn query(&self, query: &Query) -> Result<Page, TableError> {
        let items = lock(&self.0);
        let found = items.values().filter_map(|item| Some((place(item, query.index)?, &item.key, item)));
        let mut found: Vec<_> = found.filter(|(place, ..)| query.covers(place)).collect();
        found.sort_by_key(|(place, key, _)| (*place, *key));
        if query.descending {
            found.reverse();
        }
        if let Some(Position { key, index }) = &query.after {
            let end = (index.as_ref().unwrap_or(key), key);
            found.retain(|(place, key, _)| match query.descending {
                true => (*place, *key) < end,
                false => (*place, *key) > end,
            });
        }
        let next = (found.len() > query.limit).then(|| found[query.limit - 1]);
        let next = next.map(|(place, key, _)| Position {
            key: key.clone(),
            index: (query.index != Index::Primary).then(|| place.clone()),
        });
        found.truncate(query.limit);
        Ok(Page { items: found.into_iter().map(|(.., item)| item.clone()).collect(), next })
    }

    async fn any_partition(&self, prefix: &str) -> Result<bool, TableError> {
        Ok(lock(&self.0).keys().any(|key| key.pk.starts_with(prefix)))
    }

    async fn write(&self, writes: Vec<Write>, _: Durability) -> Result<(), TableError> {
        check_together(&writes)?;
        let mut items = lock(&self.0);
        let failed = writes.iter().position(|write| !write.condition().holds(items.get(write.key())));
        if let Some(index) = failed {
            return Err(TableError::Condition { index });
        }
        let mut written = Vec::new();
        for write in writes {
            let key = write.key().clone();
            let item = match write {
                Write::Check(..) => continue,
                Write::Delete(..) => None,
                Write::Put(item, _) => Some(item),
                Write::Update(_, changes, _) => {
                    let mut item = items.get(&key).cloned().unwrap_or_else(|| Item::new(key.clone()));
                    item.apply(changes)?;
                    Some(item)
                }
            };
            if item.as_ref().is_some_and(|item| size(item) > MAX_ITEM) {
                return Err(TableError::Broken(format!("an item of more than {MAX_ITEM} bytes")));
            }
            written.push((key, item));
        }
        for (key, item) in written {
            match item {
                Some(item) => items.insert(key, item),
                None => items.remove(&key),
            };
        }
        Ok(())
    }

    async fn update(&self, key: Key, changes: Vec<Change>, condition: Condition) -> Result<Item, TableError> {
        self.write(vec![Write::Update(key.clone(), changes, condition)], Durability::Crash).await?;
        Ok(lock(&self.0)[&key].clone())
    }

    async fn health(&self) -> Result<(), TableError> {
        Ok(())
    }
}

/// About what DynamoDB counts.
fn size(item: &Item) -> usize {
    item.attributes.iter().map(|(name, value)| name.len() + value.to_string().len()).sum()
}

fn place(item: &Item, index: Index) -> Option<&Key> {
    match index {
        Index::Primary => Some(&item.key),
        Index::Gsi1 => item.gsi1.as_ref(),
        Index::Gsi2 => item.gsi2.as_ref(),
    }
}

impl Query {
    /// Whether what is at this place is asked for.
    fn covers(&self, place: &Key) -> bool {
        place.pk == self.partition
            && match &self.sort {
                Sort::All => true,
                Sort::Prefix(prefix) => place.sk.starts_with(prefix),
                Sort::Between(low, high) => *low <= place.sk && place.sk <= *high,
            }
    }
}

/// Blobs.
#[derive(Default)]
pub struct MemoryBlobs(Mutex<BTreeMap<String, Bytes>>);

impl MemoryBlobs {
    /// Everything that is stored.
    pub fn blobs(&self) -> BTreeMap<String, Bytes> {
        lock(&self.0).clone()
    }

    fn at(&self, key: &str) -> Result<MutexGuard<'_, BTreeMap<String, Bytes>>, PortError> {
        match is_valid_key(key) {
            true => Ok(lock(&self.0)),
            false => Err(PortError::new("blobs", format!("{key:?} is no key"))),
        }
    }
}

#[async_trait]
impl Blobs for MemoryBlobs {
    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), PortError> {
        self.at(key)?.insert(key.to_owned(), bytes);
        Ok(())
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>, PortError> {
        Ok(self.at(key)?.get(key).cloned())
    }

    async fn delete_prefix(&self, prefix: &str) -> Result<(), PortError> {
        let is_below = |key: &str| key.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/'));
        self.at(prefix)?.retain(|key, _| key != prefix && !is_below(key));
        Ok(())
    }

    async fn health(&self) -> Result<(), PortError> {
        Ok(())
    }
}

/// Open sockets, with what was sent to them.
#[derive(Default)]
pub struct MemoryConnections(Mutex<HashMap<ConnectionId, Socket>>);

#[derive(Default)]
struct Socket {
    sent: VecDeque<String>,
    closed: Option<Close>,
}

impl MemoryConnections {
    /// Opens one.
    pub fn open(&self, id: ConnectionId) {
        lock(&self.0).insert(id, Socket::default());
    }

    /// The next message that was sent to it and has not been taken yet.
    pub fn next(&self, id: &ConnectionId) -> Option<String> {
        lock(&self.0).get_mut(id)?.sent.pop_front()
    }

    /// How it was closed.
    pub fn closed(&self, id: &ConnectionId) -> Option<Close> {
        lock(&self.0).get(id)?.closed.clone()
    }

    /// Ends it from the other side.
    pub fn hang_up(&self, id: &ConnectionId) {
        lock(&self.0).remove(id);
    }
}

#[async_trait]
impl Connections for MemoryConnections {
    async fn send(&self, id: &ConnectionId, message: &str) -> Result<(), ConnectionError> {
        if message.len() > MAX_MESSAGE {
            return Err(ConnectionError::TooLarge);
        }
        let mut sockets = lock(&self.0);
        let open = sockets.get_mut(id).filter(|socket| socket.closed.is_none());
        open.ok_or(ConnectionError::Gone)?.sent.push_back(message.to_owned());
        Ok(())
    }

    async fn close(&self, id: &ConnectionId, close: &Close) -> Result<(), ConnectionError> {
        if let Some(socket) = lock(&self.0).get_mut(id) {
            socket.closed.get_or_insert_with(|| close.clone());
        }
        Ok(())
    }
}

/// A clock that is moved by hand.
pub struct ManualClock(AtomicI64);

impl Default for ManualClock {
    /// In November 2023.
    fn default() -> Self {
        Self(AtomicI64::new(1_700_000_000_000))
    }
}

impl ManualClock {
    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing under these locks leaves what they guard half changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
