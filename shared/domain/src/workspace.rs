//! Workspaces: what holds functions and keys, and belongs to one user.

use serde::{Deserialize, Serialize};

use crate::{Timestamp, UserId, WorkspaceId};

/// A workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workspace {
    /// Random, unique.
    pub id: WorkspaceId,
    /// As [`text::name`](crate::text::name) makes it.
    pub name: String,
    /// What it is unique by among its owner's, as [`text::name_key`](crate::text::name_key) makes it. `None` in records from
    /// when that was the name's lower case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_key: Option<String>,
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
