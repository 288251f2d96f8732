//! Open sockets: each by its id, and by what it listens to.

use std::collections::BTreeSet;
use std::fmt;

use domain::{Result, Timestamp, Token, UserId};
use ports::{Condition, ConnectionId, Durability, Item, Key, Write};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Store, items, keys};

/// An open socket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Connection {
    /// Names it.
    pub id: ConnectionId,
    /// The operation that opened it, whose messages it takes.
    pub operation: String,
    /// Whose it is; `None` until a token was shown.
    pub user: Option<UserId>,
    /// What it is sent.
    pub topics: BTreeSet<Topic>,
    /// When it is closed at the latest, since its token expires then, or since none was shown.
    pub closes_at: Timestamp,
}

impl Connection {
    /// Makes it that of a token, from when on it ends with the token and its session.
    pub fn authenticate(&mut self, token: &Token) {
        self.user = Some(token.user);
        self.closes_at = token.expires_at;
        self.topics.extend([Topic::user(token.user), Topic::session(token)]);
    }
}

/// What connections listen to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Topic(String);

impl Topic {
    /// What happens to a user, in all of their connections.
    pub fn user(id: UserId) -> Self {
        Self(format!("USER#{id}"))
    }

    /// The end of the session that a token belongs to.
    pub fn session(token: &Token) -> Self {
        Self::session_of(token.session.map_or(token.id, |session| session.id))
    }

    /// The end of the session of this id.
    pub fn session_of(id: Uuid) -> Self {
        Self(format!("SESSION#{}", id.simple()))
    }

    /// What happens to a thing of some kind: `WORKSPACE`, its id.
    pub fn of(kind: &str, id: impl fmt::Display) -> Self {
        Self(format!("{kind}#{id}"))
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Store {
    /// The connection of this id.
    pub async fn connection(&self, id: &ConnectionId) -> Result<Option<Connection>> {
        self.get(&keys::connection(id)).await
    }

    /// Keeps a connection as it is now. `before` is what was kept of it.
    pub async fn keep_connection(&self, before: Option<&Connection>, now: &Connection) -> Result<()> {
        let ttl = Some(now.closes_at.as_seconds());
        let kept = |key: Key| Write::Put(Item { ttl, ..Item::new(key) }, Condition::None);
        let record = Item { ttl, ..items::item(keys::connection(&now.id), now)? };
        let left = before.into_iter().flat_map(|before| before.topics.difference(&now.topics));
        let writes = std::iter::once(Write::Put(record, Condition::None))
            .chain(now.topics.iter().map(|topic| kept(keys::listener(topic, &now.id))))
            .chain(left.map(|topic| Write::Delete(keys::listener(topic, &now.id), Condition::None)));
        let writes: Vec<_> = writes.collect();
        for some in writes.chunks(ports::table::MAX_WRITES) {
            self.table.write(some.to_vec(), Durability::Crash).await?;
        }
        Ok(())
    }

    /// Forgets a connection that is closed.
    pub async fn forget_connection(&self, id: &ConnectionId) -> Result<()> {
        let Some(known) = self.connection(id).await? else { return Ok(()) };
        let listeners = known.topics.iter().map(|topic| keys::listener(topic, id));
        self.delete_all(listeners.chain([keys::connection(id)])).await
    }

    /// The connections that listen to a topic, each with when it closes at the latest.
    pub async fn listeners(&self, topic: &Topic) -> Result<Vec<(ConnectionId, Timestamp)>> {
        let items = self.all(&keys::topic_partition(topic), "").await?;
        let closes_at = |item: &Item| Timestamp::from_millis(item.ttl.unwrap_or_default() * 1000);
        Ok(items.into_iter().map(|item| (ConnectionId(item.key.sk.clone()), closes_at(&item))).collect())
    }
}
