//! Open WebSockets, to push to: of this process, or behind API Gateway.

use std::borrow::Cow;
use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::PortError;

/// The most bytes of a message (API Gateway's limit; it cuts them into frames of 32 KB).
pub const MAX_MESSAGE: usize = 128 * 1024;

/// Names an open socket. Given by who accepted it, and never given again.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConnectionId(pub String);

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a socket is closed. The client reads both, but on API Gateway, which closes with 1000 and no reason: what a client
/// must know there is said in a message before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// By RFC 6455, section 7.4; 4000 to 4999 are an application's own.
    pub code: u16,
    /// For people, at most 123 bytes.
    pub reason: Cow<'static, str>,
}

impl Close {
    /// A client that has been silent for too long.
    pub const SILENT: Self = Self::new(1001, "nothing was heard for too long");
    /// A message that is no text.
    pub const NOT_TEXT: Self = Self::new(1003, "messages are text");
    /// A message that is too long.
    pub const TOO_LARGE: Self = Self::new(1009, "the message is too large");
    /// A fault of ours.
    pub const BROKEN: Self = Self::new(1011, "internal error");
    /// A server that stops; another try finds it, or another, started.
    pub const RESTARTING: Self = Self::new(1012, "the server is restarting: connect again");
    /// A client that reads more slowly than it is sent to.
    pub const TOO_SLOW: Self = Self::new(1013, "messages were not read in time: connect again");
    /// A token that is none, has expired or was revoked.
    pub const UNAUTHORIZED: Self = Self::new(4401, "the token is not valid, or no longer");
    /// No token in time.
    pub const UNAUTHENTICATED: Self = Self::new(4408, "no token was sent in time");

    /// With this code and reason.
    pub const fn new(code: u16, reason: &'static str) -> Self {
        Self { code, reason: Cow::Borrowed(reason) }
    }
}

/// Why a socket was not sent to.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// It is no longer open, here or anywhere, and never will be.
    #[error("the connection is gone")]
    Gone,
    /// The message has more than [`MAX_MESSAGE`] bytes.
    #[error("a message of more than {MAX_MESSAGE} bytes")]
    TooLarge,
    /// Nothing is known. Worth another try.
    #[error(transparent)]
    Failed(#[from] PortError),
}

/// The open sockets.
///
/// - **At most once**: `Ok` says that a message is on its way. The client may be gone before it gets there, and nobody is
///   told; who must not miss anything asks again when it has connected again.
/// - **In order** come messages that are sent one after the other, each when the one before was acknowledged. Of those sent
///   at the same time any may be first.
/// - **A slow reader** holds nobody up: what it does not read in time closes it ([`Close::TOO_SLOW`]), and it is gone.
/// - On API Gateway a socket is closed after two hours, and after ten minutes in which nothing was sent either way.
#[async_trait]
pub trait Connections: Send + Sync {
    /// Sends a text message of 1 to [`MAX_MESSAGE`] bytes.
    async fn send(&self, id: &ConnectionId, message: &str) -> Result<(), ConnectionError>;

    /// Closes it, after what was sent before. One that is gone is no error.
    async fn close(&self, id: &ConnectionId, close: &Close) -> Result<(), ConnectionError>;
}

/// Where no socket can be opened, none is open.
pub struct NoConnections;

#[async_trait]
impl Connections for NoConnections {
    async fn send(&self, _id: &ConnectionId, _message: &str) -> Result<(), ConnectionError> {
        Err(ConnectionError::Gone)
    }

    async fn close(&self, _id: &ConnectionId, _close: &Close) -> Result<(), ConnectionError> {
        Ok(())
    }
}
