//! Workspaces: what holds functions and keys, and belongs to one user.

use serde::{Deserialize, Serialize};

use crate::{Timestamp, UserId, WorkspaceId};

/// A workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workspace {
    /// Random, unique.
    pub id: WorkspaceId,
    /// Trimmed; unique among its owner's whatever its case.
    pub name: String,
    /// Free text, if given.
    pub description: Option<String>,
    /// Whose it is.
    pub owner_id: UserId,
    /// Counts every change, so that two at once can't overwrite each other.
    pub revision: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its name or description last changed.
    pub updated_at: Timestamp,
}

/// How names are compared: `Blog` and `bLOG` are the same name.
pub fn name_key(name: &str) -> String {
    name.trim().to_lowercase()
}
