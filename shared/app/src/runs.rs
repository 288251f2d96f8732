//! Running a job and writing down what came of it: what SYNC invocations and the worker share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use domain::job::{Next, Outcome, cut_error};
use domain::{
    Error, ExecutionType, Function, Job, JobId, JobKind, JobStatus, Kind, Logs, Payload, Result, Version,
    limits,
};
use ports::{Clock, Durability, Invocation, Message, Queue, Runtime, RuntimeError};
use store::Store;
use tracing::{error, warn};

use crate::http_trigger::Response;
use crate::http_trigger::response::response;
use crate::leases::Leases;
use crate::random::Random;
use crate::request;

/// When to try again to record what became of a job.
const RECORD_AGAIN: Duration = Duration::from_millis(500);

/// A run that ended, with its texts at hand.
#[derive(Clone, Debug)]
pub struct Ran {
    /// As it is recorded.
    pub job: Job,
    /// What the handler returned, as JSON text.
    pub output: Option<String>,
    /// What it printed.
    pub logs: Logs,
    /// Of a job that an HTTP trigger began, the response that its result stands for, where that is at hand.
    pub response: Option<Response>,
}

/// What became of a job that a worker had.
pub(crate) enum Step {
    /// It is final.
    Finished(Box<Ran>),
    /// It waits again; look at it after this long.
    Again(Duration),
    /// The platform gave up on it.
    GaveUp,
    /// Someone else has it, or it is gone.
    Lost,
}

/// Runs jobs.
pub(crate) struct Runs {
    pub(crate) store: Store,
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Random,
    /// Under which leases this process runs jobs.
    pub(crate) leases: Leases,
    /// A SYNC run shorter than this is recorded once, when it ends.
    pub(crate) sync_grace: Duration,
    /// How long a SYNC run may wait for a place to run.
    pub(crate) sync_patience: Duration,
}

impl Runs {
    /// A job of this function, accepted now.
    pub(crate) fn new_job(
        &self,
        id: JobId,
        function: &Function,
        version: u32,
        event: &Bytes,
        by_trigger: bool,
    ) -> Result<Job> {
        let text = String::from_utf8(event.to_vec()).map_err(Error::internal)?;
        Ok(Job {
            id,
            function_id: function.id,
            workspace_id: function.workspace_id,
            owner_id: function.owner_id,
            version,
            execution_type: function.execution_type,
            by_trigger,
            status: JobStatus::Pending,
            input: Payload::Inline(text),
            output: None,
            error: None,
            logs: None,
            created_at: self.clock.now(),
            started_at: None,
            completed_at: None,
            duration_us: None,
            attempts: 0,
            faults: 0,
            losses: 0,
            cold_start: false,
            lease: None,
            due: None,
        })
    }

    /// Runs a new job at once. It is recorded when it ends or, if that takes longer than the grace, as running
    /// meanwhile: before, nobody was told of it, so a crash takes nothing back. `told` is set by whoever is first: the
    /// caller's wait, which ends with the job's id, or this, which is about to take the record back. `None` if another
    /// has the job (the janitor, or an earlier try of the same request), or it was deleted with its function.
    pub(crate) async fn run_directly(
        self: Arc<Self>,
        function: Function,
        version: Version,
        mut job: Job,
        event: Bytes,
        told: Arc<AtomicBool>,
    ) -> Result<Option<Ran>> {
        let may_come_again = request::may_come_again();
        let mut _held = None;
        job.start(self.random.lease_id(), &function.settings, self.clock.now());
        let invocation = invocation(function, version, &job, event, self.sync_patience);
        let mut run = self.runtime.invoke(invocation);
        let (ran, recorded) = tokio::select! {
            biased;
            ran = &mut run => (ran, false),
            () = tokio::time::sleep(self.sync_grace) => {
                _held = Some(self.leases.hold(&job));
                let (ran, recorded) = tokio::join!(run, self.store.add_job(&mut job, Durability::Crash));
                match recorded? {
                    true => (ran, true),
                    false if may_come_again => return Ok(None),
                    false => return Err(Error::internal("a job id was drawn twice")),
                }
            }
        };
        let (mut after, ran, refused) = match ran {
            Ok(outcome) => {
                let (outcome, response) = judged(&job, outcome);
                let (after, ran) = self.ended(&job, outcome, response)?;
                (after, ran, None)
            }
            Err(RuntimeError::Busy { retry_after }) => {
                if recorded && told.swap(true, Ordering::SeqCst) {
                    self.queue_again(&job).await?;
                } else if recorded {
                    self.store.discard_job(&job).await?;
                }
                return Err(busy(retry_after));
            }
            Err(RuntimeError::Failed(reason)) => {
                let after = self.gave_up(&job, &reason);
                let ran = Ran { job: after.clone(), output: None, logs: Logs::default(), response: None };
                (after, ran, Some(could_not_run(&reason)))
            }
        };
        let written = if recorded {
            self.recorded(&job, &after).await?
        } else {
            self.store.add_job(&mut after, Durability::Crash).await?
        };
        match refused {
            Some(error) => Err(error),
            None => Ok(written.then_some(ran)),
        }
    }

    /// Queues a job whose caller has its id, and for which there was no room. Should that fail, its lease ends.
    async fn queue_again(&self, job: &Job) -> Result<()> {
        let mut waiting = job.clone();
        waiting.put_back(self.clock.now());
        if self.recorded(job, &waiting).await? {
            self.send_again(&waiting, Duration::ZERO).await;
        }
        Ok(())
    }

    /// Runs a job that this worker has begun, and records what came of it.
    pub(crate) async fn run_begun(&self, function: &Function, version: Version, job: Job) -> Result<Step> {
        let event = Bytes::from(self.store.text(&job.input).await?);
        let invocation = invocation(function.clone(), version, &job, event, domain::job::LEASE_MARGIN / 2);
        match self.runtime.invoke(invocation).await {
            Ok(outcome) => {
                let (outcome, response) = judged(&job, outcome);
                let failed = outcome.result.is_err();
                if failed && let Next::Retry(after) = job.after_failure(&function.settings) {
                    return self.give_back(&job, job.clone(), after).await;
                }
                let (after, ran) = self.ended(&job, outcome, response)?;
                let written = self.recorded(&job, &after).await?;
                Ok(if written { Step::Finished(Box::new(ran)) } else { Step::Lost })
            }
            Err(RuntimeError::Busy { retry_after }) => {
                let mut waiting = job.clone();
                waiting.put_back(self.clock.now());
                let written = self.recorded(&job, &waiting).await?;
                Ok(if written { Step::Again(retry_after) } else { Step::Lost })
            }
            Err(RuntimeError::Failed(reason)) => {
                warn!(job = %job.id, attempt = job.attempts, reason, "the platform failed to run a job");
                let mut tried = job.clone();
                tried.faults += 1;
                match tried.after_fault() {
                    Next::Retry(after) => self.give_back(&job, tried, after).await,
                    Next::Finish => {
                        let after = self.gave_up(&tried, &reason);
                        let written = self.recorded(&job, &after).await?;
                        Ok(if written { Step::GaveUp } else { Step::Lost })
                    }
                }
            }
        }
    }

    async fn give_back(&self, job: &Job, mut released: Job, after: Duration) -> Result<Step> {
        released.release(self.clock.now());
        let written = self.recorded(job, &released).await?;
        Ok(if written { Step::Again(after) } else { Step::Lost })
    }

    /// Records what became of a job that this process has begun, as soon as the platform can: a disk that is full for a moment
    /// must not leave the job running until its lease ends, which is when this gives up. Whether it was still ours.
    async fn recorded(&self, job: &Job, after: &Job) -> Result<bool> {
        let mut again = false;
        let written = loop {
            let is_ours = job.lease.as_ref().is_some_and(|lease| self.clock.now() < lease.until);
            match self.store.step_from_running(job, after).await {
                Err(error) if error.kind == Kind::Unavailable && is_ours => {
                    warn!(job = %job.id, %error, "what became of a job could not be recorded; that is tried again");
                    tokio::time::sleep(RECORD_AGAIN).await;
                    again = true;
                }
                done => break done?,
            }
        };
        if written || !again {
            return Ok(written);
        }
        // What seemed to fail may have been done. Where its texts are is each try's own.
        let done = |stored: Job| {
            let texts = (after.input.clone(), after.output.clone(), after.logs.clone());
            let (input, output, logs) = texts;
            Job { input, output, logs, ..stored } == *after
        };
        Ok(self.store.job(job.id).await?.is_some_and(done))
    }

    pub(crate) async fn record_step(&self, before: &Job, after: &Job) -> Result<bool> {
        match before.status {
            JobStatus::Running => self.store.step_from_running(before, after).await,
            _ => self.store.step_from_pending(before, after).await,
        }
    }

    /// Queues a job's message once more, to be delivered after `delay`.
    pub(crate) async fn send_again(&self, job: &Job, delay: Duration) {
        let message = Message { kind: JobKind::Function, id: job.id, tenant: job.workspace_id };
        if let Err(error) = self.queue.send(&message, delay).await {
            warn!(job = %job.id, %error, "a job could not be queued again; the janitor will try later");
        }
    }

    /// The job as an outcome leaves it.
    fn ended(&self, job: &Job, outcome: Outcome, response: Option<Response>) -> Result<(Job, Ran)> {
        let mut after = job.clone();
        let (status, output) = match outcome.result {
            Ok(output) => (JobStatus::Success, Some(output)),
            Err(text) => {
                after.error = Some(cut_error(&text));
                (JobStatus::Error, None)
            }
        };
        after.output = output.clone().map(Payload::Inline);
        after.logs = match outcome.logs.is_empty() {
            true => None,
            false => Some(Payload::Inline(serde_json::to_string(&outcome.logs).map_err(Error::internal)?)),
        };
        after.duration_us = Some((outcome.duration * 1000.0).max(0.0) as u64);
        after.cold_start = outcome.cold_start;
        after.finish(status, self.clock.now());
        let ran = Ran { job: after.clone(), output, logs: outcome.logs, response };
        Ok((after, ran))
    }

    /// The job as it is when the platform gives up on it.
    pub(crate) fn gave_up(&self, job: &Job, reason: &str) -> Job {
        error!(job = %job.id, attempts = job.attempts, reason, "the platform gave up on a job");
        let mut after = job.clone();
        let times = if job.attempts == 1 { "once".to_owned() } else { format!("{} times", job.attempts) };
        after.error = Some(cut_error(&format!(
            "PlatformError: the platform could not run this (tried {times}): {reason}"
        )));
        after.finish(JobStatus::Error, self.clock.now());
        after
    }
}

/// The outcome of a job's run by the platform's own rules: a result that is too large, or that is no response where one is
/// waited for, is a run that failed. And that response.
fn judged(job: &Job, outcome: Outcome) -> (Outcome, Option<Response>) {
    let failed = |text| Outcome { result: Err(text), ..outcome.clone() };
    match &outcome.result {
        Ok(output) if output.len() > limits::OUTPUT => (failed(too_large(output.len())), None),
        Ok(output) if job.by_trigger => match response(output) {
            Ok(response) => (outcome, Some(response)),
            Err(why) => (failed(why), None),
        },
        _ => (outcome, None),
    }
}

fn invocation(
    function: Function,
    version: Version,
    job: &Job,
    event: Bytes,
    patience: Duration,
) -> Invocation {
    Invocation {
        job_id: job.id,
        attempt: job.attempts,
        workspace_id: function.workspace_id,
        function_name: function.name.into(),
        version: Arc::new(version),
        settings: Arc::new(function.settings),
        event,
        patience,
    }
}

fn too_large(bytes: usize) -> String {
    format!(
        "ResultTooLarge: the handler returned {bytes} bytes of JSON; at most {} are allowed. Store large results \
         elsewhere and return a link to them.",
        limits::OUTPUT
    )
}

fn could_not_run(reason: &str) -> Error {
    Error {
        message: format!("The function could not be run: {reason}"),
        ..Error::unavailable(reason.to_owned())
    }
}

/// Whether a run of this function may be done by the process that answers the caller.
pub(crate) fn runs_directly(function: &Function, direct_limit: Option<Duration>) -> bool {
    let timeout = Duration::from_secs(function.settings.timeout_seconds.into());
    function.execution_type == ExecutionType::Sync && direct_limit.is_none_or(|limit| timeout <= limit)
}

/// What a caller hears when the limit of concurrent runs is reached.
fn busy(retry_after: Duration) -> Error {
    Error::new(
        Kind::TooMany { retry_after },
        "CONCURRENCY_LIMIT",
        "The limit of concurrent runs is reached. Try again after the time in Retry-After",
    )
}
