//! Invoking functions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use domain::{
    Error, ExecutionType, Function, FunctionId, Job, JobKind, JobStatus, Kind, Result, UserId, Version,
};
use ports::{Durability, Message, Queue};
use store::Store;
use tokio::time::Instant;
use tracing::warn;

use crate::auth_keys::AuthKeys;
use crate::background::Background;
use crate::functions::Functions;
use crate::random::Random;
use crate::request;
pub use crate::runs::Ran;
use crate::runs::{Runs, runs_directly};

/// What a caller gets.
#[derive(Clone, Debug)]
pub enum Invoked {
    /// It ran, well or not.
    Ran(Box<Ran>),
    /// It is queued, or still runs; the job tells how it goes.
    Accepted(Box<Job>),
}

/// What came of queueing a job.
enum Queued {
    /// It is queued.
    Now(Job),
    /// An earlier try of the same request had recorded it.
    Before(Job),
}

/// How often a caller's wait looks at a job that someone else runs, at first and at most.
const LOOK: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(250));

/// Invokes functions.
pub struct Invocations {
    pub(crate) store: Store,
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) random: Random,
    pub(crate) functions: Arc<Functions>,
    pub(crate) auth_keys: Arc<AuthKeys>,
    pub(crate) runs: Arc<Runs>,
    pub(crate) background: Background,
    /// How long a SYNC caller is kept waiting.
    pub(crate) gateway_wait: Duration,
    /// SYNC functions with a longer timeout go through the queue.
    pub(crate) direct_limit: Option<Duration>,
}

impl Invocations {
    /// Invokes a user's function with an event (valid JSON). 404 if it isn't there or isn't theirs, 409 if it is
    /// disabled, 429 if the limit of concurrent runs is reached.
    pub async fn invoke_as_user(&self, caller: UserId, id: FunctionId, event: Bytes) -> Result<Invoked> {
        let function = self.functions.get(caller, id).await?;
        self.invoke(function, event, false).await
    }

    /// Likewise, for who has a key of its workspace. 401 if the key is no good.
    pub async fn invoke_with_key(&self, key: &str, id: FunctionId, event: Bytes) -> Result<Invoked> {
        let (function, _) = self.auth_keys.function(key, id).await?;
        self.invoke(function, event, false).await
    }

    /// Invokes a function's current version. The caller has been checked. `by_trigger` says that a response is to be made of
    /// the result.
    pub(crate) async fn invoke(&self, function: Function, event: Bytes, by_trigger: bool) -> Result<Invoked> {
        let version = function.current.clone();
        self.invoke_version(function, version, event, by_trigger).await
    }

    /// Invokes a version of a function. The caller has been checked.
    pub(crate) async fn invoke_version(
        &self,
        function: Function,
        version: Version,
        event: Bytes,
        by_trigger: bool,
    ) -> Result<Invoked> {
        let until = Instant::now() + self.gateway_wait;
        let id = self.random.job_id();
        if request::was_begun()
            && let Some(job) = self.store.job(id).await?
        {
            return self.follow(job, until).await;
        }
        if !store::functions::is_invocable(&function) {
            return Err(Error::conflict(
                "FUNCTION_DISABLED",
                "The function is disabled. Enable it to invoke it",
            ));
        }
        let job = self.runs.new_job(id, &function, version.version, &event, by_trigger)?;
        if runs_directly(&function, self.direct_limit) {
            return self.invoke_directly(function, version, job, event, until).await;
        }
        match self.queue_job(job).await? {
            Queued::Now(job) if job.execution_type == ExecutionType::Async => {
                Ok(Invoked::Accepted(Box::new(job)))
            }
            Queued::Now(job) => self.wait_for(job, until).await,
            Queued::Before(job) => self.follow(job, until).await,
        }
    }

    /// The answer to a request that was begun before, and whose job is there.
    async fn follow(&self, job: Job, until: Instant) -> Result<Invoked> {
        if job.execution_type == ExecutionType::Sync {
            return self.wait_for(job, until).await;
        }
        // Whoever recorded it may have died before this was done.
        if job.status == JobStatus::Pending {
            self.runs.send_again(&job, Duration::ZERO).await;
        }
        self.store.keep_job(job.id).await?;
        Ok(Invoked::Accepted(Box::new(job)))
    }

    /// Runs it here and now. The run becomes a task of its own when the caller hangs up or has waited enough; not before,
    /// since handing it to another thread costs as much as a small run.
    async fn invoke_directly(
        &self,
        function: Function,
        version: Version,
        job: Job,
        event: Bytes,
        until: Instant,
    ) -> Result<Invoked> {
        let (id, its_function) = (job.id, job.function_id);
        let told = Arc::new(AtomicBool::new(false));
        // In its box at once: it is large, and each of those around it would move it.
        let run = Box::pin(self.runs.clone().run_directly(function, version, job, event, told.clone()));
        let mut run = self.background.go_on(self.background.unless_stopping(run));
        let ran = match tokio::time::timeout_at(until, &mut run).await {
            Ok(ran) => ran,
            Err(_) if told.swap(true, Ordering::SeqCst) => run.await,
            // Nothing is accepted that a crash could lose: a table this slow may not have the job yet.
            Err(_) => {
                let job =
                    self.store.job(id).await?.ok_or_else(|| Error::unavailable("it is not recorded yet"))?;
                return Ok(Invoked::Accepted(Box::new(job)));
            }
        };
        if let Some(ran) = ran? {
            return Ok(Invoked::Ran(Box::new(ran)));
        }
        // Another has the job, and so its result; or its function was deleted under it.
        match self.store.job(id).await?.filter(|job| job.function_id == its_function) {
            Some(job) => self.wait_for(job, until).await,
            None => Err(Error::new(Kind::NotFound, "JOB_NOT_FOUND", "The function was deleted while it ran")),
        }
    }

    /// Records a job and queues it. Once it is recorded it is not lost: should the queue be away, the janitor makes up
    /// for it. What is queued survives power loss with all that was recorded before, so only one of the two waits for the
    /// disk.
    async fn queue_job(&self, mut job: Job) -> Result<Queued> {
        job.due = Some(job.created_at + domain::job::FIRST_LOOK);
        if !self.store.add_job(&mut job, Durability::Crash).await? {
            let earlier = if request::may_come_again() { self.store.job(job.id).await? } else { None };
            let earlier = earlier.filter(|earlier| earlier.function_id == job.function_id);
            return earlier.map(Queued::Before).ok_or_else(|| Error::internal("a job id was drawn twice"));
        }
        let message = Message { kind: JobKind::Function, id: job.id, tenant: job.workspace_id };
        if let Err(error) = self.queue.send(&message, Duration::ZERO).await {
            warn!(job = %job.id, %error, "a job could not be queued; the janitor will queue it later");
            self.store.keep_job(job.id).await?;
        }
        Ok(Queued::Now(job))
    }

    /// Waits for a job that another runs, as long as a caller may be kept.
    async fn wait_for(&self, job: Job, until: Instant) -> Result<Invoked> {
        self.background.unless_stopping(self.wait_until(job, until)).await
    }

    async fn wait_until(&self, job: Job, until: Instant) -> Result<Invoked> {
        let (mut pause, longest) = LOOK;
        loop {
            let job = self.job_now(job.clone()).await?;
            match job.status {
                JobStatus::Success | JobStatus::Error | JobStatus::Cancelled => {
                    return Ok(Invoked::Ran(Box::new(self.ran(job).await?)));
                }
                _ if Instant::now() >= until => return Ok(Invoked::Accepted(Box::new(job))),
                _ => tokio::time::sleep(pause.min(until - Instant::now())).await,
            }
            pause = (pause * 2).min(longest);
        }
    }

    /// The job as it is recorded now, or as it was if it is not recorded (yet).
    async fn job_now(&self, job: Job) -> Result<Job> {
        Ok(self.store.job(job.id).await?.unwrap_or(job))
    }

    async fn ran(&self, job: Job) -> Result<Ran> {
        let output = match &job.output {
            Some(output) => Some(self.store.text(output).await?),
            None => None,
        };
        let logs = self.store.logs(&job).await?;
        Ok(Ran { job, output, logs, response: None })
    }
}
