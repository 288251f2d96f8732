//! User code on one machine: a pool of sandboxed interpreters, in place of Lambda.
//!
//! An interpreter is started before it is needed (a *spare*), becomes a function's worker with that function's first
//! invocation, and serves that function, one invocation at a time, until it has been idle for a while. A worker that
//! breaks any rule is killed with all it started, and only the invocation that it had fails.

mod awake;
mod check;
mod code;
mod folder;
mod interpreter;
mod launch;
mod limits;
mod run;
mod shelf;
mod spares;
mod watch;
mod wire;
mod worker;

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use domain::function::{Checked, CodeFault};
use domain::job::Outcome;
use domain::{Function, FunctionId, Language};
use files::failed_at;
use ports::{Blobs, Draft, Invocation, Runtime, RuntimeError};
use sandbox::{Sandbox, SandboxChoice, cgroup};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use check::Checkers;
use code::Sources;
pub use interpreter::{Interpreter, Purpose};
use launch::Launcher;
use limits::Gate;
pub use limits::Limits;
use shelf::Shelf;
use spares::Spares;
use worker::Workshop;

/// How often idle workers are looked at.
const SWEEP: Duration = Duration::from_millis(500);
/// Clock ticks (usually 10 ms) that an idle worker may compute between two sweeps: collecting garbage, not crunching.
const REST_TICKS: u64 = 10;

/// How to start a [`Pool`].
#[derive(Clone, Debug)]
pub struct PoolConfig {
    /// A program that calls [`take_part_if_asked`], usually this one: `std::env::current_exe()`.
    pub launcher: PathBuf,
    /// A folder of the pool's own, for the shims and for workers' files. Emptied at start.
    pub folder: PathBuf,
    /// Which sandbox.
    pub sandbox: SandboxChoice,
    /// Whether to bound memory by control groups, where they can be made. What processes use is looked at either way.
    pub control_groups: bool,
    /// How much at once. `limits.total` is also the most workers there are, idle ones included, spares not.
    pub limits: Limits,
    /// Warm interpreters to keep of each language.
    pub spares: usize,
    /// How long an idle worker is kept.
    pub idle: Duration,
    /// The Python to use, if not `python3`.
    pub python: Option<PathBuf>,
    /// The Node.js to use, if not `node`.
    pub node: Option<PathBuf>,
}

impl PoolConfig {
    /// The usual settings.
    pub fn new(launcher: impl Into<PathBuf>, folder: impl Into<PathBuf>) -> Self {
        Self {
            launcher: launcher.into(),
            folder: folder.into(),
            sandbox: SandboxChoice::Auto,
            control_groups: true,
            limits: Limits::default(),
            spares: 1,
            idle: Duration::from_secs(60),
            python: None,
            node: None,
        }
    }
}

/// The pool.
#[derive(Debug)]
pub struct Pool {
    config: PoolConfig,
    workshop: Workshop,
    sources: Sources,
    gate: Arc<Gate>,
    /// Turns to begin a run, two for each processor. Most runs are over before a processor would be free for another; with
    /// a worker for each of those that wait, the processors would only change between them. (Measured with 16 at once on
    /// two processors: a fifth more runs per second with four workers than with ten.)
    turns: Semaphore,
    /// How many processors there are.
    processors: usize,
    shelf: Mutex<Shelf>,
    spares: Spares,
    /// Where no control group tells for what memory a worker was killed.
    shortages: watch::Shortages,
    checkers: Checkers,
}

impl Pool {
    /// Finds a sandbox and begins to warm interpreters up. The error is for whoever started the server.
    pub async fn start(config: PoolConfig, blobs: Arc<dyn Blobs>) -> Result<Arc<Self>, String> {
        let says = |error: std::io::Error| failed_at(&config.folder, &error);
        launch::kill_leftovers(&config.folder);
        let (shims, folders) = (config.folder.join("shims"), config.folder.join("workers"));
        prepare(&config.folder, &shims, &folders).map_err(says)?;
        let sandbox = Sandbox::find(config.sandbox, &config.launcher, &shims, &folders).await?;
        let workshop = Workshop {
            sandbox,
            launcher: Launcher::start().map_err(|error| format!("starting a thread: {error}"))?,
            groups: config.control_groups.then(cgroup::Cgroups::make).flatten(),
            folders,
            count: Arc::default(),
        };
        let processors = processors();
        let pool = Arc::new(Self {
            gate: Gate::new(config.limits),
            turns: Semaphore::new(2 * processors),
            processors,
            shelf: Mutex::default(),
            shortages: watch::Shortages::default(),
            sources: Sources::new(blobs),
            spares: Spares::new(&config, &shims),
            checkers: Checkers::new(&config.launcher),
            workshop,
            config,
        });
        for language in [Language::Python, Language::Nodejs] {
            tokio::spawn(spares::keep_full(Arc::downgrade(&pool), language));
        }
        tokio::spawn(sweep(Arc::downgrade(&pool)));
        Ok(pool)
    }

    /// The sandbox in force and why it is no better one, for the first lines of the log.
    pub fn describe(&self) -> String {
        let sandbox = &self.workshop.sandbox;
        let what = match sandbox.kind() {
            Some(sandbox::SandboxKind::Bubblewrap) => "bubblewrap (namespaces, Landlock, seccomp)",
            Some(sandbox::SandboxKind::Landlock) => "landlock (Landlock and seccomp, no namespaces)",
            None => "none: functions can read and change whatever this user can",
        };
        let what = format!(
            "{what}; memory by {}",
            if self.workshop.groups.is_some() { "control groups and by looking" } else { "looking" }
        );
        let notes = sandbox.notes().iter().map(|note| format!("; {note}"));
        std::iter::once(what).chain(notes).collect()
    }

    /// How many processes there are: busy, idle and spare.
    pub fn workers(&self) -> usize {
        self.workshop.count.load(Ordering::Relaxed)
    }

    /// How many workers wait for their function's next invocation.
    pub fn idle_workers(&self) -> usize {
        self.shelf().idle_count()
    }

    /// How many invocations run.
    pub fn running(&self) -> usize {
        self.gate.running()
    }

    /// How many invocations wait for a place to run.
    pub fn waiting(&self) -> usize {
        self.gate.waiting()
    }

    /// Whether invocations of more than one workspace have begun within the last second.
    pub fn is_shared(&self) -> bool {
        self.gate.is_shared()
    }

    /// Kills every worker. What runs fails; what is invoked from now on is refused.
    pub fn shutdown(&self) {
        self.spares.close();
        self.checkers.close();
        drop(self.shelf().take_all());
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shutdown();
    }
}

/// How many processors there are for this process.
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// What the pool's `launcher` calls before anything else: that program is also the last step into the sandbox, and the
/// process that parses code. Returns where it was started for neither.
pub fn take_part_if_asked() {
    runtime::check::answer_if_asked();
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == sandbox::INIT) {
        sandbox::init_main(arguments);
    }
}

/// Makes the pool's folders, with nothing in them.
fn prepare(folder: &Path, shims: &Path, folders: &Path) -> std::io::Result<()> {
    for old in [shims, folders] {
        folder::remove(old)?;
    }
    std::fs::create_dir_all(folder)?;
    for new in [shims, folders] {
        std::fs::create_dir(new)?;
    }
    #[cfg(unix)]
    {
        // Workers under bubblewrap may run as users of their own.
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(shims, std::fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// Ends workers that have been idle for long, or only look idle.
async fn sweep(pool: Weak<Pool>) {
    let mut every = tokio::time::interval(SWEEP);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        let Some(pool) = pool.upgrade() else { return };
        if pool.workshop.groups.is_none() {
            pool.shortages.note();
        }
        let Some(since) = Instant::now().checked_sub(pool.config.idle) else { continue };
        drop(pool.shelf().take_tired(since, REST_TICKS));
    }
}

#[async_trait]
impl Runtime for Pool {
    async fn check(&self, draft: Draft<'_>) -> Result<Result<Checked, CodeFault>, RuntimeError> {
        self.check_code(draft).await
    }

    async fn deploy(&self, function: &Function) -> Result<Result<(), CodeFault>, RuntimeError> {
        self.spares.interpreter(function.current.language).await?;
        self.sources.get(&function.current).await.map(|_| Ok(()))
    }

    async fn invoke(&self, invocation: Invocation) -> Result<Outcome, RuntimeError> {
        self.run(invocation).await
    }

    async fn remove(&self, function_id: FunctionId) -> Result<(), RuntimeError> {
        drop(self.shelf().take_function(function_id));
        Ok(())
    }

    async fn health(&self) -> Result<String, RuntimeError> {
        let (python, node) = (self.spares.status(Language::Python), self.spares.status(Language::Nodejs));
        if let (Err(python), Err(node)) = (&python, &node) {
            return Err(RuntimeError::Failed(format!("{python}; {node}")));
        }
        let [python, node] = [python, node].map(|told| told.unwrap_or_else(|missing| missing));
        Ok(format!("{}; {python}; {node}", self.workshop.sandbox.name()))
    }
}
