//! What a delete leaves behind for the janitor. A delete puts things out of reach in one write; this is the note that
//! says what is still to be removed.

use domain::{FunctionId, Result, Timestamp, WorkspaceId};
use ports::{Condition, Durability, Index, Item, Query, Write};
use serde::{Deserialize, Serialize};

use crate::keys::{SHARDS, Scope};
use crate::{Store, items, keys};

/// A note.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Sweep {
    /// A function was deleted.
    Function {
        /// Which.
        id: FunctionId,
        /// When.
        deleted_at: Timestamp,
    },
    /// A workspace was deleted. Its functions have notes of their own.
    Workspace {
        /// Which.
        id: WorkspaceId,
        /// When.
        deleted_at: Timestamp,
    },
}

impl Sweep {
    /// When the delete was.
    pub fn deleted_at(&self) -> Timestamp {
        match self {
            Self::Function { deleted_at, .. } | Self::Workspace { deleted_at, .. } => *deleted_at,
        }
    }

    fn key(&self) -> ports::Key {
        match self {
            Self::Function { id, deleted_at } => keys::sweep(*deleted_at, &keys::function_partition(*id)),
            Self::Workspace { id, deleted_at } => keys::sweep(*deleted_at, &keys::workspace_partition(*id)),
        }
    }

    pub(crate) fn item(&self) -> Result<Item> {
        items::item(self.key(), self)
    }
}

/// How many jobs one look at a function removes before others get their turn.
const SOME: usize = 500;

impl Store {
    /// Up to `limit` notes, oldest first.
    pub async fn sweeps(&self, limit: usize) -> Result<Vec<Sweep>> {
        Ok(self.list(Query::partition(keys::SWEEP, limit)).await?.items)
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

    /// Takes a note away.
    pub async fn swept(&self, sweep: &Sweep) -> Result<()> {
        let write = Write::Delete(sweep.key(), Condition::None);
        Ok(self.table.write(vec![write], Durability::Crash).await?)
    }
}
