//! Saving functions.

mod versions;

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::function::{CodeFault, endpoint_from_name};
use domain::{
    Error, ExecutionType, Fault, Function, FunctionId, Language, Result, Settings, Status, UserId,
    WorkspaceId, limits, text,
};
use ports::{Clock, Runtime};
use store::functions::{Taken, not_found};
use store::quotas::{Counted, Quota};
use store::uploads::Upload;
use store::workspaces::not_found as workspace_not_found;
use store::{Listed, PageRequest, Store};

use crate::code::{Code, at_fault};
use crate::random::Random;
use crate::workspaces::Workspaces;
use crate::{environment, request};

/// A function to be. Shapes have been checked.
#[derive(Clone, Debug)]
pub struct NewFunction {
    /// Where.
    pub workspace_id: WorkspaceId,
    /// Its name.
    pub name: String,
    /// The description.
    pub description: String,
    /// The language.
    pub language: Language,
    /// Its source.
    pub code: String,
    /// Whether callers wait.
    pub execution_type: ExecutionType,
    /// Its endpoint; made from the name where absent.
    pub endpoint: Option<String>,
    /// Whether its HTTP trigger answers without a key.
    pub public: bool,
    /// The methods its HTTP trigger answers to; all where absent.
    pub http_methods: Option<Vec<String>>,
    /// What to call its runtime, if the caller said.
    pub runtime_label: Option<String>,
    /// What it runs with.
    pub settings: Settings,
}

/// What is to change of a function; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct FunctionChanges {
    /// Its name.
    pub name: Option<String>,
    /// The description.
    pub description: Option<String>,
    /// The language.
    pub language: Option<Language>,
    /// Its source.
    pub code: Option<String>,
    /// Whether callers wait.
    pub execution_type: Option<ExecutionType>,
    /// Its endpoint.
    pub endpoint: Option<String>,
    /// Whether its HTTP trigger answers without a key.
    pub public: Option<bool>,
    /// The methods its HTTP trigger answers to.
    pub http_methods: Option<Vec<String>>,
    /// What to call its runtime.
    pub runtime_label: Option<String>,
    /// On or off.
    pub disabled: Option<bool>,
    /// Memory in MiB.
    pub memory_mb: Option<u32>,
    /// Timeout in seconds.
    pub timeout_seconds: Option<u32>,
    /// All its environment variables. [`environment::MASK`] stands for the value that is stored, if there is one.
    pub environment: Option<BTreeMap<String, String>>,
    /// How often a job is run in all while the user's code fails.
    pub max_attempts: Option<u32>,
}

/// The functions of users, with their versions.
pub struct Functions {
    pub(crate) store: Store,
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Random,
    pub(crate) code: Code,
    pub(crate) workspaces: Arc<Workspaces>,
    /// How many a user may have.
    pub(crate) most: u32,
    /// How many versions are kept of each.
    pub(crate) most_versions: u32,
}

impl Functions {
    /// Saves a new function and makes it ready to run. 404 if the workspace isn't the caller's, 409 if the name or the
    /// endpoint is taken or the caller has as many functions as they may, 422 if the code can't run.
    pub async fn create(&self, caller: UserId, new: NewFunction) -> Result<Function> {
        let workspace = self.store.workspace(new.workspace_id).await?;
        let mine = workspace.is_some_and(|workspace| workspace.owner_id == caller);
        if !mine {
            return Err(workspace_not_found());
        }
        let id = self.random.function_id();
        if request::was_made() {
            let function = self.get(caller, id).await?;
            return match function.status {
                Status::Pending => self.deploy_new(function).await,
                _ => Ok(function),
            };
        }
        let mut faults = environment::faults(&new.settings.environment);
        let source = self.code.check(caller, new.language, new.code, &mut faults).await?;
        let source = source.filter(|_| faults.is_empty()).ok_or_else(|| Error::invalid(faults))?;
        let (current, upload) = self.code.save(id, 1, source).await?;
        let now = current.created_at;
        let chosen = new.endpoint.is_some();
        let endpoint =
            new.endpoint.or_else(|| endpoint_from_name(&new.name)).unwrap_or_else(|| fallback("/f", id));
        let mut function = Function {
            id,
            workspace_id: new.workspace_id,
            owner_id: caller,
            name_key: Some(text::name_key(&new.name)),
            name: text::name(&new.name).into_owned(),
            description: new.description,
            execution_type: new.execution_type,
            endpoint,
            public: new.public,
            http_methods: new.http_methods,
            runtime_label: new.runtime_label,
            status: Status::Pending,
            status_reason: None,
            settings: new.settings,
            current,
            latest_version: 1,
            oldest_version: 1,
            revision: 1,
            created_at: now,
            updated_at: now,
            deployed_at: None,
        };
        let quota = Quota { of: Counted::Functions, most: self.most };
        let mut stored = self.store.create_function(&function, &upload, quota, request::mark()).await;
        if matches!(stored, Ok(Err(Taken::Endpoint))) && !chosen {
            function.endpoint = fallback(&function.endpoint, id);
            stored = self.store.create_function(&function, &upload, quota, request::mark()).await;
        }
        self.settle(stored, Some(&upload), &function).await?;
        self.deploy_new(function).await
    }

    /// What a caller hears of storing a function; what was uploaded for nothing is given up.
    async fn settle(
        &self,
        stored: std::result::Result<std::result::Result<(), Taken>, Error>,
        upload: Option<&Upload>,
        function: &Function,
    ) -> Result<()> {
        let stored = stored.and_then(|stored| stored.map_err(|taken| conflict(taken, function)));
        if let (Err(_), Some(upload)) = (&stored, upload) {
            self.store.abandon(upload).await;
        }
        stored
    }

    /// A function of a user's workspace. 404 if it isn't there, isn't theirs, or is in another workspace.
    pub async fn get_in(&self, caller: UserId, workspace: WorkspaceId, id: FunctionId) -> Result<Function> {
        let function = self.get(caller, id).await?;
        Some(function).filter(|function| function.workspace_id == workspace).ok_or_else(not_found)
    }

    /// A user's function. 404 if it isn't there, or isn't theirs.
    pub async fn get(&self, caller: UserId, id: FunctionId) -> Result<Function> {
        self.store.function_of_user(caller, id).await?.ok_or_else(not_found)
    }

    /// A user's functions in all workspaces, newest first.
    pub async fn list(&self, caller: UserId, page: PageRequest) -> Result<Listed<Function>> {
        Ok(self.store.functions_of_user(caller, page).await?.within(limits::PAGE_BYTES, size))
    }

    /// A workspace's functions, newest first.
    pub async fn list_in(
        &self,
        caller: UserId,
        workspace: WorkspaceId,
        page: PageRequest,
    ) -> Result<Listed<Function>> {
        self.workspaces.get(caller, workspace).await?;
        let listed = self.store.functions_of_workspace(workspace, page).await?;
        Ok(listed.within(limits::PAGE_BYTES, size))
    }

    /// Changes a function. New code, or another runtime for it, makes the next version.
    pub async fn update(
        &self,
        caller: UserId,
        id: FunctionId,
        mut changes: FunctionChanges,
    ) -> Result<Function> {
        let before = self.get(caller, id).await?;
        environment::keep_masked(&mut changes.environment, &before.settings.environment);
        let mut faults = changes.environment.as_ref().map(environment::faults).unwrap_or_default();
        let source = match self.changed_code(&before, &changes).await? {
            Some((language, code)) => self.code.check(caller, language, code, &mut faults).await?,
            None => None,
        };
        if !faults.is_empty() {
            return Err(Error::invalid(faults));
        }
        let mut after = before.clone();
        apply(&mut after, changes);
        let mut upload = None;
        if let Some(source) = source {
            after.latest_version += 1;
            let (version, code) = self.code.save(id, after.latest_version, source).await?;
            after.current = version;
            if let Some(fault) = self.code.refusal(&after).await {
                self.store.abandon(&code).await;
                return Err(Error::invalid(vec![at_fault(fault)]));
            }
            upload = Some(code);
            self.keep_fewer_versions(&mut after);
        }
        self.store_changed(before, after, upload).await
    }

    /// Deletes a function, its versions and its jobs: out of reach when this returns, swept after.
    pub async fn delete(&self, caller: UserId, id: FunctionId) -> Result<()> {
        let function = self.get(caller, id).await?;
        self.store.delete_function(&function, self.clock.now()).await
    }

    /// What is wrong with code that is not to be saved, since other things are wrong with the request.
    pub async fn code_fault(&self, user_id: UserId, language: Language, code: &str) -> Option<Fault> {
        self.code.fault(user_id, language, code).await
    }

    async fn store_changed(
        &self,
        before: Function,
        mut after: Function,
        upload: Option<Upload>,
    ) -> Result<Function> {
        if after == before {
            return Ok(before);
        }
        after.revision += 1;
        after.updated_at = self.clock.now();
        let runs_otherwise = after.current != before.current || after.settings != before.settings;
        let stored = self.store.update_function(&before, &after, upload.as_ref(), request::mark()).await;
        self.settle(stored, upload.as_ref(), &after).await?;
        if !runs_otherwise && after.status != Status::Failed {
            return Ok(after);
        }
        Ok(self.deploy(after).await?.0)
    }

    /// Makes a function that was just stored ready to run. One whose code is refused then is not kept.
    async fn deploy_new(&self, function: Function) -> Result<Function> {
        let (function, fault) = self.deploy(function).await?;
        if let Some(fault) = fault {
            self.store.delete_function(&function, self.clock.now()).await?;
            return Err(Error::invalid(vec![at_fault(fault)]));
        }
        Ok(function)
    }

    /// Makes a stored function ready to run, and records how that went; also what is wrong with its code, if that is why.
    async fn deploy(&self, mut function: Function) -> Result<(Function, Option<CodeFault>)> {
        let deployed = self.runtime.deploy(&function).await;
        let reason = match &deployed {
            Ok(Ok(())) => None,
            Ok(Err(fault)) => Some(fault.to_string()),
            Err(error) => Some(error.to_string()),
        };
        if function.status != Status::Disabled {
            function.status = if reason.is_none() { Status::Active } else { Status::Failed };
        }
        if reason.is_none() {
            function.deployed_at = Some(self.clock.now());
        }
        function.status_reason = reason;
        self.store.set_deployed(&function).await?;
        Ok((function, deployed.ok().and_then(Result::err)))
    }
}

/// What is wrong with an environment that a schema can't say.
pub fn faults(environment: Option<&BTreeMap<String, String>>) -> Vec<Fault> {
    environment.map(environment::faults).unwrap_or_default()
}

/// About how many bytes a function takes in a list, without its code.
pub fn size(function: &Function) -> usize {
    /// Its ids, times and numbers, and the names of its fields.
    const REST: usize = 800;
    let variables = function.settings.environment.keys().map(|key| key.len() + 8).sum::<usize>();
    let reason = function.status_reason.as_ref().map_or(0, String::len);
    REST + function.name.len() + function.description.len() + function.endpoint.len() + variables + reason
}

fn apply(function: &mut Function, changes: FunctionChanges) {
    fn set<T>(field: &mut T, change: Option<T>) {
        if let Some(value) = change {
            *field = value;
        }
    }
    let name = changes.name.map(|name| text::name(&name).into_owned());
    if let Some(name) = name.filter(|name| *name != function.name) {
        function.name_key = Some(text::name_key(&name));
        function.name = name;
    }
    set(&mut function.description, changes.description);
    set(&mut function.execution_type, changes.execution_type);
    set(&mut function.endpoint, changes.endpoint);
    set(&mut function.public, changes.public);
    set(&mut function.http_methods, changes.http_methods.map(Some));
    set(&mut function.runtime_label, changes.runtime_label.map(Some));
    set(&mut function.settings.memory_mb, changes.memory_mb);
    set(&mut function.settings.timeout_seconds, changes.timeout_seconds);
    set(&mut function.settings.environment, changes.environment);
    set(&mut function.settings.max_attempts, changes.max_attempts);
    if let Some(disabled) = changes.disabled {
        function.status = match (disabled, function.status) {
            (true, _) => Status::Disabled,
            (false, Status::Disabled) => Status::Active,
            (false, status) => status,
        };
    }
}

fn conflict(taken: Taken, function: &Function) -> Error {
    match taken {
        Taken::Name => Error::conflict(
            "FUNCTION_NAME_TAKEN",
            format!("This workspace already has a function named '{}'", function.name),
        ),
        Taken::Endpoint => Error::conflict(
            "ENDPOINT_TAKEN",
            format!("Another function in this workspace has the endpoint '{}'", function.endpoint),
        ),
    }
}

/// An endpoint that nobody else has: with the start of the function's id.
fn fallback(base: &str, id: FunctionId) -> String {
    let id = id.to_string();
    format!("{}-{}", &base[..base.len().min(90)].trim_end_matches(['-', '/']), &id[..8])
}
