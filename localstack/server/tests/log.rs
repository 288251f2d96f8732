//! The log: what a line says, and that nobody waits for who reads it.

#![allow(clippy::unwrap_used, reason = "a test that can't go on says where")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Stdio};

use serde_json::{Value, json};
use testkit::{Client, Server};

/// A server whose stderr nobody reads yet.
struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
    url: String,
    _directory: tempfile::TempDir,
}

impl Running {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Server::command(&directory.path().join("data"));
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").unwrap().to_owned();
        Self { child, stdout, url, _directory: directory }
    }

    fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap()
    }

    fn terminate(&self) {
        // SAFETY: the child has not been waited for, so the pid is its own.
        unsafe { libc::kill(i32::try_from(self.child.id()).unwrap(), libc::SIGTERM) };
    }
}

fn parse(line: &str) -> Value {
    serde_json::from_str(line).expect(line)
}

#[tokio::test]
async fn lines_are_json_with_the_requests_id_and_no_secret() {
    let mut server = Running::start();
    let user = Client::new(&server.url).registered().await;
    let request = user.request(reqwest::Method::GET, "/users/me").header("x-request-id", "look-for-me");
    user.send(request).await.expect(200);
    server.terminate();
    let mut said = String::new();
    server.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(server.child.wait().unwrap().success());
    let mut rest = String::new();
    server.stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "", "stdout has one line only");

    let lines: Vec<Value> = said.lines().map(parse).collect();
    let mut request = lines.iter().find(|line| line["span"]["request_id"] == "look-for-me").cloned().unwrap();
    let timestamp = request["timestamp"].take();
    assert!(timestamp.as_str().unwrap().parse::<domain::Timestamp>().is_ok(), "{timestamp}");
    assert!(request["latency_ms"].take().is_number());
    assert_eq!(
        request,
        json!({
            "timestamp": null, "level": "INFO", "message": "request", "operation": "users.me", "method": "GET",
            "path": "/users/me", "status": 200, "latency_ms": null, "target": "web",
            "span": { "request_id": "look-for-me", "operation": "users.me", "name": "request" },
        })
    );
    assert!(lines.iter().any(|line| line.to_string().contains("sandbox")), "{said}");
    assert!(!said.contains(user.token().unwrap()) && !said.contains("correct horse battery"), "{said}");
}

#[test]
fn nobody_waits_for_a_slow_reader_who_is_told_what_is_missing() {
    let mut server = Running::start();
    // A line each: more than the pipe and the queue before it hold.
    const REQUESTS: usize = 6000;
    let mut socket = TcpStream::connect(server.address()).unwrap();
    let mut asking = socket.try_clone().unwrap();
    let asked = std::thread::spawn(move || {
        let request = format!("GET /nothing HTTP/1.1\r\nhost: {}\r\n\r\n", "x".repeat(64));
        asking.write_all(request.repeat(REQUESTS - 1).as_bytes()).unwrap();
        asking.write_all(b"GET /nothing HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    });
    let mut answers = String::new();
    socket.read_to_string(&mut answers).unwrap();
    asked.join().unwrap();
    assert_eq!(answers.matches("HTTP/1.1 404").count(), REQUESTS);
    let stderr = BufReader::new(server.child.stderr.take().unwrap());
    let (mut asked_to_end, mut told) = (false, 0);
    for line in stderr.lines() {
        let line = parse(&line.unwrap());
        if line["message"].as_str().is_some_and(|message| message.starts_with("stderr is read slower")) {
            assert_eq!(line["level"], "WARN");
            told += line["lines"].as_u64().unwrap();
            if !asked_to_end {
                server.terminate();
                asked_to_end = true;
            }
        }
    }
    assert!(told > 0);
    assert!(server.child.wait().unwrap().success());
}
