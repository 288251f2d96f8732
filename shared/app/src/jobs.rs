//! Looking at jobs, cancelling them, doing them again.

use std::sync::Arc;

use bytes::Bytes;
use domain::{Error, FunctionId, Job, JobId, JobStatus, Logs, Payload, Result, UserId, limits};
use ports::Clock;
use store::jobs::not_found;
use store::{Listed, PageRequest, Store};

use crate::functions::Functions;
use crate::invocations::{Invocations, Invoked};
use crate::request;

/// A job with its texts. In a list, a text too large for the table is left out, and named.
#[derive(Clone, Debug)]
pub struct JobDetail {
    /// The record.
    pub job: Job,
    /// The event, as JSON text.
    pub input: Option<String>,
    /// What the handler returned, as JSON text.
    pub output: Option<String>,
    /// What it printed.
    pub logs: Option<Logs>,
    /// Which of these were left out because they are large: ask for the job itself.
    pub omitted: Vec<&'static str>,
}

impl JobDetail {
    /// Bytes of its texts.
    fn size(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let logs = self.logs.iter().flat_map(Logs::lines).map(|line| line.text.len() + 1).sum::<usize>();
        text(&self.input) + text(&self.output) + text(&self.job.error) + logs
    }
}

/// The jobs of functions.
pub struct Jobs {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) functions: Arc<Functions>,
    pub(crate) invocations: Arc<Invocations>,
}

impl Jobs {
    /// A user's job, whole. 404 if it isn't there, isn't theirs, or its function was deleted.
    pub async fn get(&self, caller: UserId, id: JobId) -> Result<JobDetail> {
        let (job, _) = self.job_and_function(caller, id).await?;
        let output = match &job.output {
            Some(output) => Some(self.store.text(output).await?),
            None => None,
        };
        let input = Some(self.store.text(&job.input).await?);
        let logs = Some(self.store.logs(&job).await?);
        Ok(JobDetail { input, output, logs, omitted: Vec::new(), job })
    }

    /// A function's jobs, newest first, and how many there are in all.
    pub async fn list(
        &self,
        caller: UserId,
        function: FunctionId,
        status: Option<JobStatus>,
        page: PageRequest,
    ) -> Result<(Listed<JobDetail>, u64)> {
        let function = self.functions.get(caller, function).await?;
        let (listed, total) = self.store.jobs(&function, status, page).await?;
        Ok((listed.map(at_hand).within(limits::PAGE_BYTES, JobDetail::size), total))
    }

    /// Withdraws a job that waits. 409 if it has begun or is over.
    pub async fn cancel(&self, caller: UserId, id: JobId) -> Result<JobDetail> {
        let (job, _) = self.job_and_function(caller, id).await?;
        if request::was_begun() && job.status == JobStatus::Cancelled {
            return self.get(caller, id).await;
        }
        if job.status == JobStatus::Pending {
            let mut after = job.clone();
            after.finish(JobStatus::Cancelled, self.clock.now());
            if self.store.step_from_pending(&job, &after).await? {
                return self.get(caller, id).await;
            }
        }
        let (job, _) = self.job_and_function(caller, id).await?;
        let status = job.status.as_str();
        Err(Error::conflict(
            "JOB_NOT_PENDING",
            format!("Only a pending job can be cancelled, and this one is {status}"),
        ))
    }

    /// Runs a job again: a new job with the same input and the same version.
    pub async fn retry(&self, caller: UserId, id: JobId) -> Result<Invoked> {
        let (job, function) = self.job_and_function(caller, id).await?;
        let version = match job.version == function.current.version {
            true => Some(function.current.clone()),
            false => self.store.version(function.id, job.version).await?,
        };
        let version = version.filter(|version| version.version >= function.oldest_version);
        let version = version.ok_or_else(|| Error::not_found("Version", "VERSION_NOT_FOUND"))?;
        let event = Bytes::from(self.store.text(&job.input).await?);
        self.invocations.invoke_version(function, version, event, job.by_trigger).await
    }

    async fn job_and_function(&self, caller: UserId, id: JobId) -> Result<(Job, domain::Function)> {
        let job = self.store.job(id).await?.filter(|job| job.owner_id == caller).ok_or_else(not_found)?;
        // A deleted function's jobs are out of reach before they are swept.
        let function = self.store.function_in(job.workspace_id, job.function_id).await?;
        let function = function.ok_or_else(not_found)?;
        Ok((job, function))
    }
}

/// A job with those of its texts that came with its record.
fn at_hand(job: Job) -> JobDetail {
    let mut omitted = Vec::new();
    let mut inline = |name, payload: Option<&Payload>| match payload {
        Some(Payload::Inline(text)) => Some(text.clone()),
        Some(Payload::Blob { .. }) => {
            omitted.push(name);
            None
        }
        None => None,
    };
    let input = inline("input", Some(&job.input));
    let output = inline("output", job.output.as_ref());
    let logs = inline("logs", job.logs.as_ref());
    let logs = match (logs, &job.logs) {
        (Some(text), _) => serde_json::from_str(&text).ok(),
        (None, None) => Some(Logs::default()),
        (None, Some(_)) => None,
    };
    JobDetail { input, output, logs, omitted, job }
}
