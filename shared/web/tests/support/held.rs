//! A table in memory that can hold a reader between its reading and its answer.

use std::sync::Mutex;

use async_trait::async_trait;
use ports::memory::MemoryTable;
use ports::{Change, Condition, Durability, Item, Key, Page, Query, Table, TableError, Write};
use tokio::sync::oneshot;

#[derive(Default)]
pub struct HeldTable {
    table: MemoryTable,
    /// What the next reader waits for.
    pub held: Mutex<Option<oneshot::Receiver<()>>>,
}

impl HeldTable {
    /// Everything that is stored, as text: to look for what must not be.
    pub fn dump(&self) -> String {
        format!("{:?}", self.table.items())
    }
}

#[async_trait]
impl Table for HeldTable {
    async fn get(&self, key: &Key) -> Result<Option<Item>, TableError> {
        let item = self.table.get(key).await;
        let held = self.held.lock().unwrap().take();
        if let Some(held) = held {
            held.await.unwrap();
        }
        item
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, TableError> {
        self.table.get_many(keys).await
    }

    async fn query(&self, query: &Query) -> Result<Page, TableError> {
        self.table.query(query).await
    }

    async fn any_partition(&self, prefix: &str) -> Result<bool, TableError> {
        self.table.any_partition(prefix).await
    }

    async fn write(&self, writes: Vec<Write>, durability: Durability) -> Result<(), TableError> {
        self.table.write(writes, durability).await
    }

    async fn update(&self, key: Key, changes: Vec<Change>, condition: Condition) -> Result<Item, TableError> {
        self.table.update(key, changes, condition).await
    }

    async fn health(&self) -> Result<(), TableError> {
        self.table.health().await
    }
}
