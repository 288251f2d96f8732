//! What a login that is refused, or that waits, costs the table.

#![allow(clippy::unwrap_used, reason = "a test that can't go on says where")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use blobs::FileBlobs;
use domain::{Timestamp, limits};
use ports::{Change, Condition, Durability, Item, Key, Page, Query, Table, TableError, Write};
use sqlite::{Database, SqliteTable};
use store::{Store, keys};

struct Counting {
    table: Arc<SqliteTable>,
    reads: AtomicUsize,
    writes: AtomicUsize,
}

impl Counting {
    fn read(&self) -> &SqliteTable {
        self.reads.fetch_add(1, Ordering::SeqCst);
        &self.table
    }

    fn written(&self) -> &SqliteTable {
        self.writes.fetch_add(1, Ordering::SeqCst);
        &self.table
    }

    /// Reads and writes since the last look.
    fn take(&self) -> (usize, usize) {
        (self.reads.swap(0, Ordering::SeqCst), self.writes.swap(0, Ordering::SeqCst))
    }
}

#[async_trait]
impl Table for Counting {
    async fn get(&self, key: &Key) -> Result<Option<Item>, TableError> {
        self.read().get(key).await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, TableError> {
        self.read().get_many(keys).await
    }

    async fn query(&self, query: &Query) -> Result<Page, TableError> {
        self.read().query(query).await
    }

    async fn any_partition(&self, prefix: &str) -> Result<bool, TableError> {
        self.read().any_partition(prefix).await
    }

    async fn write(&self, writes: Vec<Write>, durability: Durability) -> Result<(), TableError> {
        self.written().write(writes, durability).await
    }

    async fn update(&self, key: Key, changes: Vec<Change>, condition: Condition) -> Result<Item, TableError> {
        self.written().update(key, changes, condition).await
    }

    async fn health(&self) -> Result<(), TableError> {
        self.table.health().await
    }
}

#[tokio::test]
async fn who_waits_for_room_only_reads() {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::open(directory.path()).unwrap();
    let table = Arc::new(Counting {
        table: database.table(),
        reads: AtomicUsize::new(0),
        writes: AtomicUsize::new(0),
    });
    let store = Store::new(table.clone(), Arc::new(FileBlobs::open(directory.path()).unwrap()));
    let now = Timestamp::from_millis(1_700_000_000_000);
    let begin = async |name: &str| store.begin_login("192.0.2.1", name, now).await.unwrap();
    let tries = async || {
        let window = table.table.get(&keys::login("192.0.2.1", None)).await.unwrap().unwrap();
        window.attributes["tries"].as_u64().unwrap()
    };

    let mut undecided = Vec::new();
    for _ in 0..limits::WRONG_PASSWORDS_PER_NAME {
        undecided.push(begin("ada").await.unwrap());
    }
    table.take();
    for _ in 0..3 {
        assert!(begin("ada").await.unwrap_err().undecided);
        assert_eq!(table.take(), (1, 0), "a name that is full");
    }
    assert_eq!(tries().await, limits::WRONG_PASSWORDS_PER_NAME);

    let mut others = 0;
    while tries().await < limits::WRONG_PASSWORDS_PER_SOURCE {
        undecided.push(begin(&format!("user{others}")).await.unwrap());
        others += 1;
    }
    table.take();
    assert!(begin("bob").await.unwrap_err().undecided);
    assert_eq!(table.take(), (2, 0), "a source that is full");

    // Which is room again for who was waiting.
    store.end_login(undecided.remove(0), true).await.unwrap();
    let ada = begin("ada").await.unwrap();
    store.end_login(ada, false).await.unwrap();
    assert_eq!(tries().await, limits::WRONG_PASSWORDS_PER_SOURCE);
}
