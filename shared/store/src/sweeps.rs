//! What a delete leaves behind for the janitor. A delete puts things out of reach in one write; this is the note that
//! says what is still to be removed.

use domain::{FunctionId, Result, Timestamp, WorkspaceId};
use ports::{Condition, Durability, Index, Item, Query, Write};
use serde::{Deserialize, Serialize};

use crate::keys::{SHARDS, Scope};
use crate::{Store, items, keys};

/// What was deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "lowercase")]
pub enum Deleted {
    /// A function.
    Function(FunctionId),
    /// A workspace. Its functions have notes of their own.
    Workspace(WorkspaceId),
}

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
}

impl Sweep {
    /// To be swept at once.
    pub(crate) fn new(what: Deleted, now: Timestamp) -> Self {
        Self { what, deleted_at: now, due: now }
    }

    fn key(&self) -> ports::Key {
        let what = match self.what {
            Deleted::Function(id) => keys::function_partition(id),
            Deleted::Workspace(id) => keys::workspace_partition(id),
        };
        keys::sweep(self.due, &what)
    }

    pub(crate) fn item(&self) -> Result<Item> {
        items::item(self.key(), self)
    }
}

/// How many jobs one look at a function removes before others get their turn.
const SOME: usize = 500;

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

    /// Removes what a deleted workspace left: keys, claims, counters.
    pub async fn sweep_workspace(&self, id: WorkspaceId, now: Timestamp) -> Result<()> {
        self.delete_functions_of(id, now).await?;
        let left = self.all(&keys::workspace_partition(id), "").await?;
        self.delete_all(left.into_iter().map(|item| item.key)).await?;
        self.sweep_metrics(Scope::Workspace(id)).await
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
