//! `GET /workspaces/{workspace_id}/metrics`

use std::sync::Arc;

use app::Metrics;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;
use web::{Caller, Json, PathQuery, Result};

use super::WorkspacePath;
use crate::series::{Period, PeriodQuery, Point, series};

/// A workspace's figures. Totals are all-time; the series covers the period.
#[derive(Serialize, ToSchema)]
pub struct WorkspaceMetrics {
    /// Which workspace.
    workspace_id: Uuid,
    /// How many functions it has.
    total_functions: u64,
    /// How many runs ended.
    total_executions: u64,
    /// Milliseconds in handlers, all together.
    total_execution_time: f64,
    /// The fraction of the runs that succeeded, from 0 to 1; 0 when nothing ran.
    success_rate: f64,
    /// What the series covers.
    period: Period,
    /// Oldest first, without gaps.
    series: Vec<Point>,
}

/// Shows a workspace's figures.
#[utoipa::path(
    get, path = "/workspaces/{workspace_id}/metrics", operation_id = "workspaces.metrics", tag = "workspaces",
    params(WorkspacePath, PeriodQuery),
    responses((status = 200, description = "Its figures", body = WorkspaceMetrics)),
    extensions(("x-access" = json!(["table:read"]))),
    security(("user" = []))
)]
pub async fn metrics(
    State(metrics): State<Arc<Metrics>>,
    caller: Caller,
    PathQuery { path, query }: PathQuery<WorkspacePath, PeriodQuery>,
) -> Result<Json<WorkspaceMetrics>> {
    let period = query.period();
    let metrics = metrics.of_workspace(caller.user_id, path.id(), period.into()).await?;
    Ok(Json(WorkspaceMetrics {
        workspace_id: path.workspace_id,
        total_functions: metrics.functions,
        total_executions: metrics.total.executions(),
        total_execution_time: metrics.total.duration_us as f64 / 1000.0,
        success_rate: metrics.total.success_rate(),
        period,
        series: series(&metrics.period),
    }))
}
