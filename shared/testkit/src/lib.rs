//! Tests as a caller sees the platform: a real server, HTTP in, HTTP out.
//!
//! The server is this workspace's `function-runner` binary on a data directory of its own, or whatever answers at
//! `FUNCTION_RUNNER_TEST_URL` (a deployed stack, an emulator).

mod client;
mod dynamodb;
pub mod recorder;
mod rules;
mod server;

pub use client::{Answer, Client, poll};
pub use dynamodb::DynamoDb;
pub use rules::rules;
pub use server::Server;

/// A Python handler that answers `{"event": event, "from": "python"}` and prints `hello`.
pub const ECHO_PY: &str =
    "def handler(event):\n    print('hello')\n    return {'event': event, 'from': 'python'}\n";

/// The same in Node.js.
pub const ECHO_JS: &str =
    "exports.handler = async (event) => { console.log('hello'); return {event, from: 'node'}; };\n";

/// What was compressed with gzip.
pub fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    let read = std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(bytes), &mut whole);
    read.expect("the body is gzip");
    whole
}

/// A name that no other test has.
pub fn unique(prefix: &str) -> String {
    format!("{prefix}{}", &uuid::Uuid::new_v4().simple().to_string()[..12])
}
