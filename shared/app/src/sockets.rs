//! Sockets that are open, and what is pushed to them.

use std::sync::Arc;

use domain::{Result, UserId};
use futures::future::join_all;
use ports::{Clock, Close, ConnectionError, ConnectionId, Connections};
pub use store::connections::{Connection, Topic};
use tracing::warn;
use uuid::Uuid;

use crate::Store;

/// How many sockets are sent to at the same time.
const AT_ONCE: usize = 32;

/// Says what happens to whoever listens.
pub struct Sockets {
    store: Store,
    connections: Arc<dyn Connections>,
    clock: Arc<dyn Clock>,
}

impl Sockets {
    /// Sockets of these connections.
    pub fn new(store: Store, connections: Arc<dyn Connections>, clock: Arc<dyn Clock>) -> Self {
        Self { store, connections, clock }
    }

    /// The socket of this id, as it was kept.
    pub async fn get(&self, id: &ConnectionId) -> Result<Option<Connection>> {
        self.store.connection(id).await
    }

    /// Keeps a socket that was opened, or has changed since it was kept as `before`.
    pub async fn keep(&self, before: Option<&Connection>, now: &Connection) -> Result<()> {
        self.store.keep_connection(before, now).await
    }

    /// Forgets a socket that is closed.
    pub async fn forget(&self, id: &ConnectionId) -> Result<()> {
        self.store.forget_connection(id).await
    }

    /// Sends a message to every socket that listens to this, those that can be reached. To be called once what it tells
    /// has been recorded: whoever hears of it may ask.
    pub async fn publish(&self, topic: &Topic, message: &str) -> Result<()> {
        let now = self.clock.now();
        for some in self.store.listeners(topic).await?.chunks(AT_ONCE) {
            let sends = some.iter().map(async |(id, closes_at)| match *closes_at <= now {
                // Where nobody else watches the time.
                true => self.end(id, Close::UNAUTHORIZED).await,
                false => self.send(id, message).await,
            });
            join_all(sends).await;
        }
        Ok(())
    }

    /// Sends one message to one socket.
    pub async fn send(&self, id: &ConnectionId, message: &str) {
        match self.connections.send(id, message).await {
            Ok(()) => {}
            Err(ConnectionError::Gone) => self.forget_quietly(id).await,
            Err(error) => warn!(connection = %id, %error, "a message could not be pushed"),
        }
    }

    /// Closes the sockets of a session that has ended.
    pub async fn end_session(&self, session: Uuid) -> Result<()> {
        self.end_all(&Topic::session_of(session)).await
    }

    /// Closes all sockets of a user.
    pub async fn end_user(&self, user: UserId) -> Result<()> {
        self.end_all(&Topic::user(user)).await
    }

    async fn end_all(&self, topic: &Topic) -> Result<()> {
        let listeners = self.store.listeners(topic).await?;
        join_all(listeners.iter().map(|(id, _)| self.end(id, Close::UNAUTHORIZED))).await;
        Ok(())
    }

    /// Closes a socket, and forgets it.
    pub async fn end(&self, id: &ConnectionId, close: Close) {
        match self.connections.close(id, &close).await {
            Ok(()) => self.forget_quietly(id).await,
            Err(error) => warn!(connection = %id, %error, "a connection could not be closed"),
        }
    }

    async fn forget_quietly(&self, id: &ConnectionId) {
        // What stays is forgotten when it would have ended by itself.
        if let Err(error) = self.forget(id).await {
            warn!(connection = %id, %error, "a closed connection could not be forgotten");
        }
    }
}
