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

/// What kind of work a job is, and so which arm of the workers takes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobKind {
    /// A function is run. So is every job that says no kind: it was recorded or queued before there were others.
    #[default]
    Function,
    /// A kind that this version of the platform does not know, such as one that a later version has added.
    #[serde(untagged)]
    Other(String),
}

impl JobKind {
    /// As it is stored and queued.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Function => "function",
            Self::Other(name) => name,
        }
    }
}

impl From<&str> for JobKind {
    fn from(name: &str) -> Self {
        match name {
            "function" => Self::Function,
            other => Self::Other(other.to_owned()),
        }
    }
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
    /// How many of those ended with the process that ran them: killed, or gone with its machine.
    #[serde(default)]
    pub losses: u32,
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
        let tried = self.attempts.saturating_sub(self.faults + self.losses);
        if self.execution_type == ExecutionType::Async && tried < settings.max_attempts {
            Next::Retry(backoff(tried))
        } else {
            Next::Finish
        }
    }

    /// After the process that ran it was lost, already counted in `losses`: at once, then after longer and longer. That a
    /// server is killed or restarted is no fault of the job; only one that takes its server with it each time meets the
    /// bound, which is far.
    pub fn after_loss(&self) -> Next {
        match self.losses {
            lost if lost >= limits::LOSSES => Next::Finish,
            0 | 1 => Next::Retry(Duration::ZERO),
            lost => Next::Retry(backoff(lost - 1)),
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

#[cfg(test)]
mod tests {
    use super::*;

    /// As a version before this one stored it.
    const STORED: &str = r#"{"id": 1, "function_id": "9c5b94b1-35ad-49bb-b118-8e8fc24abf80",
        "workspace_id": "9c5b94b1-35ad-49bb-b118-8e8fc24abf81", "owner_id": 2, "version": 1, "execution_type": "ASYNC",
        "status": "running", "input": "{}", "created_at": "2026-01-01T00:00:00.000Z", "attempts": 7, "faults": 1,
        "cold_start": false}"#;

    #[test]
    fn lost_servers_are_not_the_jobs_fault() {
        let mut job: Job = serde_json::from_str(STORED).expect("an older record is read");
        assert_eq!(job.losses, 0);
        let (mut waited, mut longest) = (Duration::ZERO, Duration::ZERO);
        for lost in 1..limits::LOSSES {
            job.losses = lost;
            let Next::Retry(after) = job.after_loss() else { panic!("given up after {lost}") };
            assert_eq!(after.is_zero(), lost == 1);
            (waited, longest) = (waited + after, longest.max(after));
        }
        assert!(longest == Duration::from_secs(60) && waited > Duration::from_secs(3600), "{waited:?}");
        job.losses = limits::LOSSES;
        assert_eq!(job.after_loss(), Next::Finish);
    }

    #[test]
    fn an_attempt_that_a_server_took_along_is_not_one_of_the_codes() {
        let mut job: Job = serde_json::from_str(STORED).expect("an older record is read");
        let settings = Settings { max_attempts: 3, ..Settings::default() };
        (job.attempts, job.faults, job.losses) = (7, 1, 4);
        assert_ne!(job.after_failure(&settings), Next::Finish, "two of three");
        job.losses = 3;
        assert_eq!(job.after_failure(&settings), Next::Finish);
    }
}
