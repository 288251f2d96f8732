//! Counters, as APIs show them.

use std::sync::Arc;

use domain::metrics::{Counters, Period};
use domain::{Function, FunctionId, Result, UserId, Workspace, WorkspaceId};
use ports::Clock;
use store::Store;
use store::keys::Scope;
use store::metrics::{Recent, Series};

use crate::functions::Functions;
use crate::workspaces::Workspaces;

/// What is known of a function's runs.
pub struct FunctionMetrics {
    /// Which.
    pub function: Function,
    /// Since it was made.
    pub total: Counters,
    /// In the period asked for.
    pub period: Series,
}

/// What is known of a workspace's runs.
pub struct WorkspaceMetrics {
    /// Which.
    pub workspace: Workspace,
    /// How many functions it has.
    pub functions: u64,
    /// Since it was made.
    pub total: Counters,
    /// In the period asked for.
    pub period: Series,
}

/// The counters of functions and workspaces.
pub struct Metrics {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) functions: Arc<Functions>,
    pub(crate) workspaces: Arc<Workspaces>,
}

impl Metrics {
    /// A user's function's counters.
    pub async fn of_function(
        &self,
        caller: UserId,
        id: FunctionId,
        period: Period,
    ) -> Result<FunctionMetrics> {
        let function = self.functions.get(caller, id).await?;
        let scope = Scope::Function(id);
        let total = self.store.totals(scope).await?;
        let period = self.store.period(scope, period, self.clock.now()).await?;
        Ok(FunctionMetrics { function, total, period })
    }

    /// A user's workspace's counters.
    pub async fn of_workspace(
        &self,
        caller: UserId,
        id: WorkspaceId,
        period: Period,
    ) -> Result<WorkspaceMetrics> {
        let workspace = self.workspaces.get(caller, id).await?;
        let (total, functions) = self.store.workspace_totals(id).await?;
        let period = self.store.period(Scope::Workspace(id), period, self.clock.now()).await?;
        Ok(WorkspaceMetrics { workspace, functions, total, period })
    }

    /// What lists show of each workspace, in order: its last 24 hours, since the start of the hour that held the moment
    /// 24 hours ago. The caller has been checked.
    pub async fn recent_of_workspaces(
        &self,
        ids: impl IntoIterator<Item = WorkspaceId>,
    ) -> Result<Vec<Recent>> {
        self.recent(ids.into_iter().map(Scope::Workspace).collect()).await
    }

    /// Likewise of each function.
    pub async fn recent_of_functions(
        &self,
        ids: impl IntoIterator<Item = FunctionId>,
    ) -> Result<Vec<Recent>> {
        self.recent(ids.into_iter().map(Scope::Function).collect()).await
    }

    async fn recent(&self, scopes: Vec<Scope>) -> Result<Vec<Recent>> {
        self.store.recent(&scopes, Period::Day, self.clock.now()).await
    }
}
