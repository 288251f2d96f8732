//! `GET /functions/{function_id}/metrics`

use std::sync::Arc;

use app::Metrics;
use axum::extract::State;
use domain::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;
use web::{Caller, Json, PathQuery, Result};

use super::FunctionPath;
use crate::series::{Period, PeriodQuery, Point, series};

/// A function's figures. Counts and rates are all-time; durations and the series are of the period.
#[derive(Serialize, ToSchema)]
pub struct FunctionMetrics {
    /// Which function.
    function_id: Uuid,
    /// How many runs ended.
    total_executions: u64,
    /// How many of those succeeded.
    success_count: u64,
    /// How many of those failed.
    error_count: u64,
    /// The fraction of them that succeeded, from 0 to 1; 0 when nothing ran.
    success_rate: f64,
    /// Milliseconds that a run took on average; 0 when nothing ran.
    avg_duration: f64,
    /// Milliseconds that half of the runs did not exceed, within 19 %.
    p50_duration: f64,
    /// Milliseconds that 95 % of the runs did not exceed, within 19 %.
    p95_duration: f64,
    /// Milliseconds that 99 % of the runs did not exceed, within 19 %.
    p99_duration: f64,
    /// How many runs had to load their code first.
    cold_starts: u64,
    /// When the last run ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_executed_at: Option<Timestamp>,
    /// What durations and series cover.
    period: Period,
    /// Oldest first, without gaps.
    series: Vec<Point>,
}

/// Shows a function's figures.
#[utoipa::path(
    get, path = "/functions/{function_id}/metrics", operation_id = "functions.metrics", tag = "functions",
    params(FunctionPath, PeriodQuery),
    responses((status = 200, description = "Its figures", body = FunctionMetrics)),
    extensions(("x-access" = json!(["table:read"]))),
    security(("user" = []))
)]
pub async fn metrics(
    State(metrics): State<Arc<Metrics>>,
    caller: Caller,
    PathQuery { path, query }: PathQuery<FunctionPath, PeriodQuery>,
) -> Result<Json<FunctionMetrics>> {
    let period = query.period();
    let metrics = metrics.of_function(caller.user_id, path.id(), period.into()).await?;
    let (total, recent) = (&metrics.total, &metrics.period.sum);
    Ok(Json(FunctionMetrics {
        function_id: path.function_id,
        total_executions: total.executions(),
        success_count: total.success,
        error_count: total.error,
        success_rate: total.success_rate(),
        avg_duration: recent.avg_duration(),
        p50_duration: recent.percentile(50.0),
        p95_duration: recent.percentile(95.0),
        p99_duration: recent.percentile(99.0),
        cold_starts: total.cold_starts,
        last_executed_at: total.last_executed_at,
        period,
        series: series(&metrics.period),
    }))
}
