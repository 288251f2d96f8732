//! Users' API keys.
//!
//! How many of them work, and what they are called, is in one small item of the user's, which each change replaces: so no
//! two requests at once get past the limit, or take one name. A key that has expired is left out of it by the next change.

use std::collections::BTreeMap;

use domain::text::name_key;
use domain::{ApiKey, ApiKeyId, Error, Result, Timestamp, UserId, limits};
use ports::{Check, Condition, Durability, Item, Key, Position, TableError, Write};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::workspaces::changed_meanwhile;
use crate::{Listed, Mark, PageRequest, Store, items, keys};

/// How often a change is tried again that met another of the same user's.
const TRIES: usize = 8;

/// The attribute of an [`api_key_use`](keys::api_key_use).
const AT: &str = "at";

/// The keys of a user that worked when it was last changed.
#[derive(Default, Serialize, Deserialize)]
struct Index {
    revision: u64,
    keys: BTreeMap<Uuid, Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    name_key: String,
    expires_at: Timestamp,
}

/// What a caller hears of an API key that isn't there, or isn't theirs.
pub fn not_found() -> Error {
    Error::not_found("API key", "API_KEY_NOT_FOUND")
}

impl Store {
    /// Stores a new key. 409 if its user has one of this name, or as many as they may.
    pub async fn create_api_key(&self, key: &ApiKey, mark: Mark) -> Result<()> {
        let mut item = items::item(keys::api_key(key.id), key)?;
        item.ttl = Some(key.expires_at.as_seconds() + 1);
        for _ in 0..TRIES {
            let mut index = self.api_key_index(key.user_id).await?;
            index.keys.retain(|_, entry| entry.expires_at > key.created_at);
            let entry = Entry { name_key: name_key(&key.name), expires_at: key.expires_at };
            if index.keys.values().any(|other| other.name_key == entry.name_key) {
                let message = format!("You already have an API key named '{}'", key.name);
                return Err(Error::conflict("API_KEY_NAME_TAKEN", message));
            }
            if index.keys.len() >= limits::API_KEYS_PER_USER {
                let most = limits::API_KEYS_PER_USER;
                let message =
                    format!("You have {most} API keys already, which is the most that one user may have");
                return Err(Error::conflict("QUOTA_EXCEEDED", message));
            }
            index.keys.insert(key.id.0, entry);
            let mut writes = vec![index.write(key.user_id)?, Write::Put(item.clone(), Condition::Absent)];
            writes.extend(mark.clone());
            match self.table.write(writes, Durability::Crash).await {
                Err(TableError::Condition { index: 0 }) => {}
                Err(TableError::Condition { index: 1 }) => {
                    return Err(Error::internal("an API key's id was drawn twice"));
                }
                Err(TableError::Condition { .. }) => return Err(Error::key_in_use()),
                other => return Ok(other?),
            }
        }
        Err(changed_meanwhile())
    }

    /// A user's keys that work, newest first, and when each was last used.
    pub async fn api_keys(
        &self,
        user: UserId,
        now: Timestamp,
        page: PageRequest,
    ) -> Result<Listed<(ApiKey, Option<Timestamp>)>> {
        let records = self.all(&keys::user_partition(user), keys::API_KEY_PREFIX).await?;
        let mut all: Vec<(Key, ApiKey)> = Vec::new();
        for record in records {
            let key: ApiKey = items::read(record)?;
            // They are few, so their order needs no index.
            all.push((keys::api_key_of_user(user, key.created_at, key.id), key));
        }
        let after = page.after.and_then(|position| position.index);
        all.retain(|(place, key)| key.expires_at > now && after.as_ref().is_none_or(|after| place < after));
        all.sort_by(|(one, _), (other, _)| other.cmp(one));
        let is_more = all.len() > page.limit;
        all.truncate(page.limit);
        let uses: Vec<Key> = all.iter().map(|(_, key)| keys::api_key_use(key.id)).collect();
        let uses = if uses.is_empty() { Vec::new() } else { self.table.get_many(&uses).await? };
        let at = |item: Option<Item>| Some(Timestamp::from_millis(item?.attributes.get(AT)?.as_i64()?));
        let (places, all): (Vec<_>, Vec<_>) = all
            .into_iter()
            .map(|(place, key)| (Position { key: keys::api_key(key.id), index: Some(place) }, key))
            .unzip();
        let next = places.last().filter(|_| is_more).cloned();
        Ok(Listed { items: all.into_iter().zip(uses.into_iter().map(at)).collect(), next, places })
    }

    /// The key of this id.
    pub async fn api_key(&self, id: ApiKeyId) -> Result<Option<ApiKey>> {
        self.get(&keys::api_key(id)).await
    }

    /// Revokes a key, at once. 404 if its user has none of this id.
    pub async fn delete_api_key(&self, user: UserId, id: ApiKeyId) -> Result<()> {
        if id.user() != user {
            return Err(not_found());
        }
        for _ in 0..TRIES {
            let mut index = self.api_key_index(user).await?;
            index.keys.remove(&id.0);
            let writes = vec![
                index.write(user)?,
                Write::Delete(keys::api_key(id), Condition::Present(vec![])),
                Write::Delete(keys::api_key_use(id), Condition::None),
            ];
            match self.table.write(writes, Durability::Crash).await {
                Err(TableError::Condition { index: 0 }) => {}
                Err(TableError::Condition { .. }) => return Err(not_found()),
                other => return Ok(other?),
            }
        }
        Err(changed_meanwhile())
    }

    /// Notes that a key was used, to the minute.
    pub async fn note_api_key_use(&self, key: &ApiKey, minute: Timestamp) -> Result<()> {
        let mut item = Item::new(keys::api_key_use(key.id));
        item.attributes.insert(AT.into(), minute.as_millis().into());
        item.ttl = Some(key.expires_at.as_seconds() + 1);
        Ok(self.table.write(vec![Write::Put(item, Condition::None)], Durability::Crash).await?)
    }

    async fn api_key_index(&self, user: UserId) -> Result<Index> {
        Ok(self.get(&keys::api_keys(user)).await?.unwrap_or_default())
    }
}

impl Index {
    /// The write that replaces what was read, unless that has changed.
    fn write(mut self, user: UserId) -> Result<Write> {
        let unchanged = match self.revision {
            0 => Condition::Absent,
            revision => Condition::Present(vec![Check::Equals("revision", revision.into())]),
        };
        self.revision += 1;
        Ok(Write::Put(items::item(keys::api_keys(user), &self)?, unchanged))
    }
}
