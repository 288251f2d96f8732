//! `/jobs`: what became of invocations.

pub mod cancel;
pub mod get;
pub mod invocation;
pub mod retry;

use app::jobs::JobDetail;
use domain::{JobId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use web::{RawJson, Result};

/// Names a job.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct JobPath {
    /// The job.
    #[param(minimum = 1, maximum = 9007199254740991_i64)]
    id: u64,
}

impl JobPath {
    fn id(&self) -> JobId {
        JobId(self.id)
    }
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum JobStatus {
    /// Accepted, and not started yet.
    Pending,
    /// Running now.
    Running,
    /// The handler returned.
    Success,
    /// The handler failed, or the platform gave up.
    Error,
    /// Cancelled before it started.
    Cancelled,
}

impl From<domain::JobStatus> for JobStatus {
    fn from(status: domain::JobStatus) -> Self {
        match status {
            domain::JobStatus::Pending => Self::Pending,
            domain::JobStatus::Running => Self::Running,
            domain::JobStatus::Success => Self::Success,
            domain::JobStatus::Error => Self::Error,
            domain::JobStatus::Cancelled => Self::Cancelled,
        }
    }
}

impl From<JobStatus> for domain::JobStatus {
    fn from(status: JobStatus) -> Self {
        match status {
            JobStatus::Pending => Self::Pending,
            JobStatus::Running => Self::Running,
            JobStatus::Success => Self::Success,
            JobStatus::Error => Self::Error,
            JobStatus::Cancelled => Self::Cancelled,
        }
    }
}

/// A job, as shown.
#[derive(Serialize, ToSchema)]
pub struct Job {
    /// Unique, at most 2^53 - 1.
    #[schema(minimum = 1, maximum = 9007199254740991_i64)]
    id: u64,
    /// What it runs.
    function_id: Uuid,
    /// The version that it runs.
    version: u32,
    /// Where it stands.
    status: JobStatus,
    /// The event.
    #[schema(value_type = RawJson)]
    input: Option<Box<RawValue>>,
    /// What the handler returned.
    #[schema(value_type = RawJson)]
    output: Option<Box<RawValue>>,
    /// What went wrong: type, message and traceback.
    error: Option<String>,
    /// What the code printed, newest last, at most 256 KB.
    logs: Option<String>,
    /// When it was accepted.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When its last attempt started.
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Timestamp>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    completed_at: Option<Timestamp>,
    /// Milliseconds that the handler took.
    duration: Option<f64>,
    /// How often it was started.
    attempts: u32,
    /// Whether the code had to be loaded first.
    cold_start: bool,
    /// In a list: which of `input`, `output`, `logs` were left out because they are large.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    omitted: Vec<&'static str>,
}

impl Job {
    /// A job with its texts.
    pub(crate) fn new(detail: JobDetail) -> Result<Self> {
        let JobDetail { job, input, output, logs, omitted } = detail;
        Ok(Self {
            id: job.id.0,
            function_id: job.function_id.0,
            version: job.version,
            status: job.status.into(),
            input: raw(input)?,
            output: raw(output)?,
            error: job.error,
            logs: logs.map(|logs| logs.text()),
            created_at: job.created_at,
            started_at: job.started_at,
            completed_at: job.completed_at,
            duration: job.duration_us.map(millis),
            attempts: job.attempts,
            cold_start: job.cold_start,
            omitted,
        })
    }
}

/// JSON text as it is to stand in an answer.
pub(crate) fn raw(text: Option<String>) -> Result<Option<Box<RawValue>>> {
    let raw = text.map(RawValue::from_string).transpose();
    Ok(raw.map_err(domain::Error::internal)?)
}

/// Milliseconds, with three decimals.
pub(crate) fn millis(micros: u64) -> f64 {
    micros as f64 / 1000.0
}

/// Where a job is shown.
pub(crate) fn location(job: JobId) -> String {
    format!("/jobs/{job}")
}
