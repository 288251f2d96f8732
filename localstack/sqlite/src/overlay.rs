use std::collections::HashMap;

use ports::{Change, Condition, Item, Key, TableError, Write};
use rusqlite::{Connection, Result};
use serde_json::Value;

use super::cache::Changing;
use super::dirty::Dirty;
use super::fault::Fault;
use super::journal::{self, Journal};
use super::{rows, size};

/// How many counters are kept from one batch to the next.
const COUNTERS: usize = 1024;

/// The rows that have been read or changed, but for new ones, since SQLite's last commit, by this batch or by those that are in the
/// journal. Later requests see what earlier ones did, and a row that many of them change (a counter) is written once.
#[derive(Default)]
pub(super) struct Overlay {
    rows: HashMap<Key, Row>,
    /// How many new rows there are beside these: SQLite has those already, if not for good.
    added: usize,
    /// Counters as batches before have left them, so that they need not be read again: there is one writer, and this is
    /// its.
    counters: HashMap<Key, Item>,
}

/// One row.
struct Row {
    item: Option<Item>,
    /// Its attributes as JSON, where the journal has had them.
    body: Option<String>,
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

impl Row {
    /// Writes it. Its JSON is not needed again.
    fn put(&mut self, connection: &Connection, key: &Key) -> Result<()> {
        let Some(item) = &self.item else { return rows::delete(connection, key) };
        let body = self.body.take().map_or_else(|| rows::body(item), Ok)?;
        match self.changed {
            Changed::Attributes => rows::put_attributes(connection, item, &body),
            _ => rows::put(connection, item, &body),
        }
    }
}

impl Overlay {
    /// Does all of these writes or none, and tells `noting` of each row. The outer error is SQLite's.
    pub(super) fn write(
        &mut self,
        connection: &Connection,
        mut writes: Vec<Write>,
        noting: Option<Noting<'_, '_>>,
    ) -> Result<std::result::Result<(), TableError>> {
        let new = self.take_new(&mut writes);
        for write in &writes {
            let asks = matches!(write, Write::Update(..)) || *write.condition() != Condition::None;
            if asks && let Err(error) = self.load(connection, write.key()) {
                return unless_over(connection, error);
            }
        }
        if let Some(index) = writes.iter().position(|write| !write.condition().holds(self.item(write.key())))
        {
            return Ok(Err(TableError::Condition { index }));
        }
        let mut added = None;
        if let Some((index, item)) = new {
            // To look whether it is there, and to put it there later, takes longer.
            let body = rows::body(&item)?;
            if !rows::add(connection, &item, &body)? {
                return Ok(Err(TableError::Condition { index }));
            }
            added = Some((item, body));
        }
        let fits = added.as_ref().map_or(Ok(()), |(item, _)| size::check(item));
        let mut staged = match fits.and_then(|()| self.stage(writes)) {
            Ok(staged) => staged,
            Err(error) => {
                added.map_or(Ok(()), |(item, _)| rows::delete(connection, &item.key))?;
                return Ok(Err(error));
            }
        };
        self.added += usize::from(added.is_some());
        if let Some(mut noting) = noting {
            if let Some((item, body)) = &added {
                noting.add(item, body);
            }
            for (key, step) in &mut staged {
                noting.step(key, step, self.rows.get(key))?;
            }
        }
        for (key, step) in staged {
            match step {
                Step::Changes(changes) => self.change(&key, changes),
                Step::Row(row) => {
                    self.counters.remove(&key);
                    self.rows.insert(key, row);
                }
            }
        }
        Ok(Ok(()))
    }

    /// Takes out the write of a row that must not be there, and its place, if that is the only condition of all, and it is
    /// not known here whether it is.
    fn take_new(&self, writes: &mut Vec<Write>) -> Option<(usize, Item)> {
        let mut conditional =
            writes.iter().enumerate().filter(|(_, write)| *write.condition() != Condition::None);
        let (index, write) = conditional.next()?;
        let is_new = matches!(write, Write::Put(_, Condition::Absent)) && conditional.next().is_none();
        let key = write.key();
        if !is_new || self.rows.contains_key(key) || self.counters.contains_key(key) {
            return None;
        }
        match writes.remove(index) {
            Write::Put(item, _) => Some((index, item)),
            other => unreachable!("{other:?} is not a put"),
        }
    }

    /// Makes changes that [`simple`] has approved of.
    fn change(&mut self, key: &Key, changes: Vec<Change>) {
        let Some(row) = self.rows.get_mut(key) else { return };
        let Some(item) = &mut row.item else { return };
        let ttl = item.ttl;
        item.apply(changes).expect("these can be made of it");
        row.body = None;
        row.counter = true;
        row.changed =
            if row.changed == Changed::All || item.ttl != ttl { Changed::All } else { Changed::Attributes };
    }

    /// The item at the key. The outer error is SQLite's.
    pub(super) fn get(
        &mut self,
        connection: &Connection,
        key: &Key,
    ) -> Result<std::result::Result<Option<Item>, TableError>> {
        match self.load(connection, key) {
            Ok(()) => Ok(Ok(self.item(key).cloned())),
            Err(error) => unless_over(connection, error),
        }
    }

    /// Takes up again what the journal says of a row.
    pub(super) fn take_up(&mut self, connection: &Connection, noted: journal::Noted) -> Result<()> {
        let row = |item, body| Row { item, body, changed: Changed::All, counter: false };
        match noted {
            journal::Noted::Item(item, body) => {
                drop(self.rows.insert(item.key.clone(), row(Some(item), Some(body))));
            }
            journal::Noted::Nothing(key) => drop(self.rows.insert(key, row(None, None))),
            journal::Noted::Changes(key, changes) => {
                self.load(connection, &key)?;
                self.change(&key, changes);
            }
        }
        Ok(())
    }

    /// The item as the batch has left it, if it was loaded or changed.
    pub(super) fn item(&self, key: &Key) -> Option<&Item> {
        self.rows.get(key)?.item.as_ref()
    }

    /// Writes the changed rows, telling of each before; how many those were. Should the batch fail after all,
    /// [`forget`](Self::forget) them.
    pub(super) fn flush(&mut self, connection: &Connection, mut tell: impl FnMut(&Key)) -> Result<usize> {
        let mut count = std::mem::take(&mut self.added);
        for (key, mut row) in self.rows.drain() {
            if row.changed != Changed::Nothing {
                tell(&key);
                count += 1;
                row.put(connection, &key)?;
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

    /// Writes some of the changed rows that are in the journal; how many those were. Counters come last: they change on.
    pub(super) fn put_some(&mut self, connection: &Connection, most: usize) -> Result<usize> {
        let mut count = 0;
        let changed = |row: &Row| row.changed != Changed::Nothing && !row.counter;
        for (key, row) in self.rows.iter_mut().filter(|(_, row)| changed(row)).take(most) {
            row.put(connection, key)?;
            row.changed = Changed::Nothing;
            count += 1;
        }
        Ok(count)
    }

    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        self.rows.len() + self.added
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
            Some(item) => Row { item: Some(item), body: None, changed: Changed::Nothing, counter: true },
            None => Row {
                item: rows::get(connection, key)?,
                body: None,
                changed: Changed::Nothing,
                counter: false,
            },
        };
        self.rows.insert(key.clone(), row);
        Ok(())
    }

    /// What is to become of the rows, once all of it is known to be possible.
    fn stage(&self, writes: Vec<Write>) -> std::result::Result<Vec<(Key, Step)>, TableError> {
        let mut staged = Vec::with_capacity(writes.len());
        let whole = |item| Row { item, body: None, changed: Changed::All, counter: false };
        for write in writes {
            let (key, row) = match write {
                Write::Put(item, _) => (item.key.clone(), whole(Some(item))),
                Write::Delete(key, _) => (key, whole(None)),
                Write::Check(..) => continue,
                Write::Update(key, changes, condition) => {
                    let counter = condition == Condition::None;
                    if counter && self.item(&key).is_some_and(|item| simple(item, &changes)) {
                        staged.push((key, Step::Changes(changes)));
                        continue;
                    }
                    let row = self.updated(&key, changes, counter)?;
                    (key, row)
                }
            };
            row.item.as_ref().map_or(Ok(()), size::check)?;
            staged.push((key, Step::Row(row)));
        }
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
            return Ok(Row { item: Some(item), body: None, changed: Changed::All, counter });
        };
        let mut item = old.clone();
        item.apply(changes)?;
        let stays = item.ttl == old.ttl && item.gsi1 == old.gsi1 && item.gsi2 == old.gsi2;
        let changed = if stays && changed != Changed::All { Changed::Attributes } else { Changed::All };
        Ok(Row { item: Some(item), body: None, changed, counter })
    }
}

/// What comes of a row that can't be read: it is the trouble of who asked for it, unless SQLite has ended the transaction
/// over it.
fn unless_over<T>(
    connection: &Connection,
    error: rusqlite::Error,
) -> Result<std::result::Result<T, TableError>> {
    if connection.is_autocommit() { Err(error) } else { Ok(Err(Fault::from(error).into())) }
}

/// What becomes of a row.
#[expect(clippy::large_enum_variant, reason = "it lives as long as one write")]
enum Step {
    /// It is another.
    Row(Row),
    /// It stays and is changed, which is known to be possible: copying a counter takes longer than counting.
    Changes(Vec<Change>),
}

/// Whether the changes can be made of the item, and said in the journal: what counters are changed by.
fn simple(item: &Item, changes: &[Change]) -> bool {
    let mut grows = 0;
    let possible = changes.iter().enumerate().all(|(index, change)| match change {
        Change::Add(name, n) => {
            grows += name.len() + size::NUMBER;
            let sum = match item.attributes.get(name) {
                None => Some(*n),
                Some(value) => value.as_i64().and_then(|value| value.checked_add(*n)),
            };
            let again =
                |other: &Change| matches!(other, Change::Add(of, _) | Change::Set(of, _) if of == name);
            sum.is_some() && !changes[..index].iter().any(again)
        }
        Change::Set(name, Value::String(text)) => {
            grows += name.len() + text.len();
            true
        }
        Change::Ttl(_) => true,
        Change::Set(..) | Change::Remove(_) | Change::Gsi1(_) | Change::Gsi2(_) => false,
    });
    possible && size::fits(item, grows)
}

/// What is told of rows that go to the journal.
pub(super) struct Noting<'a, 'b> {
    pub(super) journal: &'a mut Journal,
    pub(super) dirty: &'a Dirty,
    pub(super) changing: &'a mut Changing<'b>,
}

impl Noting<'_, '_> {
    /// This is to become of the row, which was so before, where that is known.
    fn step(&mut self, key: &Key, step: &mut Step, before: Option<&Row>) -> Result<()> {
        // Before anybody could read what it was: see `SqliteTable::get`.
        let known = before.map(|before| before.item.as_ref());
        match step {
            Step::Row(row) => self.mark(key, row.item.as_ref(), known),
            // What has changed and is still here is marked. It stays where it is.
            Step::Changes(_) if before.is_some_and(|before| before.changed != Changed::Nothing) => {}
            Step::Changes(_) => self.mark(key, None, known),
        }
        match step {
            Step::Changes(changes) => self.journal.add_changes(key, changes),
            Step::Row(row) => {
                row.body = row.item.as_ref().map(rows::body).transpose()?;
                self.journal.add_row(key, row.item.as_ref().zip(row.body.as_deref()));
            }
        }
        Ok(())
    }

    /// This row is new.
    fn add(&mut self, item: &Item, body: &str) {
        self.mark(&item.key, Some(item), Some(None));
        self.journal.add_row(&item.key, Some((item, body)));
    }

    fn mark(&mut self, key: &Key, after: Option<&Item>, before: Option<Option<&Item>>) {
        self.dirty.mark(key, after, before);
        self.changing.row(key);
    }
}
