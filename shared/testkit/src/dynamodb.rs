//! DynamoDB on this machine: a program of its own, so that what it links doesn't decide what the platform does.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

/// Which program, as `make tools` installs it.
const PROGRAM: &str = "dynoxide";
/// How long it may take to start.
const START: Duration = Duration::from_secs(60);

/// How often to try again where another program has taken the port meanwhile.
const TRIES: usize = 10;

/// A DynamoDB with nothing in it. Ends with its value.
pub struct DynamoDb {
    child: Child,
    url: String,
}

impl DynamoDb {
    /// Starts one, on a free port of loopback.
    pub fn start() -> Self {
        let program = program();
        let mut said = Vec::new();
        for _ in 0..TRIES {
            let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
            match Self::on(&program, free.expect("loopback has a free port").port()) {
                Ok(started) => return started,
                Err(lines) => said = lines,
            }
        }
        panic!("the DynamoDB stand-in did not start: {said:?}");
    }

    /// Starts one on this port, or says what it said when it ended.
    fn on(program: &Path, port: u16) -> Result<Self, Vec<String>> {
        let mut command = Command::new(program);
        command.args(["serve", "--port", &port.to_string()]).stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the DynamoDB stand-in can be started");
        let stderr = child.stderr.take().expect("it is piped");
        let (told, heard) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                // Whoever waited may have what it wanted; the pipe is read on, so that nothing blocks on it.
                let _ = told.send(line);
            }
        });
        let started = Self { child, url: format!("http://127.0.0.1:{port}") };
        let mut said = Vec::new();
        loop {
            match heard.recv_timeout(START) {
                // It says so once it has the port.
                Ok(line) if line.contains("listening on") => return Ok(started),
                Ok(line) => said.push(line),
                Err(RecvTimeoutError::Disconnected) => return Err(said),
                Err(RecvTimeoutError::Timeout) => {
                    said.push(format!("nothing more within {START:?}"));
                    return Err(said);
                }
            }
        }
    }

    /// Where it is, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for DynamoDb {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where the program is: where `make tools` installs it, or on the `PATH`.
fn program() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    let target = test.ancestors().nth(3).expect("tests are in target/<profile>/deps");
    let installed = target.join("tools/bin").join(PROGRAM);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::iter::once(installed.clone())
        .chain(std::env::split_paths(&path).map(|directory| directory.join(PROGRAM)))
        .find(|candidate| candidate.is_file());
    found.unwrap_or_else(|| {
        panic!(
            "The DynamoDB stand-in that this test needs is neither {} nor on the PATH. Install it with: make tools",
            installed.display()
        )
    })
}
