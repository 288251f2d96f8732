//! Ends the test where it waits for too long, and says for what, and what the server does meanwhile: a test that hangs
//! says nothing.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use testkit::Server;

/// How long anything may take that is waited for: longer than a request, or a start, may.
const PATIENCE: Duration = Duration::from_secs(240);
/// How much of the server's log is shown.
const LINES: usize = 60;

/// Somebody who looks at the clock.
pub(crate) struct Watch {
    state: Arc<Mutex<State>>,
}

struct State {
    what: String,
    since: Instant,
    server: u32,
    log: PathBuf,
}

impl Watch {
    /// Begins to watch.
    pub(crate) fn start(server: &Server) -> Self {
        let log = server.data().with_file_name("server.log");
        let state =
            State { what: "the first functions".into(), since: Instant::now(), server: server.pid(), log };
        let state = Arc::new(Mutex::new(state));
        let watched = Arc::downgrade(&state);
        std::thread::spawn(move || {
            while let Some(state) = watched.upgrade() {
                let state = state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                if state.since.elapsed() > PATIENCE {
                    state.give_up();
                }
                drop(state);
                std::thread::sleep(Duration::from_millis(200));
            }
        });
        Self { state }
    }

    /// This is waited for now.
    pub(crate) fn waits_for(&self, what: &str) {
        let mut state = self.state.lock().unwrap();
        (state.what, state.since) = (what.to_owned(), Instant::now());
    }

    /// The server is another process now.
    pub(crate) fn looks_at(&self, server: &Server) {
        self.state.lock().unwrap().server = server.pid();
    }
}

impl State {
    #[expect(clippy::print_stderr, reason = "the process ends here, and nobody is left to be told otherwise")]
    fn give_up(&self) -> ! {
        eprintln!("after {PATIENCE:?} it still waits for {}; the server's threads:", self.what);
        let tasks = fs::read_dir(format!("/proc/{}/task", self.server));
        for task in tasks.into_iter().flatten().flatten() {
            let read = |name: &str| fs::read_to_string(task.path().join(name)).unwrap_or_default();
            let stat = read("stat");
            let run = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next()).unwrap_or("?");
            eprintln!("  {} {run} {} {}", read("comm").trim(), read("wchan").trim(), read("syscall").trim());
        }
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        eprintln!("the end of its log:\n{}", lines[lines.len().saturating_sub(LINES)..].join("\n"));
        if let Some(pid) = i32::try_from(self.server).ok().and_then(rustix::process::Pid::from_raw) {
            // It may have ended.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        std::process::exit(101);
    }
}
