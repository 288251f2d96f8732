//! Workspaces and their auth keys.

use domain::{AuthKey, Error, KeyId, Result, Timestamp, UserId, Workspace, WorkspaceId};
use ports::{Check, Condition, Durability, Index, Item, Query, Sort, Write};

use crate::sweeps::{Deleted, Sweep};
use crate::{Listed, PageRequest, Store, conflict, items, keys, names};

/// What a caller hears of a workspace that isn't there, or isn't theirs.
pub fn not_found() -> Error {
    Error::not_found("Workspace", "WORKSPACE_NOT_FOUND")
}

impl Store {
    /// Stores a new workspace. 409 if its owner has one of this name.
    pub async fn create_workspace(&self, workspace: &Workspace) -> Result<()> {
        let mut writes = vec![
            Write::Put(workspace_item(workspace)?, Condition::Absent),
            Write::Put(claim(workspace), Condition::Absent),
        ];
        writes.extend(check_name(workspace, None));
        self.table.write(writes, Durability::Crash).await.map_err(|error| {
            conflict(error, |index| match index {
                0 => Error::internal("a workspace id was drawn twice"),
                _ => name_taken(&workspace.name),
            })
        })
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

    /// Puts a workspace and all its functions out of reach, and notes what is to be swept. 404 if it is gone already.
    ///
    /// First the workspace itself, so that nothing new can be made in it; then the functions there were.
    pub async fn delete_workspace(&self, workspace: &Workspace, now: Timestamp) -> Result<()> {
        let sweep = Sweep::new(Deleted::Workspace(workspace.id), now);
        let writes = vec![
            Write::Delete(keys::workspace(workspace.id), Condition::Present(vec![])),
            Write::Delete(claim(workspace).key, Condition::None),
            Write::Put(sweep.item()?, Condition::None),
        ];
        self.table
            .write(writes, Durability::Crash)
            .await
            .map_err(|error| conflict(error, |_| not_found()))?;
        self.delete_functions_of(workspace.id, now).await
    }

    /// Stores a new key. 404 if the workspace is gone.
    pub async fn create_auth_key(&self, key: &AuthKey) -> Result<()> {
        let mut item = items::item(keys::auth_key(key.workspace_id, key.id), key)?;
        item.gsi1 = Some(keys::auth_key_of_workspace(key.workspace_id, key.created_at, key.id));
        item.ttl = Some(key.expires_at.as_seconds() + 1);
        let writes = vec![
            Write::Check(keys::workspace(key.workspace_id), Condition::Present(vec![])),
            Write::Put(item, Condition::Absent),
        ];
        self.table.write(writes, Durability::Crash).await.map_err(|error| conflict(error, |_| not_found()))
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

    /// One key.
    pub async fn auth_key(&self, workspace: WorkspaceId, id: KeyId) -> Result<Option<AuthKey>> {
        self.get(&keys::auth_key(workspace, id)).await
    }

    /// Revokes a key, at once. 404 if there is none.
    pub async fn delete_auth_key(&self, workspace: WorkspaceId, id: KeyId) -> Result<()> {
        let write = Write::Delete(keys::auth_key(workspace, id), Condition::Present(vec![]));
        self.table
            .write(vec![write], Durability::Crash)
            .await
            .map_err(|error| conflict(error, |_| Error::not_found("Auth key", "AUTH_KEY_NOT_FOUND")))
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

fn name_taken(name: &str) -> Error {
    Error::conflict("WORKSPACE_NAME_TAKEN", format!("You already have a workspace named '{name}'"))
}

/// What a caller hears whose change met another's.
pub(crate) fn changed_meanwhile() -> Error {
    Error::conflict(
        "CHANGED_MEANWHILE",
        "Another request changed or deleted it at the same time. Read it again and retry",
    )
}
