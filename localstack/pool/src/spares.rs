//! Warm interpreters that are no function's yet.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use domain::Language;
use ports::RuntimeError;
use tokio::sync::{Notify, OnceCell};

use super::interpreter::{self, Purpose};
use super::worker::{NotStarted, START, Start, Worker};
use super::{Interpreter, Pool, PoolConfig};

/// How long after a spare was taken the next is started: not while the first invocation of who took it still runs.
const PAUSE: Duration = Duration::from_millis(10);
/// How long after a failed start the next is tried.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// The spares of both languages.
#[derive(Debug)]
pub(super) struct Spares {
    python: Stock,
    node: Stock,
    wanted: usize,
}

#[derive(Debug)]
struct Stock {
    language: Language,
    program: Option<PathBuf>,
    /// Where its shim goes.
    shims: PathBuf,
    interpreter: OnceCell<Result<Arc<Interpreter>, String>>,
    state: Mutex<State>,
    /// That it is to be looked after.
    changed: Arc<Notify>,
}

#[derive(Debug, Default)]
struct State {
    warm: VecDeque<Worker>,
    /// Why the last one did not start, if it did not.
    trouble: Option<String>,
    closed: bool,
}

impl Spares {
    pub(super) fn new(config: &PoolConfig, shims: &Path) -> Self {
        let stock = |language, program: &Option<PathBuf>| Stock {
            language,
            program: program.clone(),
            shims: shims.to_owned(),
            interpreter: OnceCell::new(),
            state: Mutex::default(),
            changed: Arc::default(),
        };
        Self {
            python: stock(Language::Python, &config.python),
            node: stock(Language::Nodejs, &config.node),
            wanted: config.spares,
        }
    }

    /// The interpreter of a language. The error says that there is none.
    pub(super) async fn interpreter(&self, language: Language) -> Result<Arc<Interpreter>, RuntimeError> {
        self.stock(language).interpreter().await.map_err(RuntimeError::Failed)
    }

    /// What functions of a language run on, as far as is known by now; or why they can't.
    pub(super) fn status(&self, language: Language) -> Result<String, String> {
        let stock = self.stock(language);
        let name = match stock.interpreter.get() {
            Some(Err(missing)) => return Err(missing.clone()),
            Some(Ok(interpreter)) => interpreter.to_string(),
            None => format!("{} is being looked for", interpreter::name(language)),
        };
        stock.lock().trouble.clone().map_or(Ok(name), Err)
    }

    /// A warm interpreter, if there is one.
    pub(super) fn take(&self, language: Language) -> Option<Worker> {
        let stock = self.stock(language);
        let taken = std::iter::from_fn(|| stock.lock().warm.pop_front()).find(Worker::is_silent);
        stock.changed.notify_one();
        taken
    }

    /// Drops all, and takes no more.
    pub(super) fn close(&self) {
        for stock in [&self.python, &self.node] {
            let mut state = stock.lock();
            state.closed = true;
            let warm = std::mem::take(&mut state.warm);
            drop(state);
            drop(warm);
            stock.changed.notify_one();
        }
    }

    /// Whether [`close`](Self::close) was called.
    pub(super) fn is_closed(&self) -> bool {
        self.python.lock().closed
    }

    fn stock(&self, language: Language) -> &Stock {
        match language {
            Language::Python => &self.python,
            Language::Nodejs => &self.node,
        }
    }
}

impl Stock {
    async fn interpreter(&self) -> Result<Arc<Interpreter>, String> {
        let found = self.interpreter.get_or_init(|| async {
            Interpreter::find(self.language, self.program.as_deref(), &self.shims).await.map(Arc::new)
        });
        found.await.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_short(&self, wanted: usize) -> bool {
        let state = self.lock();
        !state.closed && state.warm.len() < wanted
    }

    /// Takes in what was started. Whether it is well to start another.
    fn add(&self, started: Result<Worker, NotStarted>) -> bool {
        let mut state = self.lock();
        match started {
            Ok(worker) if !state.closed => {
                state.trouble = None;
                state.warm.push_back(worker);
                true
            }
            Ok(_) => true,
            Err(trouble) => {
                tracing::error!(%trouble, "no worker could be started");
                state.trouble = Some(trouble.to_string());
                false
            }
        }
    }
}

/// Starts spares as they are taken, for as long as the pool is there.
pub(super) async fn keep_full(pool: Weak<Pool>, language: Language) {
    loop {
        let Some(strong) = pool.upgrade() else { return };
        let stock = strong.spares.stock(language);
        let changed = stock.changed.clone();
        let Ok(interpreter) = stock.interpreter().await else { return };
        while stock.is_short(strong.spares.wanted) {
            let start = Start {
                heap_mb: None,
                purpose: Purpose::Spare,
                environment: &BTreeMap::new(),
                within: START,
            };
            if !stock.add(strong.workshop.start(&interpreter, start).await) {
                tokio::time::sleep(AFTER_FAILURE).await;
            }
        }
        if strong.spares.is_closed() {
            return;
        }
        // Not held while there is nothing to do, so that the pool can go.
        drop(strong);
        changed.notified().await;
        tokio::time::sleep(PAUSE).await;
    }
}
