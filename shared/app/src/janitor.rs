//! The janitor: looks after jobs that are due, and sweeps what deletes left. Everything it does can be done twice.

use std::sync::Arc;
use std::time::Duration;

use domain::job::{Next, QUEUE_PATIENCE};
use domain::metrics::DAY;
use domain::{Error, JobId, JobStatus, Result, Timestamp};
use ports::{Clock, Runtime, Table};
use store::keys::SHARDS;
use store::sweeps::{Deleted, STRAGGLERS, Sweep};
use store::uploads::Upload;
use store::{PageRequest, Store};
use tracing::{info, warn};

use crate::runs::Runs;

/// Which jobs to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those whose time has come.
    Due,
    /// All that were accepted or begun before this moment and are not final: whoever had them is known to be gone,
    /// since the one server of a machine started then.
    LeftBefore(Timestamp),
    /// All that run: the one server of a machine is stopping, and has broken them off.
    Stopping,
}

/// Of how many uploads that a server left the next one takes care at once; of others when their time comes.
const LEFT: usize = 10_000;
/// How many notes are read at a time.
const BATCH: usize = 200;

/// When to sweep again what could not be removed, or what a request that began before may still read.
const LATER: Duration = Duration::from_secs(60);

/// Of how many days answers may be kept that an earlier release has left no note of.
const ANSWER_DAYS: u32 = 9;

/// Where the answers that are too large for the table are kept for their `Idempotency-Key`, by the day they were given.
pub fn kept_answers(day: Timestamp) -> String {
    let day = day.to_string();
    format!("idempotency/{}", day.split('T').next().unwrap_or(&day))
}

/// Tells the janitor that answers of this day are about to be kept as blobs.
pub async fn note_answers(table: &dyn Table, day: Timestamp) -> Result<()> {
    store::sweeps::note_answers(table, day).await
}

/// Looks after jobs that are due, and sweeps what deletes left.
pub struct Janitor {
    pub(crate) store: Store,
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) runs: Arc<Runs>,
}

impl Janitor {
    /// Puts jobs that were left (by a crash, or a queue that was away) back into the queue. How many.
    pub async fn requeue(&self, scope: Scope) -> Result<usize> {
        let now = self.clock.now();
        // A job that is given back is due at `now` and this patience, so going up to there meets each one.
        let until = if scope == Scope::Due { now } else { now + QUEUE_PATIENCE };
        let mut requeued = 0;
        for shard in 0..SHARDS {
            let mut after = None;
            loop {
                let page = PageRequest { limit: BATCH, after: after.take() };
                let notes = self.store.due_jobs(shard, until, page).await?;
                for (id, due) in notes.items {
                    requeued += usize::from(self.look_at(id, due, scope, now).await?);
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
    async fn look_at(&self, id: JobId, due: Timestamp, scope: Scope, now: Timestamp) -> Result<bool> {
        let job = self.store.job(id).await?.filter(|job| job.due == Some(due));
        let Some(job) = job else {
            self.store.drop_due(id, due).await?;
            return Ok(false);
        };
        let left = |since: Timestamp| matches!(scope, Scope::LeftBefore(start) if since < start);
        let (mut after, mut delay) = (job.clone(), Duration::ZERO);
        match job.status {
            JobStatus::Pending if scope == Scope::Due || left(job.created_at) => {
                after.due = Some(now + QUEUE_PATIENCE);
            }
            JobStatus::Running if scope == Scope::Stopping => after.put_back(now),
            JobStatus::Running
                if !self.runs.leases.has(&job)
                    && (left(job.started_at.unwrap_or(now))
                        || (scope == Scope::Due && job.can_start(now))) =>
            {
                after.losses += 1;
                let Next::Retry(later) = after.after_loss() else {
                    let gone = "the process that ran it stopped each time";
                    self.store.step_from_running(&job, &self.runs.gave_up(&after, gone)).await?;
                    return Ok(false);
                };
                delay = later;
                after.release(now);
            }
            _ => return Ok(false),
        }
        // A job that this look gave back already is met once more, at the end.
        if after.due == job.due || !self.runs.record_step(&job, &after).await? {
            return Ok(false);
        }
        self.runs.send_again(&after, delay).await;
        Ok(true)
    }

    /// Takes over from the server that ran on this machine before `started`, and that nothing of runs any more: removes what
    /// it had uploaded and not recorded, and sees to answers that an earlier release kept.
    pub async fn take_over(&self, started: Timestamp) -> Result<()> {
        let mut left = self.store.overdue_uploads(started + STRAGGLERS, LEFT).await?;
        left.retain(|upload| upload.began_at < started);
        self.sweep_uploads(&left).await?;
        for days in 0..ANSWER_DAYS {
            note_answers(self.store.table().as_ref(), started.minus(DAY * days)).await?;
        }
        Ok(())
    }

    /// Removes some of what deletes left: at once, and once more when nothing that ran then can be under way. Whether
    /// there is more to remove now.
    pub async fn sweep(&self) -> Result<bool> {
        let now = self.clock.now();
        let sweeps = self.store.sweeps(now, BATCH).await?;
        let mut more = sweeps.len() == BATCH;
        for sweep in &sweeps {
            match self.sweep_one(sweep, now).await {
                Ok(again) => more |= again,
                Err(error) => {
                    warn!(deleted = ?sweep.what, %error, "the data of something deleted could not be removed; the janitor will try later");
                    self.store.swept(sweep, Some(now + LATER)).await?;
                }
            }
        }
        self.sweep_uploads(&self.store.overdue_uploads(now, BATCH).await?).await?;
        Ok(more)
    }

    /// Removes uploads that no record names. One that can't be removed is tried again later, and keeps no other waiting.
    async fn sweep_uploads(&self, uploads: &[Upload]) -> Result<()> {
        let later = self.clock.now() + LATER;
        for upload in uploads {
            let Some(barred) = self.store.bar_upload(upload, later).await? else { continue };
            if let Err(error) = self.store.remove_upload(&barred).await {
                warn!(?upload, %error, "an upload that no record names could not be removed; the janitor will try later");
            }
        }
        Ok(())
    }

    /// Whether there is more to sweep now because of it.
    async fn sweep_one(&self, sweep: &Sweep, now: Timestamp) -> Result<bool> {
        match sweep.what {
            Deleted::Function(id) => {
                self.runtime.remove(id).await.map_err(Error::unavailable)?;
                if !self.store.sweep_function(id).await? {
                    return Ok(true);
                }
            }
            Deleted::Workspace(id) => {
                if self.store.sweep_workspace(id, sweep, now).await? {
                    self.store.swept(sweep, Some(now + LATER)).await?;
                    // Its functions have notes of their own from now on.
                    return Ok(true);
                }
            }
            Deleted::Version(id, version) => {
                let gone = self.store.sweep_version(id, version).await?;
                self.store.swept(sweep, (!gone).then_some(now + STRAGGLERS)).await?;
                return Ok(false);
            }
            Deleted::Answers(day) => {
                self.store.blobs().delete_prefix(&kept_answers(day)).await?;
                self.store.swept(sweep, None).await?;
                return Ok(false);
            }
        }
        let again = sweep.deleted_at + STRAGGLERS;
        self.store.swept(sweep, (now < again).then_some(again)).await?;
        Ok(false)
    }
}
