//! Functions and their versions.

use std::sync::Arc;

use domain::{Error, Function, FunctionId, Result, Status, Timestamp, UserId, Version, WorkspaceId};
use ports::{Change, Check, Condition, Durability, Index, Item, Query, Sort, TableError, Write};

use crate::keys::Scope;
use crate::sweeps::{Deleted, Sweep};
use crate::workspaces::changed_meanwhile;
use crate::{Listed, PageRequest, Read, Store, items, keys, metrics, names, workspaces};

/// What a caller hears of a function that isn't there, or isn't theirs.
pub fn not_found() -> Error {
    Error::not_found("Function", "FUNCTION_NOT_FOUND")
}

/// Which claim of a new or changed function was taken already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Its name.
    Name,
    /// Its endpoint.
    Endpoint,
}

/// What came of storing a new or changed function.
pub type Stored = Result<std::result::Result<(), Taken>>;

impl Store {
    /// Stores a new function with its first version. 404 if its workspace is gone.
    pub async fn create_function(&self, function: &Function) -> Stored {
        let count = Write::Update(
            keys::total(Scope::Workspace(function.workspace_id), 0),
            vec![Change::Add(metrics::FUNCTIONS.into(), 1)],
            Condition::None,
        );
        let mut writes = vec![
            Write::Check(keys::workspace(function.workspace_id), Condition::Present(vec![])),
            Write::Put(name_claim(function), Condition::Absent),
            Write::Put(endpoint_claim(function), Condition::Absent),
            Write::Put(function_item(function)?, Condition::Absent),
            Write::Put(version_item(&function.current)?, Condition::Absent),
            count,
        ];
        let name_check = writes.len();
        writes.extend(check_name(function, None));
        match self.table.write(writes, Durability::Crash).await {
            Ok(()) => Ok(Ok(())),
            Err(TableError::Condition { index: 0 }) => Err(workspaces::not_found()),
            Err(TableError::Condition { index: 1 }) => Ok(Err(Taken::Name)),
            Err(TableError::Condition { index: 2 }) => Ok(Err(Taken::Endpoint)),
            Err(TableError::Condition { index }) if index == name_check => Ok(Err(Taken::Name)),
            Err(error) => Err(error.into()),
        }
    }

    /// Stores a changed function, and its new version if it has one. 409 if it was changed meanwhile.
    pub async fn update_function(&self, before: &Function, after: &Function) -> Stored {
        let unchanged = Check::Equals("revision", before.revision.into());
        let mut writes = Vec::new();
        let mut taken = Vec::new();
        if held(before) != held(after) {
            writes.push(Write::Put(name_claim(after), Condition::Absent));
            taken.push(Taken::Name);
            if let Some(check) = check_name(after, Some(&held(before))) {
                writes.push(check);
                taken.push(Taken::Name);
            }
        }
        if before.endpoint != after.endpoint {
            writes.push(Write::Put(endpoint_claim(after), Condition::Absent));
            taken.push(Taken::Endpoint);
        }
        if held(before) != held(after) {
            writes.push(Write::Delete(name_claim(before).key, Condition::None));
        }
        if before.endpoint != after.endpoint {
            writes.push(Write::Delete(endpoint_claim(before).key, Condition::None));
        }
        if after.latest_version > before.latest_version {
            writes.push(Write::Put(version_item(&after.current)?, Condition::Absent));
        }
        writes.push(Write::Put(function_item(after)?, Condition::Present(vec![unchanged])));
        match self.table.write(writes, Durability::Crash).await {
            Ok(()) => Ok(Ok(())),
            Err(TableError::Condition { index }) => match taken.get(index) {
                Some(&what) => Ok(Err(what)),
                None => Err(changed_meanwhile()),
            },
            Err(error) => Err(error.into()),
        }
    }

    /// Notes how the deployment of a function went, unless it was changed or deleted meanwhile.
    pub async fn set_deployed(&self, function: &Function) -> Result<()> {
        let unchanged = Check::Equals("revision", function.revision.into());
        let write = Write::Put(function_item(function)?, Condition::Present(vec![unchanged]));
        match self.table.write(vec![write], Durability::Crash).await {
            Err(TableError::Condition { .. }) => Ok(()),
            other => Ok(other?),
        }
    }

    /// The function with this id.
    pub async fn function(&self, id: FunctionId) -> Result<Option<Function>> {
        let Some(record) = self.table.get_shared(&keys::function(id)).await? else { return Ok(None) };
        if let Some(known) = self.functions.get(&id).filter(|known| Arc::ptr_eq(&known.record, &record)) {
            return Ok(Some((*known.function).clone()));
        }
        // A table that makes each item anew gives nobody else a hold of it: it would never be known again.
        let record = match Arc::try_unwrap(record) {
            Ok(only) => return items::read(only).map(Some),
            Err(kept) => kept,
        };
        let function: Function = items::read((*record).clone())?;
        self.functions.insert(id, Read { record, function: Arc::new(function.clone()) });
        Ok(Some(function))
    }

    /// The function with this id, and the auth key that someone claims to have for its workspace: one read.
    pub async fn function_and_key(
        &self,
        id: FunctionId,
        workspace: WorkspaceId,
        key: domain::KeyId,
    ) -> Result<(Option<Function>, Option<domain::AuthKey>)> {
        let mut found =
            self.table.get_many(&[keys::function(id), keys::auth_key(workspace, key)]).await?.into_iter();
        let function = found.next().flatten().map(items::read).transpose()?;
        let key = found.next().flatten().map(items::read).transpose()?;
        Ok((function, key))
    }

    /// The id of the function behind an endpoint.
    pub async fn function_at(&self, workspace: WorkspaceId, endpoint: &str) -> Result<Option<FunctionId>> {
        match self.table.get(&keys::endpoint(workspace, endpoint)).await? {
            Some(item) => Ok(Some(function_id(&item)?)),
            None => Ok(None),
        }
    }

    /// A workspace's functions, newest first.
    pub async fn functions_of_workspace(
        &self,
        workspace: WorkspaceId,
        page: PageRequest,
    ) -> Result<Listed<Function>> {
        self.functions(Index::Gsi1, keys::workspace_partition(workspace), page).await
    }

    /// A user's functions in all workspaces, newest first.
    pub async fn functions_of_user(&self, owner: UserId, page: PageRequest) -> Result<Listed<Function>> {
        self.functions(Index::Gsi2, keys::user_partition(owner), page).await
    }

    async fn functions(
        &self,
        index: Index,
        partition: String,
        page: PageRequest,
    ) -> Result<Listed<Function>> {
        self.list_all(Query {
            index,
            partition,
            sort: Sort::Prefix(keys::FUNCTION_PREFIX.into()),
            descending: true,
            limit: page.limit,
            after: page.after,
        })
        .await
    }

    /// One version.
    pub async fn version(&self, function: FunctionId, version: u32) -> Result<Option<Version>> {
        self.get(&keys::version(function, version)).await
    }

    /// A function's versions, newest first.
    pub async fn versions(&self, function: FunctionId, page: PageRequest) -> Result<Listed<Version>> {
        self.list(Query {
            partition: keys::function_partition(function),
            sort: Sort::Prefix(keys::VERSION_PREFIX.into()),
            descending: true,
            limit: page.limit,
            after: page.after,
            ..Query::default()
        })
        .await
    }

    /// Puts a function out of reach, and notes what is to be swept. 404 if it is gone already, 409 if it was changed
    /// meanwhile.
    pub async fn delete_function(&self, function: &Function, now: Timestamp) -> Result<()> {
        let unchanged = Check::Equals("revision", function.revision.into());
        let writes = vec![
            Write::Delete(keys::function(function.id), Condition::Present(vec![unchanged])),
            Write::Delete(name_claim(function).key, Condition::None),
            Write::Delete(endpoint_claim(function).key, Condition::None),
            Write::Put(Sweep::new(Deleted::Function(function.id), now).item()?, Condition::None),
            Write::Update(
                keys::total(Scope::Workspace(function.workspace_id), 0),
                vec![Change::Add(metrics::FUNCTIONS.into(), -1)],
                Condition::None,
            ),
        ];
        match self.table.write(writes, Durability::Crash).await {
            Err(TableError::Condition { .. }) => match self.function(function.id).await? {
                Some(_) => Err(changed_meanwhile()),
                None => Err(not_found()),
            },
            other => Ok(other?),
        }
    }

    /// Puts all functions of a (deleted) workspace out of reach. The claims to their names say which there are: unlike
    /// an index, those are never behind.
    pub async fn delete_functions_of(&self, workspace: WorkspaceId, now: Timestamp) -> Result<()> {
        let partition = keys::workspace_partition(workspace);
        let claims = self.all(&partition, keys::NAME_PREFIX).await?;
        for some in claims.chunks(ports::table::MAX_WRITES / 2) {
            let mut writes = Vec::new();
            for claim in some {
                let id = function_id(claim)?;
                writes.push(Write::Delete(keys::function(id), Condition::None));
                writes.push(Write::Put(Sweep::new(Deleted::Function(id), now).item()?, Condition::None));
            }
            self.table.write(writes, Durability::Crash).await?;
        }
        Ok(())
    }
}

fn function_id(item: &Item) -> Result<FunctionId> {
    items::text(item, "function_id")?.parse().map_err(Error::internal)
}

fn name_claim(function: &Function) -> Item {
    claim(keys::function_name(function.workspace_id, &held(function)), function)
}

fn held(function: &Function) -> String {
    names::held(&function.name, function.name_key.as_deref())
}

fn check_name(function: &Function, own: Option<&str>) -> Option<Write> {
    names::check(|name| keys::function_name(function.workspace_id, name), &function.name, own)
}

fn endpoint_claim(function: &Function) -> Item {
    claim(keys::endpoint(function.workspace_id, &function.endpoint), function)
}

fn claim(key: ports::Key, function: &Function) -> Item {
    let mut item = Item::new(key);
    item.attributes.insert("function_id".into(), function.id.to_string().into());
    item
}

fn function_item(function: &Function) -> Result<Item> {
    let mut item = items::item(keys::function(function.id), function)?;
    item.gsi1 = Some(keys::function_of_workspace(function.workspace_id, function.created_at, function.id));
    item.gsi2 = Some(keys::function_of_user(function.owner_id, function.created_at, function.id));
    Ok(item)
}

fn version_item(version: &Version) -> Result<Item> {
    items::item(keys::version(version.function_id, version.version), version)
}

/// Whether an invocation may begin: only what its owner switched off may not, since the runtime makes up for a
/// deployment that failed or was cut short.
pub fn is_invocable(function: &Function) -> bool {
    function.status != Status::Disabled
}
