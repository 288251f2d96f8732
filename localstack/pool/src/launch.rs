//! Starts processes, all from one thread: a worker asks the kernel to be killed with its parent, and to the kernel the
//! parent is the thread that started it, which therefore must last as long as the server.

use std::io;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use sandbox::cgroup::Cgroup;
use tokio::process::Child;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::watch;

/// A process that is killed, with all below it, when this is dropped.
#[derive(Debug)]
pub(super) struct Process(Child);

impl Process {
    /// Its id, until it has been waited for.
    pub(super) fn id(&self) -> Option<u32> {
        self.0.id()
    }

    /// Kills it and all below it. Those below first: bubblewrap's inner process, if it is killed before it asked to die
    /// with the outer one, would wait for that one for ever.
    pub(super) fn kill(&mut self) {
        let Some(pid) = self.0.id() else { return };
        for below in watch::descendants(pid) {
            kill(below);
        }
        // Fails only where it has ended already.
        let _ = self.0.start_kill();
    }

    /// Waits until it has ended.
    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.0.wait().await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn kill(pid: u32) {
    // SAFETY: no memory is touched.
    unsafe { libc::kill(pid.cast_signed(), libc::SIGKILL) };
}

/// Kills what a server that was itself killed left of bubblewrap, in the middle of starting a worker: processes that
/// have this folder, which is a server's own, among their arguments.
pub(super) fn kill_leftovers(folder: &Path) {
    use std::os::unix::ffi::OsStrExt;
    // By whole names: another server's folder may begin as this one does.
    let is_below = |word: &[u8]| Path::new(std::ffi::OsStr::from_bytes(word)).starts_with(folder);
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let mut words = line.split(|&byte| byte == 0);
        if words.next().is_some_and(|program| program.ends_with(b"bwrap")) && words.any(is_below) {
            kill(pid);
        }
    }
}

/// How often it is looked whether a process is there that is about to be.
const SOON: Duration = Duration::from_millis(1);

type Request = (Command, Option<Arc<Cgroup>>, oneshot::Sender<io::Result<Process>>);

/// The thread.
#[derive(Clone, Debug)]
pub(super) struct Launcher {
    requests: mpsc::Sender<Request>,
}

impl Launcher {
    /// Starts the thread. Call it within the runtime that will look after the processes.
    pub(super) fn start() -> io::Result<Self> {
        let (requests, received) = mpsc::channel::<Request>();
        let runtime = Handle::current();
        std::thread::Builder::new().name("launcher".into()).stack_size(256 * 1024).spawn(move || {
            let _inside = runtime.enter();
            for (command, group, reply) in received {
                let spawn = || tokio::process::Command::from(command).kill_on_drop(true).spawn();
                let child = match group {
                    Some(group) => group.start(spawn),
                    None => spawn(),
                };
                // Whoever asked may have gone; the process then goes with the reply.
                let _ = reply.send(child.map(Process));
            }
        })?;
        Ok(Self { requests })
    }

    /// Starts a process, in the group if that [takes it in so](Cgroup::takes_at_start).
    pub(super) async fn spawn(&self, command: Command, group: Option<Arc<Cgroup>>) -> io::Result<Process> {
        let (reply, process) = oneshot::channel();
        let gone = || io::Error::other("the launcher thread has ended");
        self.requests.send((command, group, reply)).map_err(|_| gone())?;
        process.await.map_err(|_| gone())?
    }
}

/// The interpreter of what was started as `outer`: itself, or (`inside` bubblewrap) the child of that one's inner process.
pub(super) fn interpreter(outer: u32, inside: bool) -> Option<u32> {
    if !inside {
        return Some(outer);
    }
    let inner = *watch::children(outer).first()?;
    watch::children(inner).first().copied()
}

/// Takes the interpreter of what was started as `outer` into a group as soon as it is there. No user code runs by then.
pub(super) async fn place(group: Arc<Cgroup>, outer: u32, inside: bool) -> io::Result<()> {
    let pid = loop {
        match interpreter(outer, inside) {
            Some(pid) => break pid,
            None => tokio::time::sleep(SOON).await,
        }
    };
    // The kernel waits until every processor has taken note: not on a thread that serves others meanwhile.
    tokio::task::spawn_blocking(move || group.add(pid)).await.map_err(io::Error::other)?
}
