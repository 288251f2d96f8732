//! Whether a token or a key still counts: what a user's record says of it, and which tokens and sessions were ended.

use domain::{Error, Result, Standing, Timestamp};
use ports::{Condition, Durability, Item, Write};
use serde::Deserialize as _;
use uuid::Uuid;

use crate::{Store, keys};

/// What a user's record says of what they may do now.
pub fn standing(user: &Item) -> Result<Standing> {
    Standing::deserialize(&user.attributes)
        .map_err(|error| Error::internal(format!("the record at {} can't be read: {error}", user.key.pk)))
}

impl Store {
    /// Ends these tokens and sessions: each is remembered until it would have ended by itself.
    pub async fn revoke(&self, ends: impl IntoIterator<Item = (Uuid, Timestamp)>) -> Result<()> {
        let write = |(id, until): (Uuid, Timestamp)| {
            let ttl = Some(until.as_seconds());
            Write::Put(Item { ttl, ..Item::new(keys::revoked(id)) }, Condition::None)
        };
        Ok(self.table.write(ends.into_iter().map(write).collect(), Durability::Crash).await?)
    }
}
