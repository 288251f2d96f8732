//! What runs user code: Lambda functions, or a sandboxed pool of processes.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use domain::function::{Checked, CodeFault};
use domain::job::Outcome;
use domain::{Function, FunctionId, JobId, Language, Settings, UserId, Version, WorkspaceId};

/// One run of one version.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// What for.
    pub job_id: JobId,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// Whose: limits on what runs at once are kept per workspace.
    pub workspace_id: WorkspaceId,
    /// The function's name, for `context`.
    pub function_name: Arc<str>,
    /// The code.
    pub version: Arc<Version>,
    /// What it runs with.
    pub settings: Arc<Settings>,
    /// The event: valid JSON.
    pub event: Bytes,
    /// How long it may wait for a place among what runs already, before [`RuntimeError::Busy`].
    pub patience: Duration,
}

/// Why a run did not come to an outcome. None of these is the user code's doing.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The limit of concurrent runs is reached; when to come back. The code has not been begun.
    #[error("the limit of concurrent runs is reached")]
    Busy {
        /// How long to wait before another try.
        retry_after: Duration,
    },
    /// The platform failed around the run; the code may have been begun.
    #[error("{0}")]
    Failed(String),
}

/// Code that somebody wants to save.
#[derive(Clone, Copy, Debug)]
pub struct Draft<'a> {
    /// Whose: how much is checked at once is limited per user, however many workspaces they have.
    pub user_id: UserId,
    /// What it is written in.
    pub language: Language,
    /// Its source, of at most [`CODE`](domain::limits::CODE) bytes.
    pub code: &'a str,
    /// Whether it may wait for its turn. Where the request is refused in any case it doesn't: then it is checked at once,
    /// or not at all ([`RuntimeError::Busy`]).
    pub waits: bool,
}

/// Runs user code. Whatever the code does, `invoke` ends by its timeout and some grace.
#[async_trait]
pub trait Runtime: Send + Sync {
    /// Says how the code is to be loaded and which function of it is the handler, or what is wrong with it. Nothing of the
    /// code is run, and whatever it is this ends within seconds: code that the interpreter can't compile in time, or dies
    /// of, is at fault. Where the interpreter can only be asked once the code is [deployed](Self::deploy), it is asked then.
    async fn check(&self, draft: Draft<'_>) -> Result<Result<Checked, CodeFault>, RuntimeError>;

    /// Makes a version ready to be invoked, and returns once it is. The fault is the code's: the interpreter, asked to
    /// compile it, refuses it, and whatever was deployed before is as it was. On failure the message is for the function's
    /// owner.
    async fn deploy(&self, function: &Function) -> Result<Result<(), CodeFault>, RuntimeError>;

    /// Runs it. A handler that throws, a process that dies, too much time or memory are *outcomes* with an error text;
    /// [`RuntimeError`] is for what the platform did.
    async fn invoke(&self, invocation: Invocation) -> Result<Outcome, RuntimeError>;

    /// Removes whatever was made for the function, in all its versions. Nothing there is no error.
    async fn remove(&self, function_id: FunctionId) -> Result<(), RuntimeError>;

    /// Fails when nothing can run; otherwise says how user code is kept apart (`bubblewrap`, `landlock`, `lambda` …) and on
    /// what it runs.
    async fn health(&self) -> Result<String, RuntimeError>;
}
