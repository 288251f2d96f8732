//! Workspace auth keys: a secret that may invoke a workspace's functions, and nothing else.

use serde::{Deserialize, Serialize};

use crate::{KeyId, Timestamp, UserId, WorkspaceId};

/// What every key begins with, so that people and secret scanners know one when they see it.
pub const PREFIX: &str = "frk_";

/// The record of a key. The secret itself is shown once and only its hash is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthKey {
    /// Names the record; part of the secret's text, so that one lookup finds it.
    pub id: KeyId,
    /// The workspace it opens.
    pub workspace_id: WorkspaceId,
    /// Whose workspace that is.
    pub owner_id: UserId,
    /// SHA-256 of the secret, in hex. The secret has 160 random bits, so a slow hash would add nothing.
    pub hash: String,
    /// When it was issued.
    pub created_at: Timestamp,
    /// From when it no longer works.
    pub expires_at: Timestamp,
}
