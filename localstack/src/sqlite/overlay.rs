use std::collections::HashMap;

use ports::{Change, Condition, Item, Key, TableError, Write};
use rusqlite::{Connection, Result};

use super::cache::Changing;
use super::{rows, size};

/// How many counters are kept from one batch to the next.
const COUNTERS: usize = 1024;

/// The rows that a batch has read or changed. Later requests of the batch see what earlier ones did, and a row that many
/// of them change (a counter) is written once.
#[derive(Default)]
pub(super) struct Overlay {
    rows: HashMap<Key, Row>,
    /// Counters as batches before have left them, so that they need not be read again: there is one writer, and this is
    /// its.
    counters: HashMap<Key, Item>,
}

struct Row {
    item: Option<Item>,
    changed: Changed,
    /// Whether it was last updated whatever it held.
    counter: bool,
}

/// What of a row is to be written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Changed {
    Nothing,
    /// It is there, and stays where it is in the indexes.
    Attributes,
    All,
}

impl Overlay {
    /// Does all of these writes or none. The outer error is SQLite's.
    pub(super) fn write(
        &mut self,
        connection: &Connection,
        writes: Vec<Write>,
    ) -> Result<std::result::Result<(), TableError>> {
        for write in &writes {
            if matches!(write, Write::Update(..)) || *write.condition() != Condition::None {
                self.load(connection, write.key())?;
            }
        }
        if let Some(index) = writes.iter().position(|write| !write.condition().holds(self.item(write.key())))
        {
            return Ok(Err(TableError::Condition { index }));
        }
        Ok(self.stage(writes).map(|staged| {
            for (key, row) in staged {
                self.counters.remove(&key);
                self.rows.insert(key, row);
            }
        }))
    }

    /// The item as the batch has left it, if it was loaded or changed.
    pub(super) fn item(&self, key: &Key) -> Option<&Item> {
        self.rows.get(key)?.item.as_ref()
    }

    /// Writes the changed rows; how many those were. Should the batch fail after all, [`forget`](Self::forget) them.
    pub(super) fn flush(&mut self, connection: &Connection, changing: &mut Changing<'_>) -> Result<usize> {
        let mut count = 0;
        for (key, row) in self.rows.drain() {
            if row.changed != Changed::Nothing {
                changing.row(&key);
                count += 1;
            }
            match (row.changed, &row.item) {
                (Changed::Nothing, _) => {}
                (Changed::Attributes, Some(item)) => rows::put_attributes(connection, item)?,
                (Changed::All, Some(item)) => rows::put(connection, item)?,
                (_, None) => rows::delete(connection, &key)?,
            }
            if let (true, Some(item)) = (row.counter, row.item) {
                self.counters.insert(key, item);
            }
        }
        if self.counters.len() > COUNTERS {
            self.counters.clear();
        }
        Ok(count)
    }

    /// Forgets all: the rows are not, or no longer, as they are here.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    fn load(&mut self, connection: &Connection, key: &Key) -> Result<()> {
        if self.rows.contains_key(key) {
            return Ok(());
        }
        let row = match self.counters.remove(key) {
            Some(item) => Row { item: Some(item), changed: Changed::Nothing, counter: true },
            None => Row { item: rows::get(connection, key)?, changed: Changed::Nothing, counter: false },
        };
        self.rows.insert(key.clone(), row);
        Ok(())
    }

    /// What the rows are to be, once all of it is known to be possible.
    fn stage(&self, writes: Vec<Write>) -> std::result::Result<Vec<(Key, Row)>, TableError> {
        let mut staged = Vec::with_capacity(writes.len());
        let whole = |item| Row { item, changed: Changed::All, counter: false };
        for write in writes {
            match write {
                Write::Put(item, _) => staged.push((item.key.clone(), whole(Some(item)))),
                Write::Update(key, changes, condition) => {
                    let row = self.updated(&key, changes, condition == Condition::None)?;
                    staged.push((key, row));
                }
                Write::Delete(key, _) => staged.push((key, whole(None))),
                Write::Check(..) => {}
            }
        }
        staged.iter().filter_map(|(_, row)| row.item.as_ref()).try_for_each(size::check)?;
        Ok(staged)
    }

    fn updated(
        &self,
        key: &Key,
        changes: Vec<Change>,
        counter: bool,
    ) -> std::result::Result<Row, TableError> {
        let before = self.rows.get(key);
        let Some((old, changed)) = before.and_then(|row| Some((row.item.as_ref()?, row.changed))) else {
            let mut item = Item::new(key.clone());
            item.apply(changes)?;
            return Ok(Row { item: Some(item), changed: Changed::All, counter });
        };
        let mut item = old.clone();
        item.apply(changes)?;
        let stays = item.ttl == old.ttl && item.gsi1 == old.gsi1 && item.gsi2 == old.gsi2;
        let changed = if stays && changed != Changed::All { Changed::Attributes } else { Changed::All };
        Ok(Row { item: Some(item), changed, counter })
    }
}
