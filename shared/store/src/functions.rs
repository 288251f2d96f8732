//! Functions and their versions.

use std::sync::Arc;

use domain::{Error, Function, FunctionId, Result, Status, Timestamp, UserId, Version, WorkspaceId};
use ports::{Change, Check, Condition, Durability, Index, Item, Key, Query, Sort, TableError, Write};

use crate::keys::Scope;
use crate::quotas::{self, Quota};
use crate::sweeps::{Deleted, STRAGGLERS, Sweep};
use crate::uploads::Upload;
use crate::workspaces::changed_meanwhile;
use crate::{Listed, Mark, PageRequest, Read, Store, items, keys, metrics, names, workspaces};

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

/// Why code that took so long to be stored can't be named any more: the janitor has removed it.
const TOO_LATE: &str = "the upload of the code was given up";

/// What came of storing a new or changed function.
pub type Stored = Result<std::result::Result<(), Taken>>;

impl Store {
    /// Stores a new function with its first version, whose code has been uploaded. 404 if its workspace is gone, 409 if its
    /// owner has as many as they may.
    pub async fn create_function(
        &self,
        function: &Function,
        code: &Upload,
        quota: Quota,
        mark: Mark,
    ) -> Stored {
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
            quota.one_more(function.owner_id),
            code.claimed(),
        ];
        let name_check = writes.len();
        writes.extend(check_name(function, None));
        let marked = writes.len();
        writes.extend(mark);
        loop {
            match self.table.write(writes.clone(), Durability::Crash).await {
                Ok(()) => return Ok(Ok(())),
                Err(TableError::Condition { index: 0 }) => return Err(workspaces::not_found()),
                Err(TableError::Condition { index: 1 }) => return Ok(Err(Taken::Name)),
                Err(TableError::Condition { index: 2 }) => return Ok(Err(Taken::Endpoint)),
                Err(TableError::Condition { index: 6 }) => {
                    self.refused_by(quota, function.owner_id).await?;
                }
                Err(TableError::Condition { index: 7 }) => return Err(Error::unavailable(TOO_LATE)),
                Err(TableError::Condition { index }) if index == marked => return Err(Error::key_in_use()),
                Err(TableError::Condition { index }) if index == name_check => return Ok(Err(Taken::Name)),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Stores a changed function, and its new version, whose code has been uploaded, if it has one. 404 if its workspace is
    /// gone, 409 if it was changed meanwhile.
    pub async fn update_function(
        &self,
        before: &Function,
        after: &Function,
        code: Option<&Upload>,
        mark: Mark,
    ) -> Stored {
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
        for version in before.oldest_version..after.oldest_version {
            // Not at once: an invocation that has read the function with it may not have recorded its job yet.
            let what = Deleted::Version(after.id, version);
            writes
                .push(Write::Put(Sweep::later(what, after.updated_at, STRAGGLERS).item()?, Condition::None));
        }
        writes.push(Write::Put(function_item(after)?, Condition::Present(vec![unchanged])));
        let home = writes.len();
        writes.push(Write::Check(keys::workspace(after.workspace_id), Condition::Present(vec![])));
        let marked = mark.is_some().then_some(writes.len());
        writes.extend(mark);
        let claimed = code.map(|_| writes.len());
        writes.extend(code.map(Upload::claimed));
        match self.table.write(writes, Durability::Crash).await {
            Ok(()) => Ok(Ok(())),
            Err(TableError::Condition { index }) => match taken.get(index) {
                Some(&what) => Ok(Err(what)),
                None if index == home => Err(not_found()),
                None if Some(index) == marked => Err(Error::key_in_use()),
                None if Some(index) == claimed => Err(Error::unavailable(TOO_LATE)),
                None => Err(changed_meanwhile()),
            },
            Err(error) => Err(error.into()),
        }
    }

    /// Gives the functions of a workspace whose names have claims from earlier claims of today, unless other functions have
    /// those.
    pub(crate) async fn renew_function_names(&self, workspace: WorkspaceId) -> Result<()> {
        for claim in self.all(&keys::workspace_partition(workspace), keys::NAME_PREFIX).await? {
            let Some(key) = claim.key.sk.strip_prefix(keys::NAME_PREFIX).and_then(names::renewed) else {
                continue;
            };
            let before: Option<Function> = self.get(&keys::function(function_id(&claim)?)).await?;
            let Some(before) = before.filter(|before| before.name_key.is_none()) else { continue };
            let after = Function { name_key: Some(key), revision: before.revision + 1, ..before.clone() };
            // Where the name is taken the old claim stays.
            let _taken = self.update_function(&before, &after, None, None).await?;
        }
        Ok(())
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

    /// A user's function, if its workspace is there: one read.
    pub async fn function_of_user(&self, owner: UserId, id: FunctionId) -> Result<Option<Function>> {
        let mut found = self.table.get_many_shared(&[keys::function(id), keys::quota(owner)]).await?;
        let counts = found.pop().flatten();
        let Some(record) = found.pop().flatten() else { return Ok(None) };
        let function = self.read_function(id, record)?;
        let gone = counts.is_some_and(|counts| quotas::is_gone(&counts, function.workspace_id));
        Ok(Some(function).filter(|function| function.owner_id == owner && !gone))
    }

    /// A function of this workspace, if that is there: one read.
    pub async fn function_in(&self, workspace: WorkspaceId, id: FunctionId) -> Result<Option<Function>> {
        Ok(self.function_and(workspace, id, None).await?.0)
    }

    /// Likewise, and the auth key that someone claims to have for some workspace: one read.
    pub async fn function_and_key(
        &self,
        workspace: WorkspaceId,
        id: FunctionId,
        (of, key): (WorkspaceId, domain::KeyId),
    ) -> Result<(Option<Function>, Option<domain::AuthKey>)> {
        let (function, key) = self.function_and(workspace, id, Some(keys::auth_key(of, key))).await?;
        Ok((function, key.map(|item| items::read(Arc::unwrap_or_clone(item))).transpose()?))
    }

    async fn function_and(
        &self,
        workspace: WorkspaceId,
        id: FunctionId,
        more: Option<Key>,
    ) -> Result<(Option<Function>, Option<Arc<Item>>)> {
        let mut keys = vec![keys::function(id), keys::workspace(workspace)];
        keys.extend(more);
        let mut found = self.table.get_many_shared(&keys).await?.into_iter();
        let (record, home, more) = (found.next().flatten(), found.next().flatten(), found.next().flatten());
        let (Some(record), Some(_)) = (record, home) else { return Ok((None, more)) };
        let function = Some(self.read_function(id, record)?);
        Ok((function.filter(|function| function.workspace_id == workspace), more))
    }

    fn read_function(&self, id: FunctionId, record: Arc<Item>) -> Result<Function> {
        if let Some(known) = self.functions.get(&id).filter(|known| Arc::ptr_eq(&known.record, &record)) {
            return Ok((*known.function).clone());
        }
        // A table that makes each item anew gives nobody else a hold of it: it would never be known again.
        let record = match Arc::try_unwrap(record) {
            Ok(only) => return items::read(only),
            Err(kept) => kept,
        };
        let function: Function = items::read((*record).clone())?;
        self.functions.insert(id, Read { record, function: Arc::new(function.clone()) });
        Ok(function)
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
        let listed = self.functions(Index::Gsi2, keys::user_partition(owner), page).await?;
        // Those of a workspace that was deleted are listed until they are swept.
        let Some(counts) = self.table.get_shared(&keys::quota(owner)).await? else { return Ok(listed) };
        Ok(listed.only(|function| !quotas::is_gone(&counts, function.workspace_id)))
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

    /// The versions of a function that are kept, newest first.
    pub async fn versions(&self, function: &Function, page: PageRequest) -> Result<Listed<Version>> {
        let place = |version| keys::version(function.id, version).sk;
        self.list(Query {
            partition: keys::function_partition(function.id),
            sort: Sort::Between(place(function.oldest_version), place(function.latest_version)),
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
            // Its functions were counted off with it.
            Write::Check(keys::workspace(function.workspace_id), Condition::Present(vec![])),
            quotas::one_function_fewer(function.owner_id),
        ];
        loop {
            match self.table.write(writes.clone(), Durability::Crash).await {
                Err(TableError::Condition { index: 6 }) => drop(self.count_once(function.owner_id).await?),
                Err(TableError::Condition { .. }) => {
                    return match self.function_in(function.workspace_id, function.id).await? {
                        Some(_) => Err(changed_meanwhile()),
                        None => Err(not_found()),
                    };
                }
                other => return Ok(other?),
            }
        }
    }

    /// Removes the records of all functions of a deleted workspace, and notes what else is to be swept; whether there were
    /// any. The claims to their names say which there are: unlike an index, those are never behind.
    pub async fn delete_functions_of(&self, workspace: WorkspaceId, now: Timestamp) -> Result<bool> {
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
        Ok(!claims.is_empty())
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
