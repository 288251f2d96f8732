//! What a worker does with a message: on AWS a Lambda behind SQS, on one machine a few tasks.

use std::sync::Arc;
use std::time::Duration;

use domain::job::Next;
use domain::{Error, Job, JobId, JobKind, JobStatus, Result, Version};
use ports::{Clock, Message};
use store::Store;
use tracing::{info, warn};

use crate::background::Background;
use crate::random::Random;
use crate::runs::{Runs, Step};

/// When to show a message again whose kind no worker here knows: a worker of a later version may be there by then.
const UNKNOWN: Duration = Duration::from_secs(60);

/// What is to become of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// Its job is over, or no job of ours any more.
    Ack,
    /// Show it again after this long.
    Release(Duration),
    /// The platform gave up on its job: to the dead letters.
    DeadLetter,
}

/// Works on messages.
pub struct Worker {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Random,
    pub(crate) runs: Arc<Runs>,
    pub(crate) background: Background,
}

impl Worker {
    /// Does the job that a message names, unless that has been done. An error is a fault of the platform before the job
    /// was begun: show the message again.
    pub async fn work(&self, message: &Message) -> Result<Disposition> {
        self.background.until_stopped(self.work_on(message)).await
    }

    /// An arm for each kind of job.
    async fn work_on(&self, message: &Message) -> Result<Disposition> {
        match &message.kind {
            JobKind::Function => self.run_function(message.id).await,
            JobKind::Other(kind) => {
                warn!(job = %message.id, kind, "no worker of this version does jobs of this kind; its message is shown again, and is a dead letter in the end");
                Ok(Disposition::Release(UNKNOWN))
            }
        }
    }

    async fn run_function(&self, id: JobId) -> Result<Disposition> {
        let Some(job) = self.store.job(id).await? else { return Ok(Disposition::Ack) };
        let now = self.clock.now();
        if job.status.is_final() {
            return Ok(Disposition::Ack);
        }
        if !job.can_start(now) || self.runs.leases.has(&job) {
            let until = job.lease.as_ref().map_or(now, |lease| lease.until);
            return Ok(Disposition::Release(
                Duration::from_millis(until.millis_since(now)) + Duration::from_secs(1),
            ));
        }
        let function = self.store.function_in(job.workspace_id, job.function_id).await?;
        let Some(function) = function else { return Ok(Disposition::Ack) };
        if !store::functions::is_invocable(&function) {
            self.finish_unbegun(&job, "the function was disabled before this job began").await?;
            return Ok(Disposition::Ack);
        }
        let Some(version) = self.version_of(&job, &function).await? else {
            self.finish_unbegun(&job, "the version that this job was submitted with is gone").await?;
            return Ok(Disposition::Ack);
        };
        let mut begun = job.clone();
        if job.status == JobStatus::Running {
            // Who had it is past the lease: its process is gone.
            begun.losses += 1;
            if begun.after_loss() == Next::Finish {
                let gave_up = self.runs.gave_up(&begun, "the process that ran it stopped each time");
                return Ok(match self.runs.record_step(&job, &gave_up).await? {
                    true => Disposition::DeadLetter,
                    false => Disposition::Ack,
                });
            }
        }
        begun.start(self.random.lease_id(), &function.settings, now);
        let _held = self.runs.leases.hold(&begun);
        if !self.runs.record_step(&job, &begun).await? {
            return Ok(Disposition::Release(Duration::from_secs(1)));
        }
        Ok(match self.runs.run_begun(&function, version, begun).await? {
            Step::Finished(ran) => {
                info!(job = %ran.job.id, function = %function.id, status = ran.job.status.as_str(), attempt = ran.job.attempts, "job finished");
                Disposition::Ack
            }
            Step::Again(after) => Disposition::Release(after),
            Step::GaveUp => Disposition::DeadLetter,
            Step::Lost => Disposition::Ack,
        })
    }

    async fn version_of(&self, job: &Job, function: &domain::Function) -> Result<Option<Version>> {
        if job.version == function.current.version {
            return Ok(Some(function.current.clone()));
        }
        self.store.version(function.id, job.version).await
    }

    /// Ends a job that can't be begun.
    async fn finish_unbegun(&self, job: &Job, why: &str) -> Result<()> {
        let mut after = job.clone();
        after.error = Some(format!("NotRun: {why}"));
        after.finish(JobStatus::Error, self.clock.now());
        match self.runs.record_step(job, &after).await? {
            true => Ok(()),
            false => Err(Error::unavailable("another worker was first")),
        }
    }
}
