//! Counters, as APIs show them.

use domain::metrics::{Counters, Period};
use domain::{Function, FunctionId, Result, UserId, Workspace, WorkspaceId};
use store::keys::Scope;
use store::metrics::Series;

use crate::App;

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

impl App {
    /// A user's function's counters.
    pub async fn function_metrics(
        &self,
        caller: UserId,
        id: FunctionId,
        period: Period,
    ) -> Result<FunctionMetrics> {
        let function = self.function(caller, id).await?;
        let scope = Scope::Function(id);
        let total = self.store.totals(scope).await?;
        let period = self.store.period(scope, period, self.clock.now()).await?;
        Ok(FunctionMetrics { function, total, period })
    }

    /// A user's workspace's counters.
    pub async fn workspace_metrics(
        &self,
        caller: UserId,
        id: WorkspaceId,
        period: Period,
    ) -> Result<WorkspaceMetrics> {
        let workspace = self.workspace(caller, id).await?;
        let (total, functions) = self.store.workspace_totals(id).await?;
        let period = self.store.period(Scope::Workspace(id), period, self.clock.now()).await?;
        Ok(WorkspaceMetrics { workspace, functions, total, period })
    }
}
