//! How a worker starts.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use runtime::protocol;
use sandbox::cgroup::Cgroups;
use sandbox::{Confined, NOT_STARTED, Sandbox};
use tokio::net::unix::pipe;
use tokio::time::{Instant, timeout};

use super::super::interpreter::{Interpreter, Purpose};
use super::super::launch::{self, Launcher};
use super::super::wire::read_frame;
use super::{FAR_LOOK, Worker};

/// How long an interpreter may take to start.
pub(crate) const START: Duration = Duration::from_secs(20);

/// Numbers the workers of this server, so that each has a user, a folder and a control group of its own.
static NUMBER: AtomicUsize = AtomicUsize::new(0);

/// Counts workers, for as long as there are any.
#[derive(Debug)]
pub(super) struct Count(Arc<AtomicUsize>);

impl Count {
    fn new(all: &Arc<AtomicUsize>) -> Self {
        all.fetch_add(1, Ordering::Relaxed);
        Self(all.clone())
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How an interpreter is to be started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start<'a> {
    /// As for [`Interpreter::arguments`].
    pub(crate) heap_mb: Option<u32>,
    /// As for [`Interpreter::arguments`].
    pub(crate) purpose: Purpose,
    /// Variables that are to be there from the start.
    pub(crate) environment: &'a BTreeMap<String, String>,
    /// How long it may take.
    pub(crate) within: Duration,
}

/// Why a worker did not start.
#[derive(Debug)]
pub(crate) enum NotStarted {
    /// It did not get as far as the interpreter.
    Platform(String),
    /// The interpreter ended, or did not get ready; with what it said.
    Interpreter(String),
}

impl std::fmt::Display for NotStarted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Self::Platform(reason) | Self::Interpreter(reason)) = self;
        f.write_str(reason)
    }
}

/// What starting a worker takes.
#[derive(Debug)]
pub(crate) struct Workshop {
    pub(crate) sandbox: Sandbox,
    pub(crate) launcher: Launcher,
    pub(crate) groups: Option<Cgroups>,
    /// Where workers without a `/tmp` of their own have their folders.
    pub(crate) folders: PathBuf,
    /// How many workers there are, whatever they do.
    pub(crate) count: Arc<AtomicUsize>,
}

impl Workshop {
    /// Starts a worker and waits until it is ready.
    pub(crate) async fn start(
        &self,
        interpreter: &Interpreter,
        Start { heap_mb, purpose, environment, within }: Start<'_>,
    ) -> Result<Worker, NotStarted> {
        let program = interpreter.program.display();
        let says = |error: io::Error| NotStarted::Platform(format!("starting {program}: {error}"));
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = self.folders.join(format!("w{number}"));
        let inside = self.sandbox.has_own_tmp();
        let directory = if inside {
            None
        } else {
            Sandbox::make_folder(&folder).map_err(says)?;
            Some(folder.clone())
        };
        let mut command = self.sandbox.command(&Confined {
            program: &interpreter.program,
            arguments: interpreter.arguments(heap_mb, purpose, environment),
            shim: Some(&interpreter.shim),
            libraries: &interpreter.libraries,
            hidden: &interpreter.hidden,
            environment,
            directory: &folder,
            number: u32::try_from(number % 1_000_000).unwrap_or_default(),
        });
        // Pipes, not a socket: on a socket, the worker that waits for a request is woken when its last answer is taken.
        let (asked, requests) = io::pipe().map_err(says)?;
        let (answers, answered) = io::pipe().map_err(says)?;
        let (printed, print) = io::pipe().map_err(says)?;
        command.stdin(asked).stdout(answered).stderr(print);
        let count = Count::new(&self.count);
        let group = self.groups.as_ref().map(|groups| groups.group(&format!("w{number}"))).transpose();
        let group = group.map_err(says)?.map(Arc::new);
        let process = self.launcher.spawn(command, group.clone()).await.map_err(says)?;
        let mut worker = Worker {
            language: interpreter.language,
            pid: process.id().unwrap_or_default(),
            process: Some(process),
            requests: pipe::Sender::from_owned_fd(requests.into()).map_err(says)?,
            answers: pipe::Receiver::from_owned_fd(answers.into()).map_err(says)?,
            printed: pipe::Receiver::from_owned_fd(printed.into()).map_err(says)?,
            directory,
            group,
            next_far: Instant::now() + FAR_LOOK,
            had_children: false,
            quick: false,
            stop: Arc::default(),
            _count: count,
        };
        let late = worker.group.clone().filter(|group| !group.takes_at_start());
        // Meanwhile, as that takes about as long.
        let placed = late.map(|group| tokio::spawn(timeout(START, launch::place(group, worker.pid, inside))));
        let ready = timeout(within, read_frame(&mut worker.answers, None)).await;
        if !matches!(ready, Ok(Ok(Some((protocol::READY, _))))) {
            if let Some(placed) = placed {
                placed.abort();
            }
            let status = if ready.is_ok() { worker.exit().await } else { None };
            worker.kill();
            let said = worker.last_words().await;
            let late = ready.is_err().then(|| format!("it was not ready within {} s. ", within.as_secs()));
            let reason = format!("{}{}", late.unwrap_or_default(), said.text().trim());
            return Err(if status.is_some_and(|status| status.code() == Some(NOT_STARTED)) {
                NotStarted::Platform(format!("{program} did not start: {reason}"))
            } else {
                NotStarted::Interpreter(reason)
            });
        }
        if let Some(placed) = placed {
            placed.await.map_err(io::Error::other).and_then(|placed| placed?).map_err(says)?;
        }
        worker.pid = launch::interpreter(worker.pid, inside)
            .ok_or_else(|| NotStarted::Platform("the interpreter is not to be found in /proc".to_owned()))?;
        Ok(worker)
    }
}
