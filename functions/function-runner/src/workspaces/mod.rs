//! `/workspaces`: what holds functions and keys.

pub mod auth_keys;
pub mod create;
pub mod delete;
pub mod functions;
pub mod get;
pub mod list;
pub mod metrics;
pub mod update;

use domain::{Timestamp, WorkspaceId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Names a workspace.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct WorkspacePath {
    /// The workspace.
    workspace_id: Uuid,
}

impl WorkspacePath {
    fn id(&self) -> WorkspaceId {
        WorkspaceId(self.workspace_id)
    }
}

/// A workspace, as shown.
#[derive(Serialize, ToSchema)]
pub struct Workspace {
    /// Its id.
    id: Uuid,
    /// The name, unique among its owner's workspaces regardless of case.
    name: String,
    /// The description.
    description: Option<String>,
    /// Whose it is.
    owner_id: u64,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<domain::Workspace> for Workspace {
    fn from(workspace: domain::Workspace) -> Self {
        let domain::Workspace { id, name, description, owner_id, created_at, updated_at, .. } = workspace;
        Self { id: id.0, name, description, owner_id: owner_id.0, created_at, updated_at }
    }
}
