//! Uploads: blobs that no record names yet.
//!
//! A blob and the record that names it are two writes, and much may come between them: a refusal, a lost lease, a crash.
//! So the janitor is told of a blob before it is put, and the write of its record takes that note away. Whatever
//! happens, a blob is named by a record or by a note; and what the note's time has come for, no record can name any
//! more, since its write would have to take the note away.

use bytes::Bytes;
use domain::{Result, Timestamp};
use ports::{Condition, Durability, Item, Query, Write};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::keys::SHARDS;
use crate::sweeps::STRAGGLERS;
use crate::{Store, items, keys};

/// Blobs on their way to a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    id: Uuid,
    /// Which.
    blobs: Vec<String>,
    /// When it began.
    pub began_at: Timestamp,
    /// When they are removed, unless a record names them.
    due: Timestamp,
}

impl Upload {
    fn key(&self) -> ports::Key {
        keys::upload(self.id, self.due)
    }

    fn item(&self) -> Result<Item> {
        items::item(self.key(), self)
    }

    /// The write that goes with the record's.
    pub(crate) fn claimed(&self) -> Write {
        Write::Delete(self.key(), Condition::Present(Vec::new()))
    }

    /// The note of blobs whose record goes away in the same write.
    pub(crate) fn unclaimed(blobs: Vec<String>, now: Timestamp) -> Result<Write> {
        let upload = Self { id: Uuid::new_v4(), blobs, began_at: now, due: now };
        Ok(Write::Put(upload.item()?, Condition::None))
    }
}

impl Store {
    /// Puts these blobs, which a record is about to name. With `sync`, they survive power loss.
    pub async fn upload(&self, blobs: Vec<(String, Bytes)>, sync: bool, now: Timestamp) -> Result<Upload> {
        let names = blobs.iter().map(|(key, _)| key.clone()).collect();
        let upload = Upload { id: Uuid::new_v4(), blobs: names, began_at: now, due: now + STRAGGLERS };
        self.table.write(vec![Write::Put(upload.item()?, Condition::None)], Durability::Crash).await?;
        for (key, bytes) in blobs {
            self.blobs.put(&key, bytes).await?;
            if sync {
                self.blobs.sync(&key).await?;
            }
        }
        Ok(upload)
    }

    /// Gives an upload up whose record was refused: the janitor removes it at its next look. Should this fail, it does
    /// so later.
    pub async fn abandon(&self, upload: &Upload) {
        let again = Upload { due: upload.began_at, ..upload.clone() };
        let moved = again.item().map(|item| vec![upload.claimed(), Write::Put(item, Condition::None)]);
        let moved = match moved {
            Ok(writes) => self.table.write(writes, Durability::Crash).await.map_err(Into::into),
            Err(error) => Err(error),
        };
        if let Err(error) = moved {
            tracing::info!(
                %error,
                "an upload that no record will name could not be given up at once; the janitor removes it when it is overdue"
            );
        }
    }

    /// Up to `limit` uploads of each shard that were to have a record by `until`.
    pub async fn overdue_uploads(&self, until: Timestamp, limit: usize) -> Result<Vec<Upload>> {
        let mut uploads = Vec::new();
        for shard in 0..SHARDS {
            let partition = keys::upload_partition(shard);
            let query = Query { sort: keys::until(until), ..Query::partition(partition, limit) };
            uploads.extend(self.list::<Upload>(query).await?.items);
        }
        Ok(uploads)
    }

    /// Takes an upload that was never named away from whoever put it: its note is written anew, so that no record can name
    /// it from then on. The new note is due `later`, in case it can't be removed now. `None` when its record came at
    /// the last moment.
    pub async fn bar_upload(&self, upload: &Upload, later: Timestamp) -> Result<Option<Upload>> {
        let barred = Upload { id: Uuid::new_v4(), due: later, ..upload.clone() };
        let writes = vec![upload.claimed(), Write::Put(barred.item()?, Condition::None)];
        match self.table.write(writes, Durability::Crash).await {
            Ok(()) => Ok(Some(barred)),
            Err(ports::TableError::Condition { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes an upload that was [barred](Self::bar_upload), and then its note.
    pub async fn remove_upload(&self, barred: &Upload) -> Result<()> {
        for blob in &barred.blobs {
            self.blobs.delete_prefix(blob).await?;
        }
        let gone = Write::Delete(barred.key(), Condition::None);
        Ok(self.table.write(vec![gone], Durability::Crash).await?)
    }
}
