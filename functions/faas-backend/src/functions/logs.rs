//! `GET /api/workspaces/{ws_id}/functions/{fn_id}/logs`

use std::sync::Arc;

use app::RunLogs;
use app::http_trigger::Body;
use app::run_logs::{Omitted, RunLog};
use axum::extract::State;
use domain::{Level as Gravity, LogLine, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use web::{Caller, Json, PathQuery, RawJson, Result};

use super::FunctionPath;

/// How many entries, where the caller doesn't say.
const LIMIT: usize = 100;

/// How much of the logs.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LogsQuery {
    /// How many entries at most, 1 to 1000; 100 by default.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<usize>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = api::RunStatus)]
#[serde(rename_all = "lowercase")]
pub enum RunStatus {
    /// The handler returned.
    Success,
    /// The handler failed, or the platform gave up.
    Error,
}

/// How grave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = api::Level)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Nothing to worry about.
    Info,
    /// It logged a warning.
    Warn,
    /// It logged an error, or failed.
    Error,
}

/// A run that ended.
#[derive(Serialize, ToSchema)]
#[schema(as = api::LogEntry)]
#[serde(rename_all = "camelCase")]
pub struct LogEntry {
    /// The id of the job that records it.
    id: String,
    /// What ran.
    function_id: Uuid,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    timestamp: Timestamp,
    /// How it ended.
    status: RunStatus,
    /// Milliseconds that the handler took; null where it never ran.
    duration: Option<f64>,
    /// The status that a waiting caller gets: of the function's URL that of the response (502 if it failed), else 200
    /// or 500.
    status_code: u16,
    /// What was asked: of the function's URL the request's body (JSON if it is, else text; Base64 if it is no text),
    /// else the event.
    #[schema(value_type = RawJson)]
    request_body: Box<RawValue>,
    /// What was answered, likewise; null if it failed.
    #[schema(value_type = RawJson)]
    response_body: Box<RawValue>,
    /// What went wrong: type, message and traceback.
    error: Option<String>,
    /// The lines that it printed, oldest first. One that was logged at another level than INFO begins with it:
    /// `[WARN] low on paper`.
    logs: Vec<String>,
    /// That of the gravest line; `error` if it failed.
    level: Level,
    /// Which of `requestBody`, `responseBody`, `error`, `logs` were left out because they are large: ask for the job.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    omitted: Vec<&'static str>,
}

/// A function's last runs.
#[derive(Serialize, ToSchema)]
#[schema(as = api::Logs)]
pub struct LogList {
    /// Newest first.
    logs: Vec<LogEntry>,
    /// How many there are in all.
    total: u64,
}

/// Shows a function's last runs: what was asked, what was answered, what was printed.
#[utoipa::path(
    get, path = "/api/workspaces/{ws_id}/functions/{fn_id}/logs", operation_id = "api.logs.list", tag = "api.logs",
    params(FunctionPath, LogsQuery),
    responses((status = 200, description = "The last runs", body = LogList)),
    extensions(("x-access" = json!(["table:read", "payloads:read"]))),
    security(("user" = []))
)]
pub async fn logs(
    State(run_logs): State<Arc<RunLogs>>,
    caller: Caller,
    PathQuery { path, query }: PathQuery<FunctionPath, LogsQuery>,
) -> Result<Json<LogList>> {
    let limit = query.limit.unwrap_or(LIMIT);
    let (runs, total) = run_logs.list(caller.user_id, path.workspace(), path.id(), limit).await?;
    let logs = runs.into_iter().map(LogEntry::new).collect::<Result<_>>()?;
    Ok(Json(LogList { logs, total }))
}

impl LogEntry {
    fn new(run: RunLog) -> Result<Self> {
        let failed = run.job.status == domain::JobStatus::Error;
        let gravest = run.logs.lines().iter().map(|line| line.level).max().unwrap_or_default();
        Ok(Self {
            id: run.job.id.to_string(),
            function_id: run.job.function_id.0,
            timestamp: run.job.created_at,
            status: if failed { RunStatus::Error } else { RunStatus::Success },
            duration: run.job.duration_us.map(|micros| micros as f64 / 1000.0),
            status_code: run.status_code,
            request_body: shown(run.request)?,
            response_body: shown(run.response)?,
            error: run.error,
            logs: run.logs.lines().iter().map(line).collect(),
            level: match gravest {
                _ if failed => Level::Error,
                Gravity::Error => Level::Error,
                Gravity::Warn => Level::Warn,
                Gravity::Info | Gravity::Debug => Level::Info,
            },
            omitted: run.omitted.into_iter().map(name).collect(),
        })
    }
}

fn shown(body: Option<Body>) -> Result<Box<RawValue>> {
    let raw = match body {
        Some(Body::Json(text)) => RawValue::from_string(text),
        Some(Body::Text(text)) => to_raw_value(&text),
        None => to_raw_value(&()),
    };
    Ok(raw.map_err(domain::Error::internal)?)
}

fn line(line: &LogLine) -> String {
    let level = match line.level {
        Gravity::Info => return line.text.clone(),
        Gravity::Debug => "DEBUG",
        Gravity::Warn => "WARN",
        Gravity::Error => "ERROR",
    };
    format!("[{level}] {}", line.text)
}

fn name(omitted: Omitted) -> &'static str {
    match omitted {
        Omitted::Request => "requestBody",
        Omitted::Response => "responseBody",
        Omitted::Error => "error",
        Omitted::Logs => "logs",
    }
}
