//! `/workspaces/{workspace_id}/auth-keys`: keys that may invoke the workspace's functions.

pub mod create;
pub mod list;
pub mod revoke;
