//! What lists show of the last 24 hours, from the hourly counters: since the start of the hour that held the moment 24
//! hours ago.

use domain::metrics::Period;
use domain::{FunctionId, Result, WorkspaceId};
use store::keys::Scope;
use store::metrics::Recent;

use crate::App;

impl App {
    /// Of each workspace, in order. The caller has been checked.
    pub async fn workspace_figures(&self, ids: impl IntoIterator<Item = WorkspaceId>) -> Result<Vec<Recent>> {
        self.figures(ids.into_iter().map(Scope::Workspace).collect()).await
    }

    /// Of each function, in order. The caller has been checked.
    pub async fn function_figures(&self, ids: impl IntoIterator<Item = FunctionId>) -> Result<Vec<Recent>> {
        self.figures(ids.into_iter().map(Scope::Function).collect()).await
    }

    async fn figures(&self, scopes: Vec<Scope>) -> Result<Vec<Recent>> {
        self.store.recent(&scopes, Period::Day, self.clock.now()).await
    }
}
