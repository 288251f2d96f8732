use std::collections::HashMap;

use ports::{Condition, Item, Key, TableError, Write};
use rusqlite::{Connection, Result};

use super::{rows, size};

/// The rows that a batch has read or changed. Later requests of the batch see what earlier ones did, and a row that many
/// of them change (a counter) is written once.
#[derive(Default)]
pub(super) struct Overlay {
    rows: HashMap<Key, Row>,
}

struct Row {
    item: Option<Item>,
    changed: bool,
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
            for (key, item) in staged {
                self.rows.insert(key, Row { item, changed: true });
            }
        }))
    }

    /// The item as the batch has left it, if it was loaded or changed.
    pub(super) fn item(&self, key: &Key) -> Option<&Item> {
        self.rows.get(key)?.item.as_ref()
    }

    /// Writes the changed rows; how many those were.
    pub(super) fn flush(&mut self, connection: &Connection) -> Result<usize> {
        let mut count = 0;
        for (key, row) in self.rows.drain() {
            count += usize::from(row.changed);
            match row {
                Row { changed: false, .. } => {}
                Row { item: Some(item), .. } => rows::put(connection, &item)?,
                Row { item: None, .. } => rows::delete(connection, &key)?,
            }
        }
        Ok(count)
    }

    fn load(&mut self, connection: &Connection, key: &Key) -> Result<()> {
        if !self.rows.contains_key(key) {
            let item = rows::get(connection, key)?;
            self.rows.insert(key.clone(), Row { item, changed: false });
        }
        Ok(())
    }

    /// What the rows are to be, once all of it is known to be possible.
    fn stage(&self, writes: Vec<Write>) -> std::result::Result<Vec<(Key, Option<Item>)>, TableError> {
        let mut staged = Vec::with_capacity(writes.len());
        for write in writes {
            match write {
                Write::Put(item, _) => staged.push((item.key.clone(), Some(item))),
                Write::Update(key, changes, _) => {
                    let mut item = self.item(&key).cloned().unwrap_or_else(|| Item::new(key.clone()));
                    item.apply(changes)?;
                    staged.push((key, Some(item)));
                }
                Write::Delete(key, _) => staged.push((key, None)),
                Write::Check(..) => {}
            }
        }
        staged.iter().filter_map(|(_, item)| item.as_ref()).try_for_each(size::check)?;
        Ok(staged)
    }
}
