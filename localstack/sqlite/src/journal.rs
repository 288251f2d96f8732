//! What was acknowledged and is not in SQLite yet: records in a file beside it, one for each batch of small writes.
//!
//! A record costs one short write to the page cache, where SQLite's commit costs one of each page that it touches. The
//! rows go to SQLite together a little later ([`super::writer`]), and the file begins anew. A record counts only where
//! everything before it is there: in SQLite, which keeps the number of the last that it has, or in the file.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use files::open_private;
use ports::{Change, Item, Key};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The file's name in the data directory.
pub(super) const FILE_NAME: &str = "function-runner.journal";

/// A record's head: how long what follows is, its checksum, and of both the epoch and the number.
const HEAD: usize = 4 + 4 + 8 + 8;
/// The longest file that is kept for the next records: what a burst made longer goes back to the disk.
const KEPT: u64 = 4 << 20;

const APPLIED: &str = "UPDATE journal SET applied = ?1";

/// What a record says of a row, as it is written.
#[derive(Serialize, Deserialize)]
enum Entry<'a> {
    #[serde(borrow)]
    Row(Row<'a>),
    /// What a row that is there is changed by: partition, place in it, changes.
    Changes(&'a str, &'a str, Vec<Step<'a>>),
}

/// A row as it was left.
#[derive(Serialize, Deserialize)]
struct Row<'a> {
    pk: &'a str,
    sk: &'a str,
    gsi1: Option<(&'a str, &'a str)>,
    gsi2: Option<(&'a str, &'a str)>,
    ttl: Option<i64>,
    /// The attributes as JSON; `None` where the row is gone.
    body: Option<&'a str>,
}

/// A change that needs no more said than the row's key.
#[derive(Serialize, Deserialize)]
enum Step<'a> {
    Add(&'a str, i64),
    SetText(&'a str, &'a str),
    Ttl(Option<i64>),
}

/// What a record says of a row.
pub(super) enum Noted {
    /// It is this, with its attributes as JSON.
    Item(Item, String),
    /// It is gone.
    Nothing(Key),
    /// It was changed by this.
    Changes(Key, Vec<Change>),
}

/// The file.
pub(super) struct Journal {
    file: File,
    /// Says that the file was begun by this opening of it, so that no record of an earlier one can follow one of this.
    epoch: u64,
    /// The number of the last record, and of the last that SQLite has.
    last: u64,
    applied: u64,
    /// Where the next goes.
    end: u64,
    /// How long the file has been since it was last cut.
    longest: u64,
    /// The record that is being made.
    record: Vec<u8>,
    /// How many bytes have been read since it was opened.
    #[cfg(test)]
    read: u64,
}

impl Journal {
    /// The epoch that the database knows, and the number of the last record of it that it has.
    pub(super) fn place(connection: &Connection) -> rusqlite::Result<(u64, u64)> {
        let number = |row: &rusqlite::Row<'_>, column| row.get::<_, i64>(column).map(i64::cast_unsigned);
        connection
            .query_row("SELECT epoch, applied FROM journal", [], |row| Ok((number(row, 0)?, number(row, 1)?)))
    }

    /// Opens the file in the directory of a database that [has](Self::place) so much of it. What else it holds is
    /// [pending](Self::pending); nothing can be added until it has been [restarted](Self::restart).
    pub(super) fn open(directory: &Path, epoch: u64, applied: u64) -> io::Result<Self> {
        let file = open_private(&directory.join(FILE_NAME))?;
        Ok(Self {
            file,
            epoch,
            last: u64::MAX,
            applied,
            end: 0,
            longest: 0,
            record: vec![0; HEAD],
            #[cfg(test)]
            read: 0,
        })
    }

    /// Begins another epoch, in the transaction that puts into SQLite what was pending.
    pub(super) fn restart(&mut self, connection: &Connection, epoch: u64) -> rusqlite::Result<()> {
        (self.epoch, self.last, self.applied) = (epoch, 0, 0);
        let begun = connection.execute("UPDATE journal SET epoch = ?1, applied = 0", [epoch.cast_signed()]);
        begun.map(drop)
    }

    /// Adds a row as it is to be, with its attributes as JSON, to the record that is being made.
    pub(super) fn add_row(&mut self, key: &Key, item: Option<(&Item, &str)>) {
        fn place(key: Option<&Key>) -> Option<(&str, &str)> {
            key.map(|key| (key.pk.as_str(), key.sk.as_str()))
        }
        let body = item.map(|(_, body)| body);
        let item = item.map(|(item, _)| item);
        self.add(&Entry::Row(Row {
            pk: &key.pk,
            sk: &key.sk,
            gsi1: place(item.and_then(|item| item.gsi1.as_ref())),
            gsi2: place(item.and_then(|item| item.gsi2.as_ref())),
            ttl: item.and_then(|item| item.ttl),
            body,
        }));
    }

    /// Adds changes of a row that is there: sums, texts and expiries.
    pub(super) fn add_changes(&mut self, key: &Key, changes: &[Change]) {
        let step = |change| match change {
            &Change::Add(ref name, n) => Step::Add(name, n),
            Change::Set(name, Value::String(text)) => Step::SetText(name, text),
            &Change::Ttl(ttl) => Step::Ttl(ttl),
            other => unreachable!("{other:?} is written as a row"),
        };
        self.add(&Entry::Changes(&key.pk, &key.sk, changes.iter().map(step).collect()));
    }

    fn add(&mut self, entry: &Entry<'_>) {
        postcard::to_io(entry, &mut self.record).expect("a vector takes all");
    }

    /// Forgets the record that is being made.
    pub(super) fn drop_record(&mut self) {
        self.record.truncate(HEAD);
    }

    /// Writes the record, if there is anything in it. After that, it survives the process.
    pub(super) fn write_record(&mut self) -> io::Result<()> {
        if self.record.len() == HEAD {
            return Ok(());
        }
        let length = u32::try_from(self.record.len()).map_err(io::Error::other)?;
        self.record[8..16].copy_from_slice(&self.epoch.to_le_bytes());
        self.record[16..24].copy_from_slice(&(self.last + 1).to_le_bytes());
        self.record[..4].copy_from_slice(&length.to_le_bytes());
        let sum = crc32fast::hash(&self.record[8..]);
        self.record[4..8].copy_from_slice(&sum.to_le_bytes());
        let written = self.file.write_all_at(&self.record, self.end);
        if written.is_ok() {
            self.last += 1;
            self.end += u64::from(length);
        }
        self.drop_record();
        written
    }

    /// How many bytes of records there are.
    pub(super) fn len(&self) -> u64 {
        self.end
    }

    /// Says in SQLite's transaction that it has all of the records.
    pub(super) fn mark(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection.prepare_cached(APPLIED)?.execute([self.last.cast_signed()]).map(drop)
    }

    /// Begins the file anew, once that transaction is committed.
    pub(super) fn begin_anew(&mut self) {
        self.longest = self.longest.max(self.end);
        (self.end, self.applied) = (0, self.last);
        // What can't be cut off is overwritten.
        if self.longest > KEPT && self.file.set_len(0).is_ok() {
            self.longest = 0;
        }
    }

    /// What the records say that is not in SQLite, in their order.
    pub(super) fn pending(&mut self) -> io::Result<Vec<Noted>> {
        let length = self.file.metadata()?.len();
        // What is behind the last record of this opening is of no use; before the first, nobody knows where it ends.
        let length = if self.last == u64::MAX { length } else { length.min(self.end) };
        #[cfg(test)]
        {
            self.read += length;
        }
        let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        self.file.read_exact_at(&mut bytes, 0)?;
        read(&bytes, self.epoch, self.applied, self.last)
    }

    /// How many bytes [`pending`](Self::pending) has read since the file was opened.
    #[cfg(test)]
    pub(super) fn bytes_read(&self) -> u64 {
        self.read
    }

    /// Lets every write of a record fail, as on a full disk, or no more.
    #[cfg(test)]
    pub(super) fn fail(&mut self, directory: &Path, fails: bool) {
        let options = &mut std::fs::OpenOptions::new();
        self.file = options.read(true).write(!fails).open(directory.join(FILE_NAME)).expect("the journal");
    }
}

/// What the records of this epoch say, those after `applied` and up to `last`. Ends where a record is not whole or does
/// not follow the one before it: nobody was told of it.
fn read(bytes: &[u8], epoch: u64, applied: u64, last: u64) -> io::Result<Vec<Noted>> {
    let (mut rest, mut before, mut found) = (bytes, None, Vec::new());
    while let Some((number, entries, after)) = record(rest, epoch) {
        let follows = before.map_or(number <= applied + 1, |before| number == before + 1);
        if !follows || number > last {
            break;
        }
        if number > applied {
            found.extend(noted(entries)?);
        }
        (before, rest) = (Some(number), after);
    }
    Ok(found)
}

/// The record that these bytes begin with: its number, its rows, and what is behind it.
fn record(bytes: &[u8], epoch: u64) -> Option<(u64, &[u8], &[u8])> {
    let length = u32::from_le_bytes(*bytes.first_chunk()?) as usize;
    let (record, after) = bytes.split_at_checked(length.max(HEAD))?;
    let number = |at: usize| u64::from_le_bytes(record[at..at + 8].try_into().unwrap_or_default());
    let sum = u32::from_le_bytes(record[4..8].try_into().unwrap_or_default());
    let whole = length >= HEAD && crc32fast::hash(&record[8..]) == sum && number(8) == epoch;
    whole.then(|| (number(16), &record[HEAD..], after))
}

fn noted(mut entries: &[u8]) -> io::Result<Vec<Noted>> {
    let mut found = Vec::new();
    while !entries.is_empty() {
        let (entry, rest) = postcard::take_from_bytes::<Entry<'_>>(entries).map_err(io::Error::other)?;
        entries = rest;
        found.push(match entry {
            Entry::Changes(pk, sk, steps) => {
                Noted::Changes(Key::new(pk, sk), steps.into_iter().map(Step::change).collect())
            }
            Entry::Row(row) => row.noted()?,
        });
    }
    Ok(found)
}

impl Row<'_> {
    fn noted(self) -> io::Result<Noted> {
        let place = |place: Option<(&str, &str)>| place.map(|(pk, sk)| Key::new(pk, sk));
        let key = Key::new(self.pk, self.sk);
        let Some(body) = self.body else { return Ok(Noted::Nothing(key)) };
        let attributes = serde_json::from_str(body)?;
        let item = Item { key, gsi1: place(self.gsi1), gsi2: place(self.gsi2), ttl: self.ttl, attributes };
        Ok(Noted::Item(item, body.to_owned()))
    }
}

impl Step<'_> {
    fn change(self) -> Change {
        match self {
            Self::Add(name, n) => Change::Add(name.to_owned(), n),
            Self::SetText(name, text) => Change::Set(name.to_owned(), text.into()),
            Self::Ttl(ttl) => Change::Ttl(ttl),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;
    use crate::{rows, schema};

    fn open(dir: &TempDir) -> (Connection, Journal) {
        let connection = schema::open(&dir.path().join("test.db")).expect("a database");
        let journal = crate::taken_up(dir.path(), &connection).expect("a journal");
        (connection, journal)
    }

    fn item(n: usize) -> Item {
        let mut item = Item::new(Key::new("P", format!("{n:03}")));
        item.gsi2 = Some(Key::new("G", n.to_string()));
        item.ttl = Some(7);
        item.attributes.insert("text".into(), "ä\"x".repeat(n).into());
        item
    }

    fn changes() -> Vec<Change> {
        vec![Change::Add("n".into(), -3), Change::Set("text".into(), "new".into()), Change::Ttl(None)]
    }

    /// A record of these items, and of one that is gone.
    fn note(journal: &mut Journal, numbers: std::ops::Range<usize>) {
        for item in numbers.map(item) {
            let body = rows::body(&item).expect("JSON");
            journal.add_row(&item.key, Some((&item, &body)));
        }
        journal.add_row(&item(0).key, None);
        journal.write_record().expect("written");
    }

    fn stored(connection: &Connection) -> Vec<usize> {
        (0..20).filter(|&n| rows::get(connection, &item(n).key).expect("read").is_some()).collect()
    }

    #[test]
    fn a_database_that_is_opened_again_has_what_the_journal_has() {
        let dir = tempfile::tempdir().expect("a directory");
        let (connection, mut journal) = open(&dir);
        rows::put(&connection, &item(0), "{}").expect("put");
        note(&mut journal, 1..3);
        journal.add_changes(&item(2).key, &changes());
        note(&mut journal, 3..4);
        assert_eq!(stored(&connection), [0], "not by itself");
        assert_eq!(journal.pending().expect("read").len(), 6);
        drop((connection, journal));
        let (connection, mut journal) = open(&dir);
        assert_eq!(stored(&connection), [1, 2, 3]);
        let mut changed = item(2);
        changed.apply(changes()).expect("a change");
        assert_eq!(rows::get(&connection, &item(2).key).expect("read"), Some(changed));
        assert!(journal.pending().expect("read").is_empty(), "begun anew");
    }

    #[test]
    fn what_sqlite_has_is_not_put_there_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let (connection, mut journal) = open(&dir);
        note(&mut journal, 1..4);
        journal.mark(&connection).expect("marked");
        note(&mut journal, 4..5);
        drop(journal);
        let (connection, mut journal) = open(&dir);
        assert_eq!(stored(&connection), [4], "what is after the mark");
        note(&mut journal, 5..8);
        note(&mut journal, 8..9);
        journal.mark(&connection).expect("marked");
        journal.begin_anew();
        note(&mut journal, 9..10);
        assert_eq!(journal.pending().expect("read").len(), 2, "not what is left of before behind it");
        drop((connection, journal));
        assert_eq!(stored(&open(&dir).0), [4, 9]);
    }

    #[test]
    fn a_record_counts_only_where_all_before_it_are() {
        let dir = tempfile::tempdir().expect("a directory");
        let (connection, mut journal) = open(&dir);
        (1..6).for_each(|n| note(&mut journal, n..n + 1));
        let (epoch, path) = (journal.epoch, dir.path().join(FILE_NAME));
        drop((connection, journal));
        let whole = fs::read(&path).expect("read");
        let read = |bytes: &[u8], epoch, applied| {
            // Of each record, its item and the one that is gone.
            read(bytes, epoch, applied, u64::MAX).expect("read").len() / 2
        };
        assert_eq!((read(&whole, epoch, 0), read(&whole, epoch, 3), read(&whole, epoch, 5)), (5, 2, 0));
        assert_eq!(read(&whole, epoch ^ 1, 0), 0, "another opening's");
        let second = u32::from_le_bytes(whole[..4].try_into().expect("four")) as usize;
        assert_eq!(read(&whole[second..], epoch, 0), 0, "the first is missing");
        assert_eq!(read(&whole[second..], epoch, 1), 4);
        let ends: Vec<_> = (0..=whole.len()).map(|end| read(&whole[..end], epoch, 0)).collect();
        assert!(ends.is_sorted() && ends[whole.len() - 1] == 4 && ends[second] == 1 && ends[second - 1] == 0);
        for at in 0..whole.len() {
            let mut broken = whole.clone();
            broken[at] ^= 1;
            assert!(read(&broken, epoch, 0) < 5, "a change of byte {at} was not seen");
        }
    }
}
