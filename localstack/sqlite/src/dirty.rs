//! What of the table is in the journal and not in SQLite yet, for whoever reads SQLite.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use ports::{Index, Item, Key};

/// Names by their hashes: what only shares one with another is thought dirty too, and read the longer way.
#[derive(Default)]
pub(super) struct Dirty {
    hasher: RandomState,
    names: RwLock<HashSet<u64>>,
}

/// What can be dirty.
#[derive(Hash)]
enum Name<'a> {
    Row(&'a Key),
    Partition(u8, &'a str),
    /// Of both indexes: a row was changed of which nobody knows where it was.
    Indexes,
}

impl Dirty {
    /// A row, as it is to be and as it was before (`None`: nobody knows).
    pub(super) fn mark(&self, key: &Key, after: Option<&Item>, before: Option<Option<&Item>>) {
        let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        names.insert(self.hash(&Name::Row(key)));
        names.insert(self.hash(&Name::Partition(Index::Primary as u8, &key.pk)));
        for item in [after, before.flatten()].into_iter().flatten() {
            for (index, place) in [(Index::Gsi1, &item.gsi1), (Index::Gsi2, &item.gsi2)] {
                names.extend(place.as_ref().map(|place| self.hash(&Name::Partition(index as u8, &place.pk))));
            }
        }
        if before.is_none() {
            names.insert(self.hash(&Name::Indexes));
        }
    }

    /// Whether the row may be.
    pub(super) fn has_row(&self, key: &Key) -> bool {
        let names = self.names();
        !names.is_empty() && names.contains(&self.hash(&Name::Row(key)))
    }

    /// Whether something in the partition may be.
    pub(super) fn has_partition(&self, index: Index, partition: &str) -> bool {
        let names = self.names();
        !names.is_empty()
            && (names.contains(&self.hash(&Name::Partition(index as u8, partition)))
                || (index != Index::Primary && names.contains(&self.hash(&Name::Indexes))))
    }

    /// All of it is in SQLite.
    pub(super) fn clear(&self) {
        self.names.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn names(&self) -> RwLockReadGuard<'_, HashSet<u64>> {
        self.names.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn hash(&self, name: &Name<'_>) -> u64 {
        self.hasher.hash_one(name)
    }
}
