//! Workspaces and their auth keys.

use domain::{AuthKey, Error, KeyId, Result, Timestamp, UserId, Workspace, WorkspaceId};
use ports::{Check, Condition, Durability, Index, Item, Query, Sort, TableError, Write};

use crate::keys::Scope;
use crate::quotas::{self, Quota};
use crate::sweeps::Sweep;
use crate::{Listed, Mark, PageRequest, Store, conflict, items, keys, metrics, names};

/// What a caller hears of a workspace that isn't there, or isn't theirs.
pub fn not_found() -> Error {
    Error::not_found("Workspace", "WORKSPACE_NOT_FOUND")
}

/// What a caller hears of an auth key that isn't there.
pub fn key_not_found() -> Error {
    Error::not_found("Auth key", "AUTH_KEY_NOT_FOUND")
}

impl Store {
    /// Stores a new workspace. 409 if its owner has one of this name, or as many as they may.
    pub async fn create_workspace(&self, workspace: &Workspace, quota: Quota, mark: Mark) -> Result<()> {
        let mut writes = vec![
            Write::Put(workspace_item(workspace)?, Condition::Absent),
            Write::Put(claim(workspace), Condition::Absent),
            quota.one_more(workspace.owner_id),
        ];
        writes.extend(check_name(workspace, None));
        let marked = writes.len();
        writes.extend(mark);
        loop {
            match self.table.write(writes.clone(), Durability::Crash).await {
                Ok(()) => return Ok(()),
                Err(TableError::Condition { index: 2 }) => {
                    self.refused_by(quota, workspace.owner_id).await?;
                }
                Err(error) => {
                    return Err(conflict(error, |index| match index {
                        0 => Error::internal("a workspace id was drawn twice"),
                        index if index == marked => Error::key_in_use(),
                        _ => name_taken(&workspace.name),
                    }));
                }
            }
        }
    }

    /// Stores a changed workspace. 409 if its owner has another of this name, 404 if it is gone.
    pub async fn update_workspace(&self, before: &Workspace, after: &Workspace) -> Result<()> {
        let unchanged = Check::Equals("revision", before.revision.into());
        let mut writes = vec![Write::Put(workspace_item(after)?, Condition::Present(vec![unchanged]))];
        if held(before) != held(after) {
            writes.push(Write::Delete(claim(before).key, Condition::None));
            writes.push(Write::Put(claim(after), Condition::Absent));
            writes.extend(check_name(after, Some(&held(before))));
        }
        self.table.write(writes, Durability::Crash).await.map_err(|error| {
            conflict(error, |index| match index {
                0 => changed_meanwhile(),
                _ => name_taken(&after.name),
            })
        })
    }

    /// Gives a workspace whose name has this claim from earlier a claim of today, unless another workspace has that.
    pub(crate) async fn renew_workspace_name(&self, claim: &Item, id: WorkspaceId) -> Result<()> {
        let Some(key) = claim.key.sk.strip_prefix(keys::WORKSPACE_NAME_PREFIX).and_then(names::renewed)
        else {
            return Ok(());
        };
        let Some(before) = self.workspace(id).await?.filter(|before| before.name_key.is_none()) else {
            return Ok(());
        };
        let after = Workspace { name_key: Some(key), revision: before.revision + 1, ..before.clone() };
        match self.update_workspace(&before, &after).await {
            Err(error) if error.code == NAME_TAKEN => Ok(()),
            other => other,
        }
    }

    /// The workspace with this id.
    pub async fn workspace(&self, id: WorkspaceId) -> Result<Option<Workspace>> {
        self.get(&keys::workspace(id)).await
    }

    /// A user's workspaces, newest first.
    pub async fn workspaces(&self, owner: UserId, page: PageRequest) -> Result<Listed<Workspace>> {
        self.list_all(Query {
            index: Index::Gsi1,
            partition: keys::user_partition(owner),
            sort: Sort::Prefix(keys::WORKSPACE_PREFIX.into()),
            descending: true,
            limit: page.limit,
            after: page.after,
        })
        .await
    }

    /// Puts a workspace out of reach, and so all that is in it, in one write; notes what is to be swept. 404 if it is gone
    /// already.
    pub async fn delete_workspace(&self, workspace: &Workspace, now: Timestamp) -> Result<()> {
        let sweep = Sweep::of_workspace(workspace.id, workspace.owner_id, now).item()?;
        let counters = keys::total(Scope::Workspace(workspace.id), 0);
        let mut workspace = workspace.clone();
        // Others change it, and make and delete functions in it, meanwhile; but not without end.
        for _ in 0..16 {
            let functions = self.table.get(&counters).await?.as_ref().map(metrics::functions_of);
            let still = match functions {
                None => Condition::Absent,
                // One that has never had any has no such counter.
                Some(0) => Condition::Present(vec![Check::LessOrMissing(metrics::FUNCTIONS, 1)]),
                Some(n) => Condition::Present(vec![Check::Equals(metrics::FUNCTIONS, n.into())]),
            };
            let unchanged = Check::Equals("revision", workspace.revision.into());
            let writes = vec![
                Write::Delete(keys::workspace(workspace.id), Condition::Present(vec![unchanged])),
                Write::Delete(claim(&workspace).key, Condition::None),
                Write::Put(sweep.clone(), Condition::None),
                Write::Check(counters.clone(), still),
                quotas::one_workspace_fewer(workspace.owner_id, workspace.id, functions.unwrap_or(0)),
            ];
            match self.table.write(writes, Durability::Crash).await {
                Err(TableError::Condition { index: 0 }) => {
                    workspace = self.workspace(workspace.id).await?.ok_or_else(not_found)?;
                }
                Err(TableError::Condition { index: 3 }) => {}
                Err(TableError::Condition { .. }) => drop(self.count_once(workspace.owner_id).await?),
                other => return Ok(other?),
            }
        }
        Err(changed_meanwhile())
    }

    /// Stores a new key. 404 if the workspace is gone.
    pub async fn create_auth_key(&self, key: &AuthKey, mark: Mark) -> Result<()> {
        let mut item = items::item(keys::auth_key(key.workspace_id, key.id), key)?;
        item.gsi1 = Some(keys::auth_key_of_workspace(key.workspace_id, key.created_at, key.id));
        item.ttl = Some(key.expires_at.as_seconds() + 1);
        let mut writes = vec![
            Write::Check(keys::workspace(key.workspace_id), Condition::Present(vec![])),
            Write::Put(item, Condition::Absent),
        ];
        writes.extend(mark);
        self.table.write(writes, Durability::Crash).await.map_err(|error| {
            conflict(error, |index| match index {
                0 => not_found(),
                1 => Error::internal("a key id was drawn twice"),
                _ => Error::key_in_use(),
            })
        })
    }

    /// A workspace's keys, newest first.
    pub async fn auth_keys(&self, workspace: WorkspaceId, page: PageRequest) -> Result<Listed<AuthKey>> {
        self.list_all(Query {
            index: Index::Gsi1,
            partition: keys::workspace_partition(workspace),
            sort: Sort::Prefix(keys::KEY_PREFIX.into()),
            descending: true,
            limit: page.limit,
            after: page.after,
        })
        .await
    }

    /// One key, if its workspace is there.
    pub async fn auth_key(&self, workspace: WorkspaceId, id: KeyId) -> Result<Option<AuthKey>> {
        let places = [keys::workspace(workspace), keys::auth_key(workspace, id)];
        let mut found = self.table.get_many(&places).await?.into_iter();
        let home = found.next().flatten();
        home.and(found.next().flatten()).map(items::read).transpose()
    }

    /// Revokes a key, at once. 404 if there is none.
    pub async fn delete_auth_key(&self, workspace: WorkspaceId, id: KeyId) -> Result<()> {
        let write = Write::Delete(keys::auth_key(workspace, id), Condition::Present(vec![]));
        self.table
            .write(vec![write], Durability::Crash)
            .await
            .map_err(|error| conflict(error, |_| key_not_found()))
    }
}

fn held(workspace: &Workspace) -> String {
    names::held(&workspace.name, workspace.name_key.as_deref())
}

fn check_name(workspace: &Workspace, own: Option<&str>) -> Option<Write> {
    names::check(|name| keys::workspace_name(workspace.owner_id, name), &workspace.name, own)
}

fn claim(workspace: &Workspace) -> Item {
    let mut item = Item::new(keys::workspace_name(workspace.owner_id, &held(workspace)));
    item.attributes.insert("workspace_id".into(), workspace.id.to_string().into());
    item
}

fn workspace_item(workspace: &Workspace) -> Result<Item> {
    let mut item = items::item(keys::workspace(workspace.id), workspace)?;
    item.gsi1 = Some(keys::workspace_of_user(workspace.owner_id, workspace.created_at, workspace.id));
    Ok(item)
}

const NAME_TAKEN: &str = "WORKSPACE_NAME_TAKEN";

fn name_taken(name: &str) -> Error {
    Error::conflict(NAME_TAKEN, format!("You already have a workspace named '{name}'"))
}

/// What a caller hears whose change met another's.
pub(crate) fn changed_meanwhile() -> Error {
    Error::conflict(
        "CHANGED_MEANWHILE",
        "Another request changed or deleted it at the same time. Read it again and retry",
    )
}
