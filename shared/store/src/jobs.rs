//! Jobs. Every step is one conditional write, together with the counters it changes and the note that tells the
//! janitor when to look: so the counters always equal the jobs, and no step happens twice.

use domain::{Error, Function, Job, JobId, JobStatus, Payload, Result, Timestamp};
use ports::{Check, Condition, Durability, Index, Item, Query, Sort, TableError, Write};
use serde::{Deserialize, Serialize};

use crate::uploads::Upload;
use crate::{Listed, PageRequest, Store, items, keys, metrics};

/// What a caller hears of a job that isn't there, or isn't theirs.
pub fn not_found() -> Error {
    Error::not_found("Job", "JOB_NOT_FOUND")
}

/// Whether a step was taken; `false` when someone else had taken one first.
pub type Taken = Result<bool>;

impl Store {
    /// Records a job that is new: accepted, begun already, or over already. `false` if its id is taken. `job` is as it is
    /// recorded then, its large texts elsewhere.
    pub async fn add_job(&self, job: &mut Job, durability: Durability) -> Taken {
        let stored = self.step(job, None, Condition::Absent, durability).await?;
        if let Some(Some(moved)) = &stored {
            job.clone_from(moved);
        }
        Ok(stored.is_some())
    }

    /// Waits until a job that was recorded survives power loss too.
    pub async fn keep_job(&self, id: JobId) -> Result<()> {
        let there = Write::Check(keys::job(id), Condition::Present(Vec::new()));
        // Whatever has become of it meanwhile.
        taken(self.table.write(vec![there], Durability::Power).await).map(drop)
    }

    /// Records a step of a job that waited: begun, or cancelled.
    pub async fn step_from_pending(&self, before: &Job, after: &Job) -> Taken {
        let waits = Condition::Present(vec![
            Check::Equals("status", JobStatus::Pending.as_str().into()),
            Check::Equals("attempts", before.attempts.into()),
        ]);
        Ok(self.step(after, Some(before), waits, Durability::Crash).await?.is_some())
    }

    /// Records a step of a job that ran under this lease: over, given back, or taken over by another.
    pub async fn step_from_running(&self, before: &Job, after: &Job) -> Taken {
        Ok(self.step(after, Some(before), under_lease(before), Durability::Crash).await?.is_some())
    }

    /// Takes back the record of a job that runs under this lease: it was never begun, and nobody was told of it.
    pub async fn discard_job(&self, job: &Job) -> Taken {
        let mut writes = vec![Write::Delete(keys::job(job.id), under_lease(job))];
        writes.extend(job.due.map(|due| Write::Delete(keys::due(job.id, due), Condition::None)));
        writes.push(metrics::forget_running(job));
        if let Payload::Blob { key, .. } = &job.input {
            let now = job.started_at.unwrap_or(job.created_at);
            writes.push(Upload::unclaimed(vec![key.clone()], now)?);
        }
        taken(self.table.write(writes, Durability::Crash).await)
    }

    /// `None` if the condition did not hold; else the job, where it is recorded otherwise than it came.
    async fn step(
        &self,
        job: &Job,
        before: Option<&Job>,
        condition: Condition,
        durability: Durability,
    ) -> Result<Option<Option<Job>>> {
        let (moved, upload) = self.upload_texts(job, durability).await?.unzip();
        let job = moved.as_ref().unwrap_or(job);
        let mut writes = vec![Write::Put(job_item(job)?, condition)];
        let (old, new) = (before.and_then(|job| job.due), job.due);
        if old != new {
            writes.extend(old.map(|due| Write::Delete(keys::due(job.id, due), Condition::None)));
            if let Some(due) = new {
                writes.push(Write::Put(due_item(job.id, due)?, Condition::None));
            }
        }
        if before.map(|job| job.status) != Some(job.status) {
            writes.extend(metrics::writes(job, before.map(|job| job.status)));
        }
        let Some(upload) = upload else {
            return Ok(taken(self.table.write(writes, durability).await)?.then_some(None));
        };
        writes.push(upload.claimed());
        let written = taken(self.table.write(writes, durability).await);
        if !matches!(written, Ok(true)) {
            self.abandon(&upload).await;
        }
        Ok(written?.then_some(moved))
    }

    /// The job with this id.
    pub async fn job(&self, id: JobId) -> Result<Option<Job>> {
        self.get(&keys::job(id)).await
    }

    /// A function's jobs, newest first, of one status or all, and how many there are in all.
    pub async fn jobs(
        &self,
        function: &Function,
        status: Option<JobStatus>,
        page: PageRequest,
    ) -> Result<(Listed<Job>, u64)> {
        let (index, partition) = match status {
            None => (Index::Gsi1, keys::function_partition(function.id)),
            Some(status) => (Index::Gsi2, keys::status_partition(function.id, status)),
        };
        let listed = self
            .list(Query {
                index,
                partition,
                sort: Sort::Prefix(keys::JOB_PREFIX.into()),
                descending: true,
                limit: page.limit,
                after: page.after,
            })
            .await?;
        let counts = self.totals(keys::Scope::Function(function.id)).await?;
        let gauge = |n: i64| u64::try_from(n).unwrap_or(0);
        let total = match status {
            None => counts.executions() + counts.cancelled + gauge(counts.pending) + gauge(counts.running),
            Some(JobStatus::Pending) => gauge(counts.pending),
            Some(JobStatus::Running) => gauge(counts.running),
            Some(JobStatus::Success) => counts.success,
            Some(JobStatus::Error) => counts.error,
            Some(JobStatus::Cancelled) => counts.cancelled,
        };
        Ok((listed, total))
    }

    /// Jobs that are to be looked at by `until`, the earliest first, of one shard.
    pub async fn due_jobs(
        &self,
        shard: u64,
        until: Timestamp,
        page: PageRequest,
    ) -> Result<Listed<(JobId, Timestamp)>> {
        let query = Query {
            partition: keys::due_partition(shard),
            sort: keys::until(until),
            limit: page.limit,
            after: page.after,
            ..Query::default()
        };
        Ok(self.list::<Due>(query).await?.map(|due| (due.job_id, due.due)))
    }

    /// Takes away a note about a job that is not there or not as it says any more.
    pub async fn drop_due(&self, id: JobId, due: Timestamp) -> Result<()> {
        let write = Write::Delete(keys::due(id, due), Condition::None);
        Ok(self.table.write(vec![write], Durability::Crash).await?)
    }
}

fn under_lease(job: &Job) -> Condition {
    let lease = job.lease.as_ref().map(|lease| lease.id.as_str()).unwrap_or_default();
    Condition::Present(vec![
        Check::Equals("status", JobStatus::Running.as_str().into()),
        Check::Equals("lease_id", lease.into()),
    ])
}

fn taken(written: std::result::Result<(), TableError>) -> Taken {
    match written {
        Ok(()) => Ok(true),
        Err(TableError::Condition { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn job_item(job: &Job) -> Result<Item> {
    let mut item = items::item(keys::job(job.id), job)?;
    if let Some(lease) = &job.lease {
        item.attributes.insert("lease_id".into(), lease.id.clone().into());
    }
    item.gsi1 = Some(keys::job_of_function(job.function_id, job.created_at, job.id));
    item.gsi2 = Some(keys::job_of_status(job.function_id, job.status, job.created_at, job.id));
    Ok(item)
}

/// The note that a job is to be looked at.
#[derive(Serialize, Deserialize)]
struct Due {
    job_id: JobId,
    due: Timestamp,
}

fn due_item(job_id: JobId, due: Timestamp) -> Result<Item> {
    items::item(keys::due(job_id, due), &Due { job_id, due })
}
