//! What a delete leaves behind for the janitor. A delete puts things out of reach in one write; this is the note that
//! says what is still to be removed.

use std::time::Duration;

use domain::metrics::DAY;
use domain::{FunctionId, JobStatus, Result, Timestamp, UserId, WorkspaceId};
use ports::{Condition, Durability, Index, Item, Query, Table, Write};
use serde::{Deserialize, Serialize};

use crate::keys::{SHARDS, Scope};
use crate::{Store, items, keys, quotas};

/// What was deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "lowercase")]
pub enum Deleted {
    /// A function.
    Function(FunctionId),
    /// A workspace, with all functions in it.
    Workspace(WorkspaceId),
    /// A version of a function, since there are newer ones enough.
    Version(FunctionId, u32),
    /// The answers of a day that were kept for their `Idempotency-Key` as blobs.
    Answers(Timestamp),
}

/// A run that was under way when its function was deleted may write something after the first sweep; by this time none
/// is under way any more (the longest timeout, and what a lease adds to it).
pub const STRAGGLERS: Duration = Duration::from_secs(20 * 60);

/// A note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sweep {
    /// What was deleted.
    #[serde(flatten)]
    pub what: Deleted,
    /// When.
    pub deleted_at: Timestamp,
    /// When it is to be swept.
    pub due: Timestamp,
    /// Whose it was, of a workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<UserId>,
}

impl Sweep {
    /// To be swept at once.
    pub(crate) fn new(what: Deleted, now: Timestamp) -> Self {
        Self { what, deleted_at: now, due: now, owner: None }
    }

    /// To be swept at once.
    pub(crate) fn of_workspace(id: WorkspaceId, owner: UserId, now: Timestamp) -> Self {
        Self { owner: Some(owner), ..Self::new(Deleted::Workspace(id), now) }
    }

    /// To be swept later.
    pub(crate) fn later(what: Deleted, now: Timestamp, after: Duration) -> Self {
        Self { what, deleted_at: now, due: now + after, owner: None }
    }

    fn key(&self) -> ports::Key {
        let what = match self.what {
            Deleted::Function(id) => keys::function_partition(id),
            Deleted::Workspace(id) => keys::workspace_partition(id),
            Deleted::Version(id, version) => {
                let ports::Key { pk, sk } = keys::version(id, version);
                format!("{pk}#{sk}")
            }
            Deleted::Answers(_) => "ANSWERS".to_owned(),
        };
        keys::sweep(self.due, &what)
    }

    pub(crate) fn item(&self) -> Result<Item> {
        items::item(self.key(), self)
    }
}

/// How many jobs one look at a function removes before others get their turn.
const SOME: usize = 500;
/// How many pages of jobs are looked through for one that needs a version.
const PAGES: usize = 20;

impl Store {
    /// Up to `limit` notes of what is to be swept by now, the earliest first.
    pub async fn sweeps(&self, now: Timestamp, limit: usize) -> Result<Vec<Sweep>> {
        let query = Query { sort: keys::until(now), ..Query::partition(keys::SWEEP, limit) };
        Ok(self.list(query).await?.items)
    }

    /// Removes some of what a deleted function left: jobs, versions, counters, blobs. `true` when nothing is left.
    pub async fn sweep_function(&self, id: FunctionId) -> Result<bool> {
        let jobs = self
            .table
            .query(&Query { index: Index::Gsi1, ..Query::partition(keys::function_partition(id), SOME) })
            .await?;
        let more = jobs.next.is_some();
        let mut gone = Vec::new();
        for item in jobs.items {
            if let Some(due) = item.attributes.get("due").and_then(serde_json::Value::as_str)
                && let (Ok(due), Some(job)) =
                    (due.parse(), item.attributes.get("id").and_then(|id| id.as_u64()))
            {
                gone.push(keys::due(domain::JobId(job), due));
            }
            gone.push(item.key);
        }
        self.delete_all(gone).await?;
        if more {
            return Ok(false);
        }
        let versions = self.all(&keys::function_partition(id), keys::VERSION_PREFIX).await?;
        self.delete_all(versions.into_iter().map(|item| item.key)).await?;
        self.sweep_metrics(Scope::Function(id)).await?;
        self.blobs.delete_prefix(&format!("jobs/{id}")).await?;
        self.blobs.delete_prefix(&format!("code/{id}")).await?;
        Ok(true)
    }

    /// Removes a version that is no longer kept, with its code. `false` while a job may still need it.
    pub async fn sweep_version(&self, id: FunctionId, version: u32) -> Result<bool> {
        for status in [JobStatus::Pending, JobStatus::Running] {
            let partition = keys::status_partition(id, status);
            let mut query = Query { index: Index::Gsi2, ..Query::partition(partition, SOME) };
            for page in 1.. {
                let jobs = self.table.query(&query).await?;
                let needs = |item: &Item| {
                    item.attributes.get("version").and_then(|v| v.as_u64()) == Some(version.into())
                };
                match jobs.next {
                    _ if jobs.items.iter().any(needs) => return Ok(false),
                    None => break,
                    // So long a backlog is looked through when it is shorter.
                    Some(_) if page == PAGES => return Ok(false),
                    next => query.after = next,
                }
            }
        }
        let code = |item: &Item| items::text(item, "code_key");
        let all = self.all(&keys::function_partition(id), keys::VERSION_PREFIX).await?;
        let key = keys::version(id, version);
        let (gone, kept): (Vec<_>, Vec<_>) = all.into_iter().partition(|item| item.key == key);
        // Earlier releases kept equal code of several versions in one place.
        let kept = kept.iter().map(code).collect::<Result<Vec<_>>>()?;
        for item in &gone {
            let code = code(item)?;
            if !kept.contains(&code) {
                self.blobs.delete_prefix(&code).await?;
            }
        }
        self.delete_all(gone.into_iter().map(|item| item.key)).await?;
        Ok(true)
    }

    /// Removes what a deleted workspace left: keys, claims, counters. Whether there were functions: then it is to be swept
    /// once more soon. The mark that says they are out of reach goes only when a sweep finds none, since a request may
    /// read a function before it is removed here, and look for the mark after that.
    pub async fn sweep_workspace(&self, id: WorkspaceId, sweep: &Sweep, now: Timestamp) -> Result<bool> {
        let had_functions = self.delete_functions_of(id, now).await?;
        if let Some(owner) = sweep.owner.filter(|_| !had_functions) {
            match self.table.write(vec![quotas::forget(owner, id)], Durability::Crash).await {
                // A user who is gone has no marks.
                Ok(()) | Err(ports::TableError::Condition { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let left = self.all(&keys::workspace_partition(id), "").await?;
        self.delete_all(left.into_iter().map(|item| item.key)).await?;
        self.sweep_metrics(Scope::Workspace(id)).await?;
        Ok(had_functions)
    }

    async fn sweep_metrics(&self, scope: Scope) -> Result<()> {
        for shard in 0..SHARDS {
            let items = self.all(&keys::metrics_partition(scope, shard), "").await?;
            self.delete_all(items.into_iter().map(|item| item.key)).await?;
        }
        Ok(())
    }

    /// Takes a note away, and puts one in its place if it is to be swept once more.
    pub async fn swept(&self, sweep: &Sweep, again: Option<Timestamp>) -> Result<()> {
        let mut writes = vec![Write::Delete(sweep.key(), Condition::None)];
        if let Some(due) = again {
            writes.push(Write::Put(Sweep { due, ..*sweep }.item()?, Condition::None));
        }
        Ok(self.table.write(writes, Durability::Crash).await?)
    }
}

/// Notes that the answers of this day, which are about to be kept as blobs, are to be removed once they are past their
/// time.
pub async fn note_answers(table: &dyn Table, day: Timestamp) -> Result<()> {
    let start = day.floor(DAY);
    let note = Sweep::later(Deleted::Answers(start), start, 2 * DAY + STRAGGLERS).item()?;
    Ok(table.write(vec![Write::Put(note, Condition::None)], Durability::Crash).await?)
}
