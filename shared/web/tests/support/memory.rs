//! The ports in memory, as far as this crate needs them.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use domain::Timestamp;
use ports::{
    Blobs, Change, Clock, Condition, Durability, Item, Key, Page, PortError, Query, Table, TableError, Write,
};

#[derive(Default)]
pub struct MemoryTable {
    items: Mutex<BTreeMap<Key, Item>>,
    /// What the next reader waits for between its reading and its answer.
    pub held: Mutex<Option<tokio::sync::oneshot::Receiver<()>>>,
}

impl MemoryTable {
    /// Everything that is stored, as text: to look for what must not be.
    pub fn dump(&self) -> String {
        format!("{:?}", self.items.lock().unwrap())
    }
}

#[async_trait]
impl Table for MemoryTable {
    async fn get(&self, key: &Key) -> Result<Option<Item>, TableError> {
        let item = self.items.lock().unwrap().get(key).cloned();
        let held = self.held.lock().unwrap().take();
        if let Some(held) = held {
            held.await.unwrap();
        }
        Ok(item)
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, TableError> {
        let items = self.items.lock().unwrap();
        Ok(keys.iter().map(|key| items.get(key).cloned()).collect())
    }

    async fn query(&self, query: &Query) -> Result<Page, TableError> {
        Err(TableError::Broken(format!("no queries here: {query:?}")))
    }

    async fn any_partition(&self, prefix: &str) -> Result<bool, TableError> {
        Ok(self.items.lock().unwrap().keys().any(|key| key.pk.starts_with(prefix)))
    }

    async fn write(&self, writes: Vec<Write>, _: Durability) -> Result<(), TableError> {
        let mut items = self.items.lock().unwrap();
        for (index, write) in writes.iter().enumerate() {
            if !write.condition().holds(items.get(write.key())) {
                return Err(TableError::Condition { index });
            }
        }
        for write in writes {
            match write {
                Write::Put(item, _) => {
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

    async fn update(&self, key: Key, changes: Vec<Change>, condition: Condition) -> Result<Item, TableError> {
        self.write(vec![Write::Update(key.clone(), changes, condition)], Durability::Crash).await?;
        Ok(self.items.lock().unwrap()[&key].clone())
    }

    async fn health(&self) -> Result<(), TableError> {
        Ok(())
    }
}

#[derive(Default)]
pub struct MemoryBlobs {
    pub blobs: Mutex<BTreeMap<String, Bytes>>,
}

#[async_trait]
impl Blobs for MemoryBlobs {
    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), PortError> {
        assert!(ports::blobs::is_valid_key(key), "{key}");
        self.blobs.lock().unwrap().insert(key.to_owned(), bytes);
        Ok(())
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>, PortError> {
        Ok(self.blobs.lock().unwrap().get(key).cloned())
    }

    async fn delete_prefix(&self, prefix: &str) -> Result<(), PortError> {
        self.blobs.lock().unwrap().retain(|key, _| !key.starts_with(prefix));
        Ok(())
    }

    async fn health(&self) -> Result<(), PortError> {
        Ok(())
    }
}

/// A clock that tests move.
pub struct Hand(AtomicI64);

impl Hand {
    pub fn at(millis: i64) -> Self {
        Self(AtomicI64::new(millis))
    }

    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(by.as_millis() as i64, Ordering::SeqCst);
    }
}

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}
