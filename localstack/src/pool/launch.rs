//! Starts processes, all from one thread: a worker asks the kernel to be killed with its parent, and to the kernel the
//! parent is the thread that started it, which therefore must last as long as the server.

use std::io;
use std::process::Command;
use std::sync::mpsc;

use tokio::process::Child;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

type Request = (Command, oneshot::Sender<io::Result<Child>>);

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
            for (command, reply) in received {
                let child = tokio::process::Command::from(command).kill_on_drop(true).spawn();
                // Whoever asked may have gone; the process then goes with the reply.
                let _ = reply.send(child);
            }
        })?;
        Ok(Self { requests })
    }

    pub(super) async fn spawn(&self, command: Command) -> io::Result<Child> {
        let (reply, child) = oneshot::channel();
        let gone = || io::Error::other("the launcher thread has ended");
        self.requests.send((command, reply)).map_err(|_| gone())?;
        child.await.map_err(|_| gone())?
    }
}
