//! How much of everything a user has: counted in the write that makes or deletes it, so that no two requests at once get
//! past a quota.

use domain::{Error, Result, UserId, WorkspaceId};
use ports::{Change, Check, Condition, Durability, Item, Write};

use crate::keys::Scope;
use crate::{Store, items, keys, metrics};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Workspaces.
    Workspaces,
    /// Functions, in all workspaces.
    Functions,
}

impl Counted {
    fn name(self) -> &'static str {
        match self {
            Self::Workspaces => "workspaces",
            Self::Functions => "functions",
        }
    }
}

/// The most of something that a user may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Of what.
    pub of: Counted,
    /// How many.
    pub most: u32,
}

impl Quota {
    /// The write that goes with the one that makes another.
    pub(crate) fn one_more(self, owner: UserId) -> Write {
        let name = self.of.name();
        let room = Condition::Present(vec![Check::LessOrMissing(name, self.most.into())]);
        Write::Update(keys::quota(owner), vec![Change::Add(name.into(), 1)], room)
    }

    fn exceeded(self) -> Error {
        let Self { of, most } = self;
        Error::conflict(
            "QUOTA_EXCEEDED",
            format!("You have {most} {} already, which is the most that one user may have", of.name()),
        )
    }
}

/// The write that goes with the one that deletes a function.
pub(crate) fn one_function_fewer(owner: UserId) -> Write {
    let less = Change::Add(Counted::Functions.name().into(), -1);
    Write::Update(keys::quota(owner), vec![less], Condition::Present(vec![]))
}

/// The write that goes with the one that deletes a workspace and so many functions in it. Until these are removed, a mark
/// here says that they are out of reach: their owner's requests read it with the function.
pub(crate) fn one_workspace_fewer(owner: UserId, workspace: WorkspaceId, functions: i64) -> Write {
    let mut changes = vec![Change::Add(Counted::Workspaces.name().into(), -1)];
    if functions > 0 {
        changes.push(Change::Add(Counted::Functions.name().into(), -functions));
        changes.push(Change::Set(gone(workspace), 1.into()));
    }
    Write::Update(keys::quota(owner), changes, Condition::Present(vec![]))
}

/// Takes that mark away: nothing of the workspace can be read any more.
pub(crate) fn forget(owner: UserId, workspace: WorkspaceId) -> Write {
    Write::Update(keys::quota(owner), vec![Change::Remove(gone(workspace))], Condition::Present(vec![]))
}

fn gone(workspace: WorkspaceId) -> String {
    format!("gone.{}", workspace.0.simple())
}

/// Whether a workspace was deleted of which functions may still be there.
pub(crate) fn is_gone(counts: &Item, workspace: WorkspaceId) -> bool {
    counts.attributes.len() > 2 && counts.attributes.contains_key(&gone(workspace))
}

/// The item that says how much a user has.
pub(crate) fn counts(owner: UserId, workspaces: i64, functions: i64) -> Item {
    let mut item = Item::new(keys::quota(owner));
    item.attributes.insert(Counted::Workspaces.name().into(), workspaces.into());
    item.attributes.insert(Counted::Functions.name().into(), functions.into());
    item
}

impl Store {
    /// After a write was refused because of a user's counts: counts what a user of an earlier version has, or says that the
    /// quota is used up.
    pub(crate) async fn refused_by(&self, quota: Quota, owner: UserId) -> Result<()> {
        match self.count_once(owner).await? {
            true => Ok(()),
            false => Err(quota.exceeded()),
        }
    }

    /// Counts what a user of an earlier version has, unless that has been done, and renews the claims to its names. Nothing
    /// of theirs is made or deleted before it has. Whether it was to be done.
    pub async fn count_once(&self, owner: UserId) -> Result<bool> {
        let key = keys::quota(owner);
        if self.table.get(&key).await?.is_some() {
            return Ok(false);
        }
        let mut workspaces = Vec::new();
        for claim in self.all(&keys::user_partition(owner), keys::WORKSPACE_NAME_PREFIX).await? {
            let id = items::text(&claim, "workspace_id")?.parse().map_err(Error::internal)?;
            self.renew_workspace_name(&claim, id).await?;
            self.renew_function_names(id).await?;
            workspaces.push(id);
        }
        let totals: Vec<_> = workspaces.iter().map(|&id| keys::total(Scope::Workspace(id), 0)).collect();
        let totals = self.table.get_many(&totals).await?;
        let functions: i64 = totals.iter().flatten().map(metrics::functions_of).sum();
        let item = counts(owner, i64::try_from(workspaces.len()).unwrap_or(i64::MAX), functions);
        // Another that counted first has counted the same.
        let counted = self.table.write(vec![Write::Put(item, Condition::Absent)], Durability::Crash).await;
        match counted {
            Ok(()) | Err(ports::TableError::Condition { .. }) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }
}
