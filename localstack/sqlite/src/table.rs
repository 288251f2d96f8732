use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use ports::table::MAX_WRITES;
use ports::{Change, Condition, Durability, Item, Key, Page, Query, Table, TableError, Write};
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::fault::Fault;
use super::query::{Search, after_prefix};
use super::request::{Reply, Request};
use super::{Shared, rows};

/// Reads of up to this many rows are done on the caller's thread: they take less time than handing them to another.
const SHORT_READ: usize = 128;

/// The table.
pub struct SqliteTable {
    shared: Arc<Shared>,
}

impl SqliteTable {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Removes up to `limit` items whose expiry is at or before `now` (seconds since the epoch), and says how many. For
    /// the server to call now and then, until it is less than `limit`.
    pub async fn expire(&self, now: i64, limit: usize) -> Result<usize, TableError> {
        self.ask(|reply| Request::Expire { now, limit, reply }).await
    }

    /// Gives back to the disk some of the room that deleted rows took, and that the log took in a burst. Whether there is
    /// more to give back now. For the server to call now and then.
    pub async fn tidy(&self) -> Result<bool, TableError> {
        self.ask(|reply| Request::Tidy { reply }).await
    }

    /// Waits until SQLite has what was acknowledged by now.
    async fn fold(&self) -> Result<(), TableError> {
        self.ask(|reply| Request::Fold { reply }).await
    }

    async fn ask<T>(&self, request: impl FnOnce(Reply<T, TableError>) -> Request) -> Result<T, TableError> {
        let (reply, answer) = oneshot::channel();
        // Where the writer has failed, the reply is dropped with the request, and that is what is seen below.
        self.shared.desk.hand_in(request(reply));
        answer
            .await
            .unwrap_or_else(|_| Err(TableError::Unavailable("the database's writer has ended".into())))
    }

    async fn read<T, F>(&self, rows: usize, read: F) -> Result<T, TableError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    {
        if rows <= SHORT_READ {
            return Ok(self.shared.readers.read(read)?);
        }
        let shared = self.shared.clone();
        let read = tokio::task::spawn_blocking(move || shared.readers.read(read));
        Ok(read.await.map_err(|error| TableError::Unavailable(error.to_string()))??)
    }
}

#[async_trait]
impl Table for SqliteTable {
    async fn get(&self, key: &Key) -> Result<Option<Item>, TableError> {
        Ok(self.get_shared(key).await?.map(Arc::unwrap_or_clone))
    }

    async fn get_shared(&self, key: &Key) -> Result<Option<Arc<Item>>, TableError> {
        // What is in the cache is in SQLite: a row leaves it when it changes. It is marked before that, until SQLite has
        // it; so who finds it neither here nor there finds in SQLite what was acknowledged.
        let place = match self.shared.cache.get(key) {
            Ok(item) => return Ok(Some(item)),
            Err(place) => place,
        };
        if self.shared.dirty.has_row(key) {
            let read = self.ask(|reply| Request::Get { key: key.clone(), reply }).await?;
            return Ok(read.map(Arc::new));
        }
        let read = self.shared.readers.read(|connection| Ok(rows::get_sized(connection, key)?));
        let Some((item, bytes)) = read? else { return Ok(None) };
        let item = Arc::new(item);
        self.shared.cache.keep(place, &item, bytes);
        Ok(Some(item))
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, TableError> {
        if keys.iter().any(|key| self.shared.dirty.has_row(key)) {
            self.fold().await?;
        }
        let keys = keys.to_vec();
        self.read(keys.len(), move |connection| {
            Ok(keys.iter().map(|key| rows::get(connection, key)).collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn get_many_shared(&self, keys: &[Key]) -> Result<Vec<Option<Arc<Item>>>, TableError> {
        let mut items = Vec::with_capacity(keys.len());
        for key in keys {
            items.push(self.get_shared(key).await?);
        }
        Ok(items)
    }

    async fn query(&self, query: &Query) -> Result<Page, TableError> {
        let search = Search::new(query)?;
        if self.shared.dirty.has_partition(query.index, &query.partition) {
            self.fold().await?;
        }
        self.read(query.limit, move |connection| search.run(connection)).await
    }

    async fn any_partition(&self, prefix: &str) -> Result<bool, TableError> {
        self.fold().await?;
        let ends = (prefix.to_owned(), after_prefix(prefix));
        let any = "SELECT EXISTS (SELECT 1 FROM items WHERE pk >= ?1 AND (?2 IS NULL OR pk < ?2))";
        self.read(1, move |connection| Ok(connection.query_row(any, ends, |row| row.get(0))?)).await
    }

    async fn write(&self, writes: Vec<Write>, durability: Durability) -> Result<(), TableError> {
        if writes.is_empty() || writes.len() > MAX_WRITES {
            return Err(TableError::Broken(format!(
                "{} writes; 1 to {MAX_WRITES} go together",
                writes.len()
            )));
        }
        let mut keys = HashSet::with_capacity(writes.len());
        if !writes.iter().all(|write| keys.insert(write.key())) {
            return Err(TableError::Broken("two writes about one item".into()));
        }
        self.ask(|reply| Request::Write { writes, durability, reply }).await
    }

    async fn update(&self, key: Key, changes: Vec<Change>, condition: Condition) -> Result<Item, TableError> {
        self.ask(|reply| Request::Update { key, changes, condition, reply }).await
    }

    async fn health(&self) -> Result<(), TableError> {
        Ok(self.shared.probe().await?)
    }
}
