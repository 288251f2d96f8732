//! `/api/workspaces`: what holds functions.

pub mod create;
pub mod delete;
pub mod get;
pub mod list;
pub mod update;

use app::Metrics;
use domain::{Timestamp, WorkspaceId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use web::Result;

/// Names a workspace.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct WorkspacePath {
    /// The workspace.
    id: Uuid,
}

impl WorkspacePath {
    fn id(&self) -> WorkspaceId {
        WorkspaceId(self.id)
    }
}

/// A workspace, as shown. Figures are of the last 24 hours, counted by the hour.
#[derive(Serialize, ToSchema)]
#[schema(as = api::Workspace)]
#[serde(rename_all = "camelCase")]
pub struct Workspace {
    /// Its id.
    id: Uuid,
    /// The name, unique among its owner's workspaces regardless of case.
    name: String,
    /// The description; may be empty.
    description: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// How many functions it has.
    function_count: u64,
    /// How many runs ended.
    #[serde(rename = "invocations24h")]
    invocations_24h: u64,
    /// Percent of those that failed; 0 when nothing ran.
    error_rate: f64,
}

impl Workspace {
    /// Workspaces with their figures.
    async fn all(metrics: &Metrics, workspaces: Vec<domain::Workspace>) -> Result<Vec<Self>> {
        let figures = metrics.recent_of_workspaces(workspaces.iter().map(|workspace| workspace.id)).await?;
        let shown = workspaces.into_iter().zip(figures).map(|(workspace, figures)| Self {
            id: workspace.id.0,
            name: workspace.name,
            description: workspace.description.unwrap_or_default(),
            created_at: workspace.created_at,
            function_count: figures.functions,
            invocations_24h: figures.sum.executions(),
            error_rate: figures.sum.error_rate(),
        });
        Ok(shown.collect())
    }

    /// A workspace with its figures.
    async fn one(metrics: &Metrics, workspace: domain::Workspace) -> Result<Self> {
        let shown = Self::all(metrics, vec![workspace]).await?.pop();
        Ok(shown.ok_or_else(|| domain::Error::internal("a workspace was asked for and none came"))?)
    }
}
