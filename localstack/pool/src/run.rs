//! One invocation, from the queue to its outcome.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use domain::job::{Outcome, cut_error};
use domain::{Language, WorkspaceId};
use ports::{Invocation, RuntimeError};
use runtime::environment;
use runtime::output;
use runtime::printed::Printed;
use runtime::protocol::{self, Invoke, Load};
use sandbox::cgroup::Shortage;
use sandbox::{DISK, FILES};
use tokio::sync::SemaphorePermit;
use tokio::time::Instant;

use super::Pool;
use super::interpreter::Purpose;
use super::shelf::Role;
use super::worker::{Ended, MOST_THREADS, NotStarted, START, Start, Terms, Worker};

/// When to come back if there was no place: about when runs of the usual length have ended.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// How long to wait for a turn.
const PATIENCE: Duration = Duration::from_millis(2);
/// From how much memory on a Node function needs a heap limit of its own: Node's default is about half a small machine.
const LARGE_HEAP_MB: u32 = 1536;

/// A worker at work: is off the books when dropped, and the worker with it unless it was put back.
struct Busy<'a> {
    pool: &'a Pool,
    number: u64,
    worker: Option<Worker>,
}

/// Why there is no worker for an invocation.
enum Unavailable {
    /// For a reason that is not the function's.
    Platform(RuntimeError),
    /// The interpreter does not start with the variables that the function gives it; what its owner is told.
    Environment(String),
}

impl Unavailable {
    fn of(reason: NotStarted, environment: &BTreeMap<String, String>) -> Self {
        match reason {
            NotStarted::Interpreter(said) if !environment.is_empty() => {
                let names = environment.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                Self::Environment(format!(
                    "The interpreter did not start with the function's environment. Look at {names}: {said}"
                ))
            }
            // Where things lie on this machine is told in its log only.
            reason => {
                tracing::error!(%reason, "no worker could be started");
                Self::Platform(RuntimeError::Failed("no worker could be started".to_owned()))
            }
        }
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.pool.shelf().end(self.number);
    }
}

impl Pool {
    pub(super) async fn run(&self, invocation: Invocation) -> Result<Outcome, RuntimeError> {
        let function = invocation.version.function_id;
        let entered = self.gate.enter(invocation.workspace_id, function, invocation.patience).await;
        let Some(_permit) = entered else { return Err(RuntimeError::Busy { retry_after: RETRY_AFTER }) };
        if self.spares.is_closed() {
            return Err(RuntimeError::Failed("the server is shutting down".to_owned()));
        }
        let turn = self.turn(invocation.workspace_id).await;
        let role = Role::of(&invocation);
        let (mut busy, cold) = match self.find_worker(role, &invocation).await {
            Ok(found) => found,
            Err(Unavailable::Platform(error)) => return Err(error),
            Err(Unavailable::Environment(told)) => {
                let result = Err(cut_error(&told));
                return Ok(Outcome {
                    result,
                    logs: Printed::default().finish(),
                    duration: 0.0,
                    cold_start: true,
                });
            }
        };
        let worker = busy.worker.as_mut().expect("it was just put there");

        let timeout = Duration::from_secs(invocation.settings.timeout_seconds.into());
        let nonce = nonce();
        let mut frames = Vec::with_capacity(64);
        if cold {
            let code = self.sources.get(&invocation.version).await?;
            worker.limit_memory(invocation.settings.memory_mb);
            let load = Load {
                module: invocation.version.module,
                environment: &invocation.settings.environment,
                function_id: function,
                function_name: &invocation.function_name,
                version: invocation.version.version,
                memory_mb: invocation.settings.memory_mb,
                handler: &invocation.version.handler.name,
            };
            protocol::load(&mut frames, &load, &code);
        }
        let invoke = Invoke {
            nonce,
            job_id: invocation.job_id.0,
            attempt: invocation.attempt,
            timeout_ms: u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX),
        };
        protocol::invoke(&mut frames, &invoke, invocation.event.len());

        let mut printed = Printed::default();
        let began = Instant::now();
        let memory_mb = invocation.settings.memory_mb;
        let sent = (frames, &*invocation.event);
        // A processor for each that waits, and one for each handler.
        let lingers = 2 * self.gate.running() <= self.processors;
        let terms = Terms { deadline: began + timeout, memory_mb, turn, lingers };
        let ended = worker.run(sent, nonce, terms, &mut printed).await;
        let took = began.elapsed();
        let mut duration = took.as_secs_f64() * 1000.0;
        let result = match ended {
            Ended::Answered(answer) => {
                duration = duration.min(answer.took_us as f64 / 1000.0);
                if !answer.retire {
                    self.put_back(busy, role);
                }
                match answer.result {
                    Ok(bytes) => output::check(bytes),
                    Err(bytes) => Err(String::from_utf8_lossy(&bytes).into_owned()),
                }
            }
            Ended::Stopped => {
                end(worker, &mut printed).await;
                Err("The run was stopped: its function was deleted, or the server shut down.".to_owned())
            }
            Ended::TimedOut => {
                end(worker, &mut printed).await;
                Err(format!("Task timed out after {} seconds", invocation.settings.timeout_seconds))
            }
            Ended::TooMuchMemory => {
                end(worker, &mut printed).await;
                Err(out_of_memory(memory_mb))
            }
            Ended::TooManyProcesses => {
                end(worker, &mut printed).await;
                Err(format!(
                    "The function was stopped: it ran more than {MOST_THREADS} processes and threads at once."
                ))
            }
            Ended::TooManyFiles => {
                end(worker, &mut printed).await;
                Err(format!(
                    "The function was stopped: its temporary folder held more than {} MB or {FILES} files, or its folders were nested too deeply.",
                    DISK / 1024 / 1024
                ))
            }
            Ended::Garbled => {
                end(worker, &mut printed).await;
                Err("The function was stopped: it wrote to file descriptor 3, which is the platform's."
                    .to_owned())
            }
            Ended::Gone => {
                let status = worker.exit().await;
                worker.read_rest(&mut printed).await;
                let was_killed = signal(status) == Some(libc::SIGKILL);
                let shortage = worker.shortage().unwrap_or_else(|| {
                    (was_killed && self.shortages.is_recent()).then_some(Shortage::Machine)
                });
                match shortage {
                    Some(Shortage::Machine) if was_killed => {
                        return Err(RuntimeError::Failed(MACHINE_OUT_OF_MEMORY.to_owned()));
                    }
                    Some(Shortage::Own) => Err(out_of_memory(memory_mb)),
                    _ => Err(how_it_ended(status)),
                }
            }
        };
        Ok(Outcome {
            result: result.map_err(|e| cut_error(&e)),
            logs: printed.finish(),
            duration,
            cold_start: cold,
        })
    }

    /// A turn to run, or none after a short wait for one. The only run of its workspace waits for nobody's.
    async fn turn(&self, workspace: WorkspaceId) -> Option<SemaphorePermit<'_>> {
        if let Ok(turn) = self.turns.try_acquire() {
            return Some(turn);
        }
        if self.gate.is_alone(workspace) {
            return None;
        }
        tokio::time::timeout(PATIENCE, self.turns.acquire()).await.ok()?.ok()
    }

    /// A worker for this invocation, and whether it has yet to load the code.
    async fn find_worker(
        &self,
        role: Role,
        invocation: &Invocation,
    ) -> Result<(Busy<'_>, bool), Unavailable> {
        loop {
            let mut shelf = self.shelf();
            let Some(mut worker) = shelf.take(&role) else { break };
            let number = shelf.begin(role.function, worker.stop.clone());
            drop(shelf);
            // One that ended, or spoke out of turn, while it was idle is not this invocation's trouble.
            let fresh = worker.is_fresh();
            let busy = Busy { pool: self, number, worker: Some(worker) };
            if fresh {
                return Ok((busy, false));
            }
        }
        let language = invocation.version.language;
        let memory_mb = invocation.settings.memory_mb;
        let heap_mb = (language == Language::Nodejs && memory_mb > LARGE_HEAP_MB).then_some(memory_mb);
        let environment = environment::at_start(language, &invocation.settings.environment);
        let any_will_do = heap_mb.is_none() && environment.is_empty();
        let spare = if any_will_do { self.spares.take(language) } else { None };
        let worker = match spare {
            Some(worker) => worker,
            None => {
                let interpreter = self.spares.interpreter(language).await.map_err(Unavailable::Platform)?;
                let timeout = Duration::from_secs(invocation.settings.timeout_seconds.into());
                let within = if environment.is_empty() { START } else { START.min(timeout) };
                let start = Start { heap_mb, purpose: Purpose::Awaited, environment: &environment, within };
                let started = self.workshop.start(&interpreter, start).await;
                started.map_err(|reason| Unavailable::of(reason, &environment))?
            }
        };
        let (number, unwanted) = {
            let mut shelf = self.shelf();
            let mut unwanted = shelf.take_others(&role);
            while shelf.len() >= self.config.limits.total {
                let Some(oldest) = shelf.take_oldest() else { break };
                unwanted.push(oldest);
            }
            (shelf.begin(role.function, worker.stop.clone()), unwanted)
        };
        drop(unwanted);
        Ok((Busy { pool: self, number, worker: Some(worker) }, true))
    }

    fn put_back(&self, mut busy: Busy<'_>, role: Role) {
        let mut shelf = self.shelf();
        if let Some(worker) = busy.worker.take()
            && shelf.end(busy.number)
        {
            shelf.put(role, worker);
        }
        drop(shelf);
    }
}

/// Kills a worker, and reads what it had printed by then.
async fn end(worker: &mut Worker, printed: &mut Printed) {
    worker.kill();
    worker.read_rest(printed).await;
}

fn out_of_memory(memory_mb: u32) -> String {
    format!(
        "Out of memory: the function used more than {memory_mb} MB and was stopped. Use less, or raise memory_mb."
    )
}

/// A platform fault: the same run may well be over in peace a moment later.
const MACHINE_OUT_OF_MEMORY: &str =
    "the machine ran out of memory and ended the run, which had not used up its own";

/// The signal that ended a process. bubblewrap passes it on as an exit code above 128.
fn signal(status: Option<ExitStatus>) -> Option<i32> {
    let status = status?;
    status.signal().or_else(|| status.code().map(|code| code - 128).filter(|&signal| signal > 0))
}

/// The error of a process that ended on its own, in the middle of a run.
fn how_it_ended(status: Option<ExitStatus>) -> String {
    let Some(status) = status else {
        return "The function closed file descriptor 3, which is the platform's, before the handler returned.".to_owned();
    };
    let signal = signal(Some(status));
    let name = match signal {
        Some(libc::SIGSEGV) => "SIGSEGV, a segmentation fault",
        Some(libc::SIGABRT) => "SIGABRT, an abort: often memory that ran out",
        Some(libc::SIGKILL) => "SIGKILL, sent by the function itself or by someone on this machine",
        Some(libc::SIGILL) => "SIGILL",
        Some(libc::SIGBUS) => "SIGBUS",
        Some(libc::SIGFPE) => "SIGFPE",
        Some(libc::SIGTRAP) => "SIGTRAP: often memory that ran out",
        Some(libc::SIGSYS) => "SIGSYS, a system call that is not allowed",
        Some(libc::SIGTERM) => "SIGTERM",
        _ => "",
    };
    match (signal, status.code()) {
        (Some(signal), _) if !name.is_empty() => {
            format!("The process was killed by signal {signal} ({name}) before the handler returned")
        }
        (_, Some(code)) => format!("The process ended (exit code {code}) before the handler returned"),
        (Some(signal), None) => {
            format!("The process was killed by signal {signal} before the handler returned")
        }
        (None, None) => "The process ended before the handler returned".to_owned(),
    }
}

/// What nobody can know before the invocation: SipHash of a counter, under a key that the system chose at random.
pub(super) fn nonce() -> [u8; 8] {
    static KEY: std::sync::LazyLock<RandomState> = std::sync::LazyLock::new(RandomState::new);
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    KEY.hash_one(COUNTER.fetch_add(1, Ordering::Relaxed)).to_le_bytes()
}
