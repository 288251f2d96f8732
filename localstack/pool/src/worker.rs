//! One process that runs user code: a warm interpreter that becomes a function's worker, and then answers one
//! invocation at a time.

mod start;

use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use domain::{Language, Logs};
use runtime::printed::Printed;
use runtime::protocol::{self, Answer};
use sandbox::PROCESSES;
use sandbox::cgroup::{Cgroup, Shortage};
use tokio::net::unix::pipe;
use tokio::sync::{Notify, SemaphorePermit};
use tokio::time::{Instant, timeout};

use super::folder;
use super::launch::Process;
use super::watch::{self, Disk};
use super::wire::{Drained, drain, drain_ready, read_frame, send};
use crate::awake::overslept;
use start::Count;
pub(super) use start::{NotStarted, START, Start, Workshop};

/// How long a run is expected to be over soon. Until then it keeps its turn: see [`super::Pool`].
pub(super) const TURN: Duration = Duration::from_millis(1);
/// How long to wait for an answer without giving the processor up, where the handler was over in less than half of that
/// the last time: to sleep and be woken takes about as long.
const LINGER: Duration = Duration::from_micros(100);
/// How often a busy worker is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// How often it is looked at what costs more, descendants and files: less often where that takes more than this part of
/// the time, but no later than this.
const FAR_LOOK: Duration = Duration::from_millis(100);
const FAR_LOOK_LATEST: Duration = Duration::from_secs(1);
const FAR_LOOK_PART: u32 = 20;
/// How many threads of all its processes end a worker. Beyond what it may have where the kernel bounds that, so that code
/// sees an error there and is not ended.
pub(super) const MOST_THREADS: u64 = 2 * PROCESSES;
/// How long the rest of an answer may take to arrive whose beginning was there in time.
const REST: Duration = Duration::from_secs(1);
/// How long a process that hung up has to end by itself, so that its exit code is its own.
const EXIT_GRACE: Duration = Duration::from_secs(1);

/// A process.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) language: Language,
    /// The interpreter's process id on this machine; its sandbox's is the child's.
    pid: u32,
    /// There until this is dropped.
    process: Option<Process>,
    requests: pipe::Sender,
    answers: pipe::Receiver,
    printed: pipe::Receiver,
    /// Its folder, where the sandbox gives it none.
    directory: Option<PathBuf>,
    /// Its control group, where there are any.
    group: Option<Arc<Cgroup>>,
    /// When to take the next far look. Runs may each be shorter than what is between two.
    next_far: Instant,
    /// Whether the last one, during a run, saw processes that it had started.
    had_children: bool,
    /// Whether its last run was so short that the next is worth [`LINGER`]ing for.
    quick: bool,
    /// Told to end what runs.
    pub(super) stop: Arc<Notify>,
    _count: Count,
}

/// What a run may take.
#[derive(Debug)]
pub(super) struct Terms<'a> {
    /// When it must be over; later by as long as this process is kept from running meanwhile.
    pub(super) deadline: Instant,
    pub(super) memory_mb: u32,
    /// Given to others when it is over, or takes longer than [`TURN`].
    pub(super) turn: Option<SemaphorePermit<'a>>,
    /// Whether there is a processor to spare for waiting.
    pub(super) lingers: bool,
}

/// How a run ended.
#[derive(Debug)]
pub(super) enum Ended {
    Answered(Answer),
    /// It sent what no worker may send.
    Garbled,
    /// It hung up.
    Gone,
    TimedOut,
    TooMuchMemory,
    TooManyProcesses,
    TooManyFiles,
    /// It was told to stop.
    Stopped,
}

/// When to take the far look after the one that was begun then and has ended now.
fn after_far_look(begun: Instant) -> Instant {
    let now = Instant::now();
    now + ((now - begun) * FAR_LOOK_PART).clamp(FAR_LOOK, FAR_LOOK_LATEST)
}

/// Whether something can be read from the pipe, or its other end is closed.
fn has_words(pipe: BorrowedFd<'_>) -> bool {
    let mut asked = [rustix::event::PollFd::new(&pipe, rustix::event::PollFlags::IN)];
    rustix::event::poll(&mut asked, Some(&rustix::event::Timespec::default())).is_ok_and(|ready| ready > 0)
}

fn disk(directory: Option<&Path>, pid: u32) -> Disk<'_> {
    directory.map_or(Disk::Own(pid), Disk::Folder)
}

impl Worker {
    /// Bounds the memory that its processes can ask for, so that most code sees an error of its own before it is killed.
    pub(super) fn limit_memory(&self, memory_mb: u32) {
        if let Some(Err(error)) = self.group.as_ref().map(|group| group.limit(memory_mb)) {
            tracing::warn!(%error, "a worker's control group could not be limited");
        }
        #[cfg(target_os = "linux")]
        if let Some(data) = watch::data(self.pid) {
            const MIB: u64 = 1024 * 1024;
            // Threads' stacks and what a heap sets aside count too, though little of it is ever used.
            let slack = match self.language {
                Language::Python => 64 * MIB,
                Language::Nodejs => 512 * MIB,
            };
            let most = data + u64::from(memory_mb) * MIB + slack;
            let limit = libc::rlimit64 { rlim_cur: most, rlim_max: most };
            let pid = self.pid.cast_signed();
            // SAFETY: the struct is only read, during the call. Should it fail, looking at what is used still holds.
            unsafe { libc::prlimit64(pid, libc::RLIMIT_DATA, &raw const limit, std::ptr::null_mut()) };
        }
        #[cfg(not(target_os = "linux"))]
        let _ = memory_mb;
    }

    /// Whether it has neither ended, nor said anything while nobody asked, nor filled its disk or kept processes in many
    /// short runs. Forgets what it printed meanwhile.
    pub(super) fn is_fresh(&mut self) -> bool {
        let now = Instant::now();
        if now >= self.next_far || self.had_children {
            if self.is_overfull() || self.has_children() {
                return false;
            }
            (self.next_far, self.had_children) = (after_far_look(now), false);
        }
        self.is_silent() && drain(&self.printed, None, 1 << 20) != Drained::Closed
    }

    /// Whether it has neither ended nor said anything. A spare may have been killed while it waited.
    pub(super) fn is_silent(&self) -> bool {
        let mut byte = [0];
        rustix::io::read(&self.answers, &mut byte) == Err(rustix::io::Errno::WOULDBLOCK)
    }

    /// Sends the frames and the event, and waits for what comes of it, keeping what is printed on the way.
    pub(super) async fn run(
        &mut self,
        (frames, event): (Vec<u8>, &[u8]),
        nonce: [u8; 8],
        Terms { mut deadline, memory_mb, mut turn, lingers }: Terms<'_>,
        printed: &mut Printed,
    ) -> Ended {
        let disk = disk(self.directory.as_deref(), self.pid);
        let (next_far, had_children) = (&mut self.next_far, &mut self.had_children);
        let pid = self.pid;
        let (requests, answers, quick) = (&mut self.requests, &mut self.answers, &mut self.quick);
        let linger = (lingers && *quick).then_some(LINGER);
        let pipe = &self.printed;
        // SAFETY: the pipe is this worker's, which is borrowed for longer than this is used.
        let heard = unsafe { BorrowedFd::borrow_raw(answers.as_raw_fd()) };
        let answered = |frame: std::io::Result<Option<(u8, Vec<u8>)>>, quick: &mut bool| match frame {
            Ok(Some((kind, body))) => match protocol::answer(kind, body, nonce) {
                Some(answer) => {
                    *quick = u128::from(answer.took_us) < LINGER.as_micros() / 2;
                    Ended::Answered(answer)
                }
                None => Ended::Garbled,
            },
            Ok(None) => Ended::Garbled,
            Err(_) => Ended::Gone,
        };
        let mut talk = pin!(async {
            send(requests, frames, event).await?;
            read_frame(answers, linger).await
        });
        let mut stopped = pin!(self.stop.notified());
        let first = if turn.is_some() { TURN } else { LOOK };
        let mut look = pin!(tokio::time::sleep_until(deadline.min(Instant::now() + first)));
        let mut pipe_open = true;
        loop {
            tokio::select! {
                biased;
                frame = &mut talk => {
                    drain(pipe, Some(printed), 1 << 20);
                    return answered(frame, quick);
                }
                () = &mut stopped => return Ended::Stopped,
                () = &mut look => {
                    let now = Instant::now();
                    deadline += overslept(look.deadline(), now);
                    if now < deadline && turn.take().is_some() {
                        look.as_mut().reset(deadline.min(Instant::now() + LOOK));
                        continue;
                    }
                    let far = now >= *next_far;
                    let usage = watch::usage(pid, far).unwrap_or_default();
                    // Files in memory count besides, but for what of them is mapped and so was counted.
                    let files = if far { watch::shared_files(disk) } else { 0 };
                    let memory = usage.memory + files.saturating_sub(usage.shared);
                    *had_children |= usage.has_children;
                    let verdict = if now >= deadline {
                        Some(Ended::TimedOut)
                    } else if memory > u64::from(memory_mb) * 1024 * 1024 {
                        Some(Ended::TooMuchMemory)
                    } else if usage.threads > MOST_THREADS {
                        Some(Ended::TooManyProcesses)
                    } else if far && watch::is_overfull(disk) {
                        Some(Ended::TooManyFiles)
                    } else {
                        None
                    };
                    if let Some(verdict) = verdict {
                        // What has been said already was said in time. The reactor may not have told of it yet: a signal
                        // ends its wait with nothing but the timers done.
                        if has_words(heard) && let Ok(frame) = timeout(REST, &mut talk).await {
                            drain(pipe, Some(printed), 1 << 20);
                            return answered(frame, quick);
                        }
                        return verdict;
                    }
                    if far {
                        *next_far = after_far_look(now);
                    }
                    look.as_mut().reset(deadline.min(Instant::now() + LOOK));
                }
                _ = pipe.readable(), if pipe_open => {
                    pipe_open = drain_ready(pipe, printed) != Drained::Closed;
                    // A worker that prints without end must not keep this thread from the others.
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    /// Ends the process and all below it.
    pub(super) fn kill(&mut self) {
        if let Some(process) = &mut self.process {
            process.kill();
        }
    }

    /// How it ended, if it does so shortly; it is killed if not.
    pub(super) async fn exit(&mut self) -> Option<ExitStatus> {
        let process = self.process.as_mut()?;
        match timeout(EXIT_GRACE, process.wait()).await {
            Ok(status) => status.ok(),
            Err(_) => {
                self.kill();
                None
            }
        }
    }

    /// What is left in its pipe once it is killed: reads until no process holds the other end.
    pub(super) async fn read_rest(&mut self, printed: &mut Printed) {
        let rest = async {
            while self.printed.readable().await.is_ok()
                && drain_ready(&self.printed, printed) != Drained::Closed
            {
                tokio::task::yield_now().await;
            }
        };
        // A process that outlives the kill for this long is in the kernel's hands.
        let _ = timeout(EXIT_GRACE, rest).await;
    }

    /// Whether the kernel has ended it, or what it started, for memory, and whose had run out. `None` where that is not
    /// known either.
    pub(super) fn shortage(&self) -> Option<Option<Shortage>> {
        self.group.as_ref().map(|group| group.shortage())
    }

    async fn last_words(&mut self) -> Logs {
        let mut printed = Printed::default();
        self.read_rest(&mut printed).await;
        printed.finish()
    }

    /// Clock ticks that it has used, for telling whether it rests.
    pub(super) fn ticks(&self) -> Option<u64> {
        watch::ticks(self.pid)
    }

    /// Whether it keeps more files than it may.
    pub(super) fn is_overfull(&self) -> bool {
        watch::is_overfull(disk(self.directory.as_deref(), self.pid))
    }

    /// Whether processes that it started are still there.
    pub(super) fn has_children(&self) -> bool {
        !watch::children(self.pid).is_empty()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.kill();
        let (process, directory, group) = (self.process.take(), self.directory.take(), self.group.take());
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            if let Some(mut process) = process {
                let _ = process.wait().await;
            }
            if let Some(group) = group {
                // Only when it is empty can it be removed: bubblewrap's inner process may still be on its way out.
                let gone = async {
                    while group.remove().is_err() {
                        tokio::time::sleep(LOOK).await;
                    }
                };
                let _ = timeout(EXIT_GRACE, gone).await;
            }
            // What can't be removed now goes when the server starts again.
            if let Some(directory) = directory
                && let Ok(Err(error)) = tokio::task::spawn_blocking(move || folder::remove(&directory)).await
            {
                tracing::warn!(%error, "a worker's folder could not be removed");
            }
        });
    }
}
