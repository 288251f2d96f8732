//! Code that somebody wants to save is compiled by the interpreter that will run it, in the sandbox, and not run.
//!
//! Interpreters that do nothing else are kept for it, for all tenants: none of their code is ever run there. One that
//! dies of a source, or takes too long or too much for it, is replaced, and the source is at fault.

use std::collections::BTreeMap;
use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::function::{Checked, CodeFault};
use domain::{FunctionId, Language};
use ports::{Draft, RuntimeError};
use runtime::check::{Compiled, Parser, Refusal, judge, without_mark};
use runtime::printed::Printed;
use runtime::protocol;
use tokio::time::{Instant, timeout};

use super::Pool;
use super::interpreter::{Interpreter, Purpose};
use super::limits::{Gate, Limits, Tenant};
use super::run::nonce;
use super::worker::{Ended, START, Start, Terms, Worker};

/// How many checks at once, of all tenants. Of one user there is one.
const AT_ONCE: usize = 2;
/// How many may wait, of one user and of all.
const WAITING: (usize, usize) = (50, 500);
/// How long a check may wait for its turn.
const PATIENCE: Duration = Duration::from_secs(10);
/// When to come back, if there was no turn.
const RETRY_AFTER: Duration = Duration::from_secs(2);
/// How long compiling may take. Ordinary code of the largest size takes about a second.
const DEADLINE: Duration = Duration::from_secs(5);
/// How long the parser is waited for once the interpreter has said what is wrong, and where.
const SOON: Duration = Duration::from_millis(250);
/// How much memory it may take, in MiB: the largest size of ordinary code takes about half.
const MEMORY_MB: u32 = 768;
/// How many checks an interpreter serves: some of what it compiles is never given back.
const USES: usize = 500;
/// One that took longer than this for a source has grown by it, and serves no more.
const SMALL: Duration = Duration::from_millis(250);

/// The interpreters that compile.
#[derive(Debug)]
pub(super) struct Checkers {
    gate: Arc<Gate>,
    parser: Parser,
    /// Those that wait, and how often each was used. `None` once there are to be no more.
    idle: Mutex<Option<Vec<(Worker, usize)>>>,
}

impl Checkers {
    pub(super) fn new(launcher: &Path) -> Self {
        let limits = Limits {
            per_function: AT_ONCE,
            per_workspace: 1,
            total: AT_ONCE,
            waiting_per_workspace: WAITING.0,
            waiting: WAITING.1,
        };
        Self { gate: Gate::new(limits), parser: Parser::new(launcher), idle: Mutex::new(Some(Vec::new())) }
    }

    /// Ends them.
    pub(super) fn close(&self) {
        drop(self.idle().take());
    }

    fn idle(&self) -> MutexGuard<'_, Option<Vec<(Worker, usize)>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One that waits, if it is still well.
    fn take(&self, language: Language) -> Option<(Worker, usize)> {
        loop {
            let mut idle = self.idle();
            let idle = idle.as_mut()?;
            let at = idle.iter().position(|(worker, _)| worker.language == language)?;
            let (mut worker, uses) = idle.swap_remove(at);
            if worker.is_fresh() {
                return Some((worker, uses));
            }
        }
    }

    fn put_back(&self, worker: Worker, uses: usize, took: Duration) {
        if uses < USES
            && took < SMALL
            && let Some(idle) = self.idle().as_mut()
        {
            idle.push((worker, uses));
        }
    }
}

impl Pool {
    pub(super) async fn check_code(
        &self,
        draft: Draft<'_>,
    ) -> Result<Result<Checked, CodeFault>, RuntimeError> {
        // What is refused anyway holds up nobody, and isn't held up.
        let patience = if draft.waits { PATIENCE } else { Duration::ZERO };
        // There is no function yet.
        let nobody = FunctionId::from_random([0; 16]);
        let entered = self.checkers.gate.enter(Tenant::User(draft.user_id), nobody, patience).await;
        let Some(_permit) = entered else { return Err(RuntimeError::Busy { retry_after: RETRY_AFTER }) };
        let interpreter = self.spares.interpreter(draft.language).await?;
        let source = without_mark(draft.code);
        let version = interpreter.told();
        let mut reading = pin!(self.checkers.parser.read(version, source));
        let mut compiling = pin!(self.compile(&interpreter, source));
        let mut readings = None;
        let compiled = loop {
            tokio::select! {
                biased;
                compiled = &mut compiling => break compiled?,
                read = &mut reading, if readings.is_none() => readings = Some(read),
            }
        };
        let is_plain = compiled.fault.as_ref().is_some_and(|refusal| refusal.line.is_some());
        let readings = match readings {
            Some(readings) => readings,
            // The parser could add a word to it, no more.
            None if is_plain => timeout(SOON, reading).await.unwrap_or(Ok(None)),
            None => reading.await,
        };
        let readings = readings.map_err(|error| {
            tracing::error!(%error, "no parser could be started");
            RuntimeError::Failed("no parser could be started".to_owned())
        })?;
        Ok(judge(source, version, compiled, readings.as_deref()))
    }

    /// What the interpreter says.
    async fn compile(&self, interpreter: &Interpreter, source: &str) -> Result<Compiled, RuntimeError> {
        let (mut worker, uses) = match self.checkers.take(interpreter.language) {
            Some(waiting) => waiting,
            None => {
                let start = Start {
                    heap_mb: None,
                    purpose: Purpose::Check,
                    environment: &BTreeMap::new(),
                    within: START,
                };
                let started = self.workshop.start(interpreter, start).await;
                let worker = started.map_err(|reason| {
                    tracing::error!(%reason, "no interpreter could be started to check code");
                    RuntimeError::Failed("no interpreter could be started".to_owned())
                })?;
                worker.limit_memory(MEMORY_MB);
                (worker, 0)
            }
        };
        let nonce = nonce();
        let mut frame = Vec::with_capacity(64);
        protocol::check(&mut frame, nonce, source.len());
        let began = Instant::now();
        let terms = Terms { deadline: began + DEADLINE, memory_mb: MEMORY_MB, turn: None, lingers: false };
        let ended = worker.run((frame, source.as_bytes()), nonce, terms, &mut Printed::default()).await;
        let refused = |message: String| {
            let module = match interpreter.language {
                Language::Python => domain::function::Module::Python,
                Language::Nodejs => domain::function::Module::CommonJs,
            };
            Ok(Compiled { module, fault: Some(Refusal { message, ..Refusal::default() }) })
        };
        match ended {
            Ended::Answered(answer) => {
                let compiled = answer.result.ok().and_then(|text| serde_json::from_slice(&text).ok());
                match compiled {
                    Some(compiled) => {
                        self.checkers.put_back(worker, uses + 1, began.elapsed());
                        Ok(compiled)
                    }
                    None => refused("The code can't be compiled".to_owned()),
                }
            }
            Ended::TimedOut => {
                refused(format!("Compiling the code takes longer than {} seconds", DEADLINE.as_secs()))
            }
            Ended::TooMuchMemory => {
                refused(format!("Compiling the code takes more than {MEMORY_MB} MB of memory"))
            }
            Ended::Gone if self.spares.is_closed() => {
                Err(RuntimeError::Failed("the server is shutting down".to_owned()))
            }
            Ended::Gone | Ended::Garbled | Ended::Stopped | Ended::TooManyProcesses | Ended::TooManyFiles => {
                refused(format!("{} crashed while compiling the code", interpreter.told()))
            }
        }
    }
}
