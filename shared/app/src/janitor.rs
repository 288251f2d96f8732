//! The janitor: looks after jobs that are due, and sweeps what deletes left. Everything it does can be done twice.

use std::time::Duration;

use domain::job::{Next, QUEUE_PATIENCE};
use domain::metrics::DAY;
use domain::{Error, Job, JobId, JobStatus, Result, Timestamp};
use ports::Message;
use store::keys::SHARDS;
use store::sweeps::{Deleted, Sweep};
use tracing::{info, warn};

use crate::{App, PageRequest};

/// Which jobs to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Those whose time has come.
    Due,
    /// All that were accepted or begun before this moment and are not final: whoever had them is known to be gone,
    /// since the one server of a machine started then.
    LeftBefore(Timestamp),
    /// All that run: the one server of a machine is stopping, and has broken them off.
    Stopping,
}

/// How many notes are read at a time.
const BATCH: usize = 200;

/// A run that was under way when its function was deleted may write something after the first sweep; by this time none
/// is under way any more (the longest timeout, and what a lease adds to it).
const STRAGGLERS: Duration = Duration::from_secs(20 * 60);

/// When to try again to sweep what could not be.
const LATER: Duration = Duration::from_secs(60);

/// Which days ago the answers are past their 24 hours: a week of them, should the janitor have been away.
const FORGOTTEN: std::ops::Range<u32> = 2..9;

/// Where the answers that are too large for the table are kept for their `Idempotency-Key`, by the day they were given.
pub fn kept_answers(day: Timestamp) -> String {
    let day = day.to_string();
    format!("idempotency/{}", day.split('T').next().unwrap_or(&day))
}

impl App {
    /// Puts jobs that were left (by a crash, or a queue that was away) back into the queue. How many.
    pub async fn requeue(&self, look: Look) -> Result<usize> {
        let now = self.clock.now();
        // A job that is given back is due at `now` and this patience, so going up to there meets each one.
        let until = if look == Look::Due { now } else { now + QUEUE_PATIENCE };
        let mut requeued = 0;
        for shard in 0..SHARDS {
            let mut after = None;
            loop {
                let page = PageRequest { limit: BATCH, after: after.take() };
                let notes = self.store.due_jobs(shard, until, page).await?;
                for (id, due) in notes.items {
                    requeued += usize::from(self.look_at(id, due, look, now).await?);
                }
                match notes.next {
                    Some(next) => after = Some(next),
                    None => break,
                }
            }
        }
        if requeued > 0 {
            info!(requeued, "queued jobs again that a stopped process had left");
        }
        Ok(requeued)
    }

    /// Looks at one job. Whether it was queued again.
    async fn look_at(&self, id: JobId, due: Timestamp, look: Look, now: Timestamp) -> Result<bool> {
        let job = self.store.job(id).await?.filter(|job| job.due == Some(due));
        let Some(job) = job else {
            self.store.drop_due(id, due).await?;
            return Ok(false);
        };
        let left = |since: Timestamp| matches!(look, Look::LeftBefore(start) if since < start);
        let mut after = job.clone();
        match job.status {
            JobStatus::Pending if look == Look::Due || left(job.created_at) => {
                after.due = Some(now + QUEUE_PATIENCE);
            }
            JobStatus::Running if look == Look::Stopping => after.put_back(now),
            JobStatus::Running
                if left(job.started_at.unwrap_or(now)) || (look == Look::Due && job.can_start(now)) =>
            {
                after.faults += 1;
                if after.after_fault() == Next::Finish {
                    let gone = "the process that ran it stopped each time";
                    self.store.step_from_running(&job, &self.gave_up(&after, gone)).await?;
                    return Ok(false);
                }
                after.release(now);
            }
            _ => return Ok(false),
        }
        // A job that this look gave back already is met once more, at the end.
        if after.due == job.due || !self.record_step(&job, &after).await? {
            return Ok(false);
        }
        self.send_again(&after).await;
        Ok(true)
    }

    /// Queues a job's message once more.
    pub(crate) async fn send_again(&self, job: &Job) {
        let message = Message { job_id: job.id, workspace_id: job.workspace_id };
        if let Err(error) = self.queue.send(&message, Duration::ZERO).await {
            warn!(job = %job.id, %error, "a job could not be queued again; the janitor will try later");
        }
    }

    /// Removes some of what deletes left: at once, and once more when nothing that ran then can be under way. Whether
    /// there is more to remove now.
    pub async fn sweep(&self) -> Result<bool> {
        let now = self.clock.now();
        let sweeps = self.store.sweeps(now, BATCH).await?;
        let mut more = sweeps.len() == BATCH;
        for sweep in &sweeps {
            match self.sweep_one(sweep, now).await {
                Ok(done) => more |= !done,
                Err(error) => {
                    warn!(deleted = ?sweep.what, %error, "the data of something deleted could not be removed; the janitor will try later");
                    self.store.swept(sweep, Some(now + LATER)).await?;
                }
            }
        }
        for days in FORGOTTEN {
            self.store.blobs().delete_prefix(&kept_answers(now.minus(DAY * days))).await?;
        }
        Ok(more)
    }

    /// Whether nothing is left of it for now.
    async fn sweep_one(&self, sweep: &Sweep, now: Timestamp) -> Result<bool> {
        match sweep.what {
            Deleted::Function(id) => {
                self.runtime.remove(id).await.map_err(Error::unavailable)?;
                if !self.store.sweep_function(id).await? {
                    return Ok(false);
                }
            }
            Deleted::Workspace(id) => self.store.sweep_workspace(id, now).await?,
        }
        let again = sweep.deleted_at + STRAGGLERS;
        self.store.swept(sweep, (now < again).then_some(again)).await?;
        Ok(true)
    }
}
