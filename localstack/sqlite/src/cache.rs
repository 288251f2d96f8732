//! Rows that were read lately, so that reading them again takes no SQLite: of a function that is invoked, its record.
//!
//! A reader sees what SQLite would show it. Rows leave before the commit that changes them, and what was read meanwhile
//! is not kept: it may be from before.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ports::{Item, Key};

/// Over how many locks the rows are spread.
const SHARDS: usize = 64;
/// The most bytes of attributes, as JSON, that a shard keeps: 2 MB in all, which take about three times as much parsed.
const ROOM: usize = 32 * 1024;
/// The most of one row.
const LARGEST: usize = 8 * 1024;

/// The rows.
pub(super) struct Cache {
    shards: Vec<Mutex<Shard>>,
    hasher: RandomState,
}

/// Where a row belongs that was not there, and how many commits had changed rows beside it by then.
pub(super) struct Place {
    number: usize,
    changes: u64,
}

#[derive(Default)]
struct Shard {
    /// With how many bytes of attributes each has, as JSON.
    rows: HashMap<Key, (Arc<Item>, usize)>,
    /// All of those bytes.
    bytes: usize,
    /// How many commits that change rows of this shard are under way.
    changing: usize,
    /// How many there have been.
    changes: u64,
}

impl Cache {
    pub(super) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect(), hasher: RandomState::new() }
    }

    /// The row at the key, or where it is to be [kept](Self::keep) once it is read.
    pub(super) fn get(&self, key: &Key) -> Result<Arc<Item>, Place> {
        let number = self.number(key);
        let shard = self.shard(number);
        match shard.rows.get(key) {
            Some((item, _)) => Ok(item.clone()),
            None => Err(Place { number, changes: shard.changes }),
        }
    }

    /// Keeps a row that was read after it was not found here. `bytes` says how many its attributes are as JSON.
    pub(super) fn keep(&self, place: Place, item: &Arc<Item>, bytes: usize) {
        if bytes > LARGEST {
            return;
        }
        let mut shard = self.shard(place.number);
        if shard.changing > 0 || shard.changes != place.changes || shard.rows.contains_key(&item.key) {
            return;
        }
        if shard.bytes + bytes > ROOM {
            // What is read often is soon back.
            shard.rows.clear();
            shard.bytes = 0;
        }
        shard.bytes += bytes;
        shard.rows.insert(item.key.clone(), (item.clone(), bytes));
    }

    /// For a commit: see [`Changing`].
    pub(super) fn changing(&self) -> Changing<'_> {
        Changing { cache: self, shards: [false; SHARDS] }
    }

    fn number(&self, key: &Key) -> usize {
        usize::try_from(self.hasher.hash_one(key) % SHARDS as u64).unwrap_or(0)
    }

    fn shard(&self, number: usize) -> MutexGuard<'_, Shard> {
        // Nothing under this lock leaves it half changed.
        self.shards[number].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Rows that a commit is about to change. Drop it when that is over, and before anybody is told.
pub(super) struct Changing<'a> {
    cache: &'a Cache,
    shards: [bool; SHARDS],
}

impl Changing<'_> {
    /// This row is among them.
    pub(super) fn row(&mut self, key: &Key) {
        let number = self.cache.number(key);
        let mut shard = self.cache.shard(number);
        if let Some((_, bytes)) = shard.rows.remove(key) {
            shard.bytes -= bytes;
        }
        if !std::mem::replace(&mut self.shards[number], true) {
            shard.changing += 1;
        }
    }

    /// Rows are among them that nobody has a list of.
    pub(super) fn any(&mut self) {
        for (number, known) in self.shards.iter_mut().enumerate() {
            let mut shard = self.cache.shard(number);
            shard.rows.clear();
            shard.bytes = 0;
            shard.changing += usize::from(!std::mem::replace(known, true));
        }
    }
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        for number in (0..SHARDS).filter(|&number| self.shards[number]) {
            let mut shard = self.cache.shard(number);
            shard.changing -= 1;
            shard.changes += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: usize) -> Key {
        Key::new(format!("p{n}"), "s")
    }

    fn item(n: usize, value: i64) -> Arc<Item> {
        let mut item = Item::new(key(n));
        item.attributes.insert("value".into(), value.into());
        Arc::new(item)
    }

    /// What a reader gets where SQLite has this value.
    fn get(cache: &Cache, n: usize, stored: i64) -> i64 {
        let found = cache.get(&key(n)).unwrap_or_else(|place| {
            let read = item(n, stored);
            cache.keep(place, &read, 100);
            read
        });
        found.attributes["value"].as_i64().expect("a number")
    }

    #[test]
    fn a_row_is_kept_until_it_changes() {
        let cache = Cache::new();
        assert_eq!((get(&cache, 1, 1), get(&cache, 1, 2)), (1, 1), "kept");
        let mut changing = cache.changing();
        changing.row(&key(1));
        assert_eq!((get(&cache, 1, 2), get(&cache, 1, 3)), (2, 3), "not kept while it changes");
        drop(changing);
        assert_eq!((get(&cache, 1, 4), get(&cache, 1, 5)), (4, 4), "kept again");
        cache.changing().any();
        assert_eq!(get(&cache, 1, 6), 6);
    }

    #[test]
    fn what_was_read_before_a_change_is_not_kept() {
        let cache = Cache::new();
        let place = cache.get(&key(1)).expect_err("nothing is there yet");
        cache.changing().row(&key(1));
        cache.keep(place, &item(1, 1), 100);
        assert_eq!(get(&cache, 1, 2), 2);
    }

    #[test]
    fn it_keeps_no_more_than_it_has_room_for() {
        let cache = Cache::new();
        for n in 0..SHARDS * 100 {
            let place = cache.get(&key(n)).expect_err("it is not there yet");
            cache.keep(place, &item(n, 1), LARGEST);
        }
        assert!(cache.shards.iter().all(|shard| {
            let shard = shard.lock().expect("no panics");
            shard.bytes <= ROOM && shard.rows.len() <= ROOM / LARGEST
        }));
        cache.changing().any();
        let place = cache.get(&key(0)).expect_err("it is not there yet");
        cache.keep(place, &item(0, 1), LARGEST + 1);
        assert!(cache.get(&key(0)).is_err());
    }
}
