//! A server to test against.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{OnceLock, mpsc};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::Client;

/// A running server. Ends with its value; the shared one with the test process.
pub struct Server {
    url: String,
    child: Option<Child>,
    data: PathBuf,
    arguments: Vec<String>,
    _directory: Option<TempDir>,
}

/// How long a server may take to start.
const START: Duration = Duration::from_secs(60);

/// How long it may take to end, once it is told to.
const END: Duration = Duration::from_secs(60);

/// The shared server's process, for [`end_shared`]; 0 for none.
static SHARED: AtomicI32 = AtomicI32::new(0);

/// Statics are not dropped, so the shared server is ended by hand.
extern "C" fn end_shared() {
    let pid = SHARED.load(Ordering::SeqCst);
    if pid > 0 {
        // SAFETY: kill takes any pid; this one is a child that nobody has waited for.
        unsafe { libc::kill(pid, libc::SIGKILL) };
    }
}

impl Server {
    /// The server that this process's tests share; they keep apart by users of their own.
    pub fn shared() -> &'static Server {
        static SERVER: OnceLock<Server> = OnceLock::new();
        SERVER.get_or_init(|| {
            if let Ok(url) = std::env::var("FUNCTION_RUNNER_TEST_URL") {
                let url = url.trim_end_matches('/').to_owned();
                return Server {
                    url,
                    child: None,
                    data: PathBuf::new(),
                    arguments: Vec::new(),
                    _directory: None,
                };
            }
            let server = Server::start(&[]);
            let pid = server.child.as_ref().map_or(0, Child::id);
            SHARED.store(i32::try_from(pid).expect("a pid is an i32"), Ordering::SeqCst);
            // SAFETY: end_shared touches an atomic and calls kill, both of which are fine at exit.
            unsafe { libc::atexit(end_shared) };
            server
        })
    }

    /// A server of its own on a fresh data directory, with these arguments after `serve`.
    pub fn start(arguments: &[&str]) -> Server {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let mut server = Server::start_on(&directory.path().join("data"), arguments);
        server._directory = Some(directory);
        server
    }

    /// A server on a data directory that outlives it, with these arguments after `serve`. What it says goes to a file
    /// beside the directory.
    pub fn start_on(data: &Path, arguments: &[&str]) -> Server {
        let arguments = arguments.iter().map(|argument| argument.to_string()).collect();
        let data = data.to_owned();
        let mut server = Server { url: String::new(), child: None, data, arguments, _directory: None };
        server.begin();
        server
    }

    /// The binary that was built beside this test.
    pub fn binary() -> PathBuf {
        let test = std::env::current_exe().expect("a test knows where it is");
        let profile = test.parent().and_then(Path::parent).expect("tests are in target/<profile>/deps");
        let binary = profile.join("function-runner");
        assert!(binary.exists(), "{} is not built: cargo build --workspace", binary.display());
        binary
    }

    /// The command that starts a server on a data directory.
    pub fn command(data: &Path) -> Command {
        let mut command = Command::new(Server::binary());
        command.args(["serve", "--port", "0", "--data"]).arg(data);
        // Tests register many users from one address.
        command.env("FUNCTION_RUNNER_REGISTRATIONS_PER_SOURCE", "0");
        command.env("FUNCTION_RUNNER_LOG", "json").stdout(Stdio::piped());
        if std::env::var_os("FUNCTION_RUNNER_TEST_LOG").is_none() {
            command.stderr(Stdio::null());
        }
        command
    }

    /// Starts it again on the same data, after [`kill`](Self::kill) or [`stop`](Self::stop).
    pub fn begin(&mut self) {
        let mut command = Server::command(&self.data);
        // What it says is for when it does not start.
        let said = self.data.with_file_name("server.log");
        if std::env::var_os("FUNCTION_RUNNER_TEST_LOG").is_none() {
            command.stderr(std::fs::File::create(&said).expect("a temporary directory can be written to"));
        }
        let mut child = command.args(&self.arguments).spawn().expect("the server can be started");
        let stdout = child.stdout.take().expect("stdout is piped");
        let (told, first_line) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            BufReader::new(stdout).read_line(&mut line).expect("the server's stdout can be read");
            // Whoever waited may have given up.
            let _ = told.send(line);
        });
        let line = first_line.recv_timeout(START).unwrap_or_else(|_| {
            let _ = child.kill();
            format!("nothing within {START:?}")
        });
        let url = line.trim().strip_prefix("listening on ");
        self.url = match url {
            Some(url) => url.to_owned(),
            None => {
                let status = child.wait().expect("a child can be waited for");
                let said = std::fs::read_to_string(said).unwrap_or_default();
                panic!("the server did not start ({status}): {line:?} {said}");
            }
        };
        self.child = Some(child);
    }

    /// Where it is, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its data directory.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// A caller without a token.
    pub fn anyone(&self) -> Client {
        Client::new(&self.url)
    }

    /// A new user, logged in.
    pub async fn user(&self) -> Client {
        self.anyone().registered().await
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().expect("a child can be killed");
        ended(&mut child, "SIGKILL");
    }

    /// SIGTERM; how it exited, and how long that took.
    pub fn stop(&mut self) -> (ExitStatus, Duration) {
        let mut child = self.child.take().expect("it runs");
        let begun = Instant::now();
        let pid = i32::try_from(child.id()).expect("a pid is an i32");
        // SAFETY: the child has not been waited for, so the pid is its own.
        unsafe { libc::kill(pid, libc::SIGTERM) };
        (ended(&mut child, "SIGTERM"), begun.elapsed())
    }
}

/// How a child ended that has been sent a signal.
fn ended(child: &mut Child, signal: &str) -> ExitStatus {
    let deadline = Instant::now() + END;
    loop {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            return status;
        }
        assert!(Instant::now() < deadline, "the server did not end within {END:?} of {signal}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
