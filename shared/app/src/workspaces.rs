//! Workspaces.

use std::sync::Arc;

use domain::{Result, UserId, Workspace, WorkspaceId, limits, text};
use ports::Clock;
use store::quotas::{Counted, Quota};
use store::workspaces::not_found;
use store::{Listed, PageRequest, Store};

use crate::random::Random;
use crate::request;

/// The workspaces of users.
pub struct Workspaces {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Random,
    /// How many a user may have.
    pub(crate) most: u32,
}

impl Workspaces {
    /// Makes a workspace. 409 if the owner has one of this name, or as many as they may.
    pub async fn create(&self, owner: UserId, name: &str, description: Option<String>) -> Result<Workspace> {
        let now = self.clock.now();
        let id = self.random.workspace_id();
        if request::was_made() {
            return self.get(owner, id).await;
        }
        let workspace = Workspace {
            id,
            name_key: Some(text::name_key(name)),
            name: text::name(name).into_owned(),
            description,
            owner_id: owner,
            revision: 1,
            created_at: now,
            updated_at: now,
        };
        let quota = Quota { of: Counted::Workspaces, most: self.most };
        self.store.create_workspace(&workspace, quota, request::mark()).await?;
        Ok(workspace)
    }

    /// A user's workspaces, newest first.
    pub async fn list(&self, owner: UserId, page: PageRequest) -> Result<Listed<Workspace>> {
        /// Its ids, times and numbers, and the names of its fields.
        const REST: usize = 300;
        let size = |workspace: &Workspace| {
            REST + workspace.name.len() + workspace.description.as_ref().map_or(0, String::len)
        };
        Ok(self.store.workspaces(owner, page).await?.within(limits::PAGE_BYTES, size))
    }

    /// A user's workspace. 404 if it isn't there, or isn't theirs.
    pub async fn get(&self, caller: UserId, id: WorkspaceId) -> Result<Workspace> {
        let workspace = self.store.workspace(id).await?;
        workspace.filter(|workspace| workspace.owner_id == caller).ok_or_else(not_found)
    }

    /// Changes what is given. 409 if the new name is taken.
    pub async fn update(
        &self,
        caller: UserId,
        id: WorkspaceId,
        name: Option<&str>,
        description: Option<String>,
    ) -> Result<Workspace> {
        let before = self.get(caller, id).await?;
        let mut after = before.clone();
        if let Some(name) = name.map(text::name).filter(|name| *name != before.name) {
            after.name_key = Some(text::name_key(&name));
            after.name = name.into_owned();
        }
        if description.is_some() {
            after.description = description;
        }
        if after == before {
            return Ok(before);
        }
        after.revision += 1;
        after.updated_at = self.clock.now();
        self.store.update_workspace(&before, &after).await?;
        Ok(after)
    }

    /// Deletes a workspace and all in it: out of reach when this returns, swept after.
    pub async fn delete(&self, caller: UserId, id: WorkspaceId) -> Result<()> {
        let workspace = self.get(caller, id).await?;
        self.store.delete_workspace(&workspace, self.clock.now()).await
    }
}
