//! The one table: a small language that DynamoDB and SQLite can both speak exactly.
//!
//! An [`Item`] has a key, places in up to two indexes, an expiry, and attributes. Reads and queries of the table itself
//! see every write that was acknowledged before; the indexes may lag (on DynamoDB, well under a second).

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What an item holds. Numbers are integers (DynamoDB's and JSON's agree on those); other numbers are kept as text.
pub type Attributes = serde_json::Map<String, Value>;

/// Where an item is, in the table or in an index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// The partition.
    pub pk: String,
    /// The place in it. Sorts by its UTF-8 bytes.
    pub sk: String,
}

impl Key {
    /// A key.
    pub fn new(pk: impl Into<String>, sk: impl Into<String>) -> Self {
        Self { pk: pk.into(), sk: sk.into() }
    }
}

/// One record.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Where it is.
    pub key: Key,
    /// Where it is in the first index, if it is.
    pub gsi1: Option<Key>,
    /// Where it is in the second index, if it is.
    pub gsi2: Option<Key>,
    /// From when it may vanish, in seconds since the epoch. It may be seen for some time after: readers check.
    pub ttl: Option<i64>,
    /// What it holds. Names are `[a-z][a-z0-9_.]*`, but not `ttl`. Lists and maps nest at most 32 deep, and no
    /// name in a map is empty (DynamoDB's limits).
    pub attributes: Attributes,
}

/// What must be true of the item at a key for a write to happen.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Condition {
    /// Anything.
    #[default]
    None,
    /// There is no item.
    Absent,
    /// There is an item, and all of these hold of it.
    Present(Vec<Check>),
}

/// One thing that must be true of an item's attributes.
#[derive(Clone, Debug, PartialEq)]
pub enum Check {
    /// The attribute has this value (a string, an integer or a boolean).
    Equals(&'static str, Value),
    /// The attribute has one of these values.
    OneOf(&'static str, Vec<Value>),
    /// The attribute is an integer less than this, or is not there.
    LessOrMissing(&'static str, i64),
}

/// A change to one item.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Gives an attribute this value.
    Set(String, Value),
    /// Takes an attribute away.
    Remove(String),
    /// Adds to an integer attribute; one that isn't there counts as 0.
    Add(String, i64),
    /// Places the item in the first index, or takes it out.
    Gsi1(Option<Key>),
    /// Places the item in the second index, or takes it out.
    Gsi2(Option<Key>),
    /// Sets or clears its expiry.
    Ttl(Option<i64>),
}

/// One write.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// Stores the item in place of any at its key.
    Put(Item, Condition),
    /// Changes the item at the key; where there is none, one with just the key is made first.
    Update(Key, Vec<Change>, Condition),
    /// Removes the item at the key. Nothing there is no error.
    Delete(Key, Condition),
    /// Changes nothing, but the condition must hold for the others to happen.
    Check(Key, Condition),
}

impl Write {
    /// Which item it is about.
    pub fn key(&self) -> &Key {
        match self {
            Self::Put(item, _) => &item.key,
            Self::Update(key, ..) | Self::Delete(key, _) | Self::Check(key, _) => key,
        }
    }

    /// What must hold for it.
    pub fn condition(&self) -> &Condition {
        match self {
            Self::Put(_, condition)
            | Self::Update(_, _, condition)
            | Self::Delete(_, condition)
            | Self::Check(_, condition) => condition,
        }
    }
}

/// What an acknowledged write survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// A `kill -9` of the process.
    #[default]
    Crash,
    /// Power loss too. DynamoDB always gives this.
    Power,
}

/// The table, or one of its indexes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Index {
    /// The table itself.
    #[default]
    Primary,
    /// The first index.
    Gsi1,
    /// The second index.
    Gsi2,
}

/// Which part of a partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// All of it.
    #[default]
    All,
    /// What begins with this.
    Prefix(String),
    /// What lies between these, both included.
    Between(String, String),
}

/// A question for part of one partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Where to look.
    pub index: Index,
    /// Which partition (of the index).
    pub partition: String,
    /// Which part of it.
    pub sort: Sort,
    /// From the end to the start.
    pub descending: bool,
    /// How many items at most, 1 or more. A page may hold fewer and still have a `next`.
    pub limit: usize,
    /// Where the page before this ended.
    pub after: Option<Position>,
}

/// Where a page ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The last item's key in the table.
    pub key: Key,
    /// Its key in the index that was asked, if one was.
    pub index: Option<Key>,
}

/// Part of an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// The items, in order of the sort key asked for (items of one sort key in an index: in any order that stays).
    pub items: Vec<Item>,
    /// Where to go on; `None` at the end.
    pub next: Option<Position>,
}

/// Why the table did not do it.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// A condition did not hold, and nothing was written.
    #[error("the condition of write {index} did not hold")]
    Condition {
        /// Which of the writes, from 0. The first whose condition did not hold.
        index: usize,
    },
    /// The table is busy or away; nothing is known to be written. Worth another try.
    #[error("table: {0}")]
    Unavailable(String),
    /// The table can't ever do this: an item of over 400 KB, a damaged file.
    #[error("table: {0}")]
    Broken(String),
}

impl From<TableError> for domain::Error {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Unavailable(_) => domain::Error::unavailable(error),
            // A condition that the caller of the table did not foresee is a defect of ours.
            TableError::Condition { .. } | TableError::Broken(_) => domain::Error::internal(error),
        }
    }
}

/// The most writes that go together (DynamoDB's limit).
pub const MAX_WRITES: usize = 100;
/// The most that an item may be, names and values together, in bytes (DynamoDB's limit).
pub const MAX_ITEM: usize = 400 * 1024;

/// Fails where these can't be one [`Table::write`], whatever is stored.
pub fn check_together(writes: &[Write]) -> Result<(), TableError> {
    if writes.is_empty() || writes.len() > MAX_WRITES {
        return Err(TableError::Broken(format!("{} writes; 1 to {MAX_WRITES} go together", writes.len())));
    }
    let mut keys = HashSet::with_capacity(writes.len());
    match writes.iter().map(Write::key).find(|key| !keys.insert(*key)) {
        Some(twice) => Err(TableError::Broken(format!("two writes about one item, {twice:?}"))),
        None => Ok(()),
    }
}

/// A table.
#[async_trait]
pub trait Table: Send + Sync {
    /// The item at the key.
    async fn get(&self, key: &Key) -> Result<Option<Item>, TableError>;

    /// The item at the key, for reading only. A table that keeps items in memory gives the same one again while nothing has
    /// changed it, so that who keeps what was made of it can tell by [`Arc::ptr_eq`].
    async fn get_shared(&self, key: &Key) -> Result<Option<Arc<Item>>, TableError> {
        Ok(self.get(key).await?.map(Arc::new))
    }

    /// The items at the keys, in their order; any number of them.
    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, TableError>;

    /// The items at the keys, in their order, for reading only; see [`get_shared`](Self::get_shared).
    async fn get_many_shared(&self, keys: &[Key]) -> Result<Vec<Option<Arc<Item>>>, TableError> {
        if let [only] = keys {
            return Ok(vec![self.get_shared(only).await?]);
        }
        Ok(self.get_many(keys).await?.into_iter().map(|item| item.map(Arc::new)).collect())
    }

    /// Part of a partition.
    async fn query(&self, query: &Query) -> Result<Page, TableError>;

    /// Whether there is an item whose partition's name begins with this, in ASCII. On DynamoDB this may read the whole table,
    /// so it is for what is asked once in the life of one.
    async fn any_partition(&self, prefix: &str) -> Result<bool, TableError>;

    /// Writes all of these, or none: 1 to [`MAX_WRITES`], each about another item. Conditions are about what is stored
    /// before any of them.
    async fn write(&self, writes: Vec<Write>, durability: Durability) -> Result<(), TableError>;

    /// One [`Write::Update`], and the item as it is then.
    async fn update(&self, key: Key, changes: Vec<Change>, condition: Condition) -> Result<Item, TableError>;

    /// Fails when the table can't be reached.
    async fn health(&self) -> Result<(), TableError>;
}

impl Condition {
    /// Whether it holds of the item, or of there being none.
    pub fn holds(&self, item: Option<&Item>) -> bool {
        match (self, item) {
            (Self::None, _) | (Self::Absent, None) => true,
            (Self::Absent, Some(_)) | (Self::Present(_), None) => false,
            (Self::Present(checks), Some(item)) => checks.iter().all(|check| check.holds(&item.attributes)),
        }
    }
}

impl Check {
    fn holds(&self, attributes: &Attributes) -> bool {
        match self {
            Self::Equals(name, value) => attributes.get(*name) == Some(value),
            Self::OneOf(name, values) => attributes.get(*name).is_some_and(|value| values.contains(value)),
            Self::LessOrMissing(name, bound) => match attributes.get(*name) {
                None => true,
                Some(value) => value.as_i64().is_some_and(|value| value < *bound),
            },
        }
    }
}

impl Item {
    /// An item with nothing but its key.
    pub fn new(key: Key) -> Self {
        Self { key, gsi1: None, gsi2: None, ttl: None, attributes: Attributes::new() }
    }

    /// Makes the changes. Fails where `Add` meets what is no integer.
    pub fn apply(&mut self, changes: Vec<Change>) -> Result<(), TableError> {
        for change in changes {
            match change {
                Change::Set(name, value) => {
                    self.attributes.insert(name, value);
                }
                Change::Remove(name) => {
                    self.attributes.remove(&name);
                }
                Change::Add(name, n) => {
                    let entry = self.attributes.entry(name).or_insert_with(|| Value::from(0));
                    let sum = entry.as_i64().and_then(|value| value.checked_add(n));
                    *entry =
                        sum.ok_or_else(|| TableError::Broken("Add to what is no integer".into()))?.into();
                }
                Change::Gsi1(place) => self.gsi1 = place,
                Change::Gsi2(place) => self.gsi2 = place,
                Change::Ttl(ttl) => self.ttl = ttl,
            }
        }
        Ok(())
    }
}

impl Query {
    /// All of a partition of the table itself, from the start, in pages of `limit`.
    pub fn partition(partition: impl Into<String>, limit: usize) -> Self {
        Self { partition: partition.into(), limit, ..Self::default() }
    }
}

/// Attributes by what they begin with: `{"h.3": 1, "h.7": 2}` and `"h."` give `{"3": 1, "7": 2}`. For counters that are
/// added to one by one ([`Change::Add`] reaches no deeper than an attribute).
pub fn with_prefix(attributes: &Attributes, prefix: &str) -> BTreeMap<String, i64> {
    attributes
        .iter()
        .filter_map(|(name, value)| Some((name.strip_prefix(prefix)?.to_owned(), value.as_i64()?)))
        .collect()
}
