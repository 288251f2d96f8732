//! Jobs: every invocation is one. `pending → running → success | error`, `pending → cancelled`, and back from
//! `running` to `pending` when a run is to be tried again.
//!
//! The rules are here; that two can't apply them at once is the store's part (every change is a conditional write on
//! [`Job::status`] and [`Lease::id`]).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{ExecutionType, FunctionId, JobId, Logs, Settings, Timestamp, UserId, WorkspaceId, limits};

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobStatus {
    /// Accepted, and not started yet.
    Pending,
    /// A worker has it, until its lease ends.
    Running,
    /// The handler returned.
    Success,
    /// The handler failed, or the platform gave up.
    Error,
    /// Cancelled before it started.
    Cancelled,
}

impl JobStatus {
    /// As it is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Success => "success",
            Self::Error => "error",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing can change it any more.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Success | Self::Error | Self::Cancelled)
    }
}

/// A text that is kept in the table while it is small, and in the blob store once it is not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Payload {
    /// The text itself. Of JSON, exactly as it came.
    Inline(String),
    /// Where it lies.
    Blob {
        /// Made by the server only.
        key: String,
        /// How long it is.
        bytes: usize,
    },
}

/// The right to run a job, and to write its result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Random: who writes must name it.
    pub id: String,
    /// From when another may take the job.
    pub until: Timestamp,
}

/// One invocation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Random, unique.
    pub id: JobId,
    /// What it runs.
    pub function_id: FunctionId,
    /// The workspace of that.
    pub workspace_id: WorkspaceId,
    /// Whose that is.
    pub owner_id: UserId,
    /// The version that it runs, whatever has been saved since.
    pub version: u32,
    /// Whether a caller waited.
    pub execution_type: ExecutionType,
    /// Whether an HTTP trigger began it: then its result must be one that can be sent as a response.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_trigger: bool,
    /// Where it stands.
    pub status: JobStatus,
    /// The event: JSON, exactly as it came.
    pub input: Payload,
    /// What the handler returned, as JSON text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Payload>,
    /// Type, message and the user's own traceback.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// [`Logs`] as JSON text; absent when nothing was printed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logs: Option<Payload>,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When its last attempt started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
    /// Microseconds that the handler took in its last attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_us: Option<u64>,
    /// How often it was started.
    pub attempts: u32,
    /// How many of those the platform itself spoiled.
    pub faults: u32,
    /// Whether its last attempt had to load the code first.
    pub cold_start: bool,
    /// Who has it, while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
    /// When the janitor looks at it unless it is final by then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The handler's result as JSON text, or what went wrong in it.
    pub result: Result<String, String>,
    /// What the code printed.
    pub logs: Logs,
    /// Milliseconds in the handler.
    pub duration: f64,
    /// Whether the code had to be loaded first.
    pub cold_start: bool,
}

/// How much longer than the function's timeout a lease lasts: waiting for a place in the pool, loading the code,
/// writing the result.
pub const LEASE_MARGIN: Duration = Duration::from_secs(90);

/// How long after a job was accepted the janitor first makes sure that it is in the queue: the process may have died,
/// or the queue been away, between the two.
pub const FIRST_LOOK: Duration = Duration::from_secs(30);

/// How long a job may wait in the queue before the janitor makes sure once more that it still is in it.
pub const QUEUE_PATIENCE: Duration = Duration::from_secs(15 * 60);

/// What becomes of a job after a run that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It is final.
    Finish,
    /// It is tried again after this long.
    Retry(Duration),
}

impl Job {
    /// Whether it may be begun now: it waits, or who had it is past the lease.
    pub fn can_start(&self, now: Timestamp) -> bool {
        match self.status {
            JobStatus::Pending => true,
            JobStatus::Running => self.lease.as_ref().is_none_or(|lease| lease.until <= now),
            _ => false,
        }
    }

    /// Begins an attempt under `lease_id`. Ask [`can_start`](Self::can_start) first.
    pub fn start(&mut self, lease_id: String, settings: &Settings, now: Timestamp) {
        let until = now + Duration::from_secs(settings.timeout_seconds.into()) + LEASE_MARGIN;
        self.status = JobStatus::Running;
        self.attempts += 1;
        self.started_at = Some(now);
        self.lease = Some(Lease { id: lease_id, until });
        self.due = Some(until);
    }

    /// Makes it final.
    pub fn finish(&mut self, status: JobStatus, now: Timestamp) {
        self.status = status;
        self.completed_at = Some(now);
        self.lease = None;
        self.due = None;
    }

    /// Gives it back to be tried again.
    pub fn release(&mut self, now: Timestamp) {
        self.status = JobStatus::Pending;
        self.started_at = None;
        self.lease = None;
        self.due = Some(now + QUEUE_PATIENCE);
    }

    /// Gives it back as if it had not been begun: there was no room to run it.
    pub fn put_back(&mut self, now: Timestamp) {
        self.attempts = self.attempts.saturating_sub(1);
        self.release(now);
    }

    /// After the user's code failed: again, if the function says so and the job was queued.
    pub fn after_failure(&self, settings: &Settings) -> Next {
        let tried = self.attempts.saturating_sub(self.faults);
        if self.execution_type == ExecutionType::Async && tried < settings.max_attempts {
            Next::Retry(backoff(tried))
        } else {
            Next::Finish
        }
    }

    /// After a fault of the platform, already counted in `faults`: again, five times in all.
    pub fn after_fault(&self) -> Next {
        if self.faults < limits::PLATFORM_ATTEMPTS { Next::Retry(backoff(self.faults)) } else { Next::Finish }
    }
}

/// 1 s, 2 s, 4 s … one minute.
fn backoff(tried: u32) -> Duration {
    Duration::from_secs(1 << tried.saturating_sub(1).min(6)).min(Duration::from_secs(60))
}

/// Cuts an error's text to what is kept, at a character's end.
pub fn cut_error(text: &str) -> String {
    const MARK: &str = "\n[error cut here: a job keeps 64 KB of it]";
    if text.len() <= limits::ERROR {
        return text.to_owned();
    }
    let mut end = limits::ERROR - MARK.len();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{MARK}", &text[..end])
}
