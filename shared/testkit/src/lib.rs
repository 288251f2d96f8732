//! Tests as a caller sees the platform: a real server, HTTP in, HTTP out.
//!
//! The server is this workspace's `function-runner` binary on a data directory of its own, or whatever answers at
//! `FUNCTION_RUNNER_TEST_URL` (a deployed stack, an emulator).

mod client;
mod dynamodb;
mod echo;
pub mod recorder;
mod rules;
mod server;

pub use client::{Answer, Client, poll};
pub use dynamodb::DynamoDb;
pub use echo::Echo;
pub use rules::rules;
pub use server::Server;

use app::functions::NewFunction;
use domain::{ExecutionType, Language, Settings, WorkspaceId};

/// A Python handler that answers `{"event": event, "from": "python"}` and prints `hello`.
pub const ECHO_PY: &str =
    "def handler(event):\n    print('hello')\n    return {'event': event, 'from': 'python'}\n";

/// The same in Node.js.
pub const ECHO_JS: &str =
    "exports.handler = async (event) => { console.log('hello'); return {event, from: 'node'}; };\n";

/// A private SYNC function that answers each event with itself.
pub fn new_function(workspace_id: WorkspaceId, name: &str) -> NewFunction {
    NewFunction {
        workspace_id,
        name: name.to_owned(),
        description: String::new(),
        language: Language::Python,
        code: "def handler(event): return event".to_owned(),
        execution_type: ExecutionType::Sync,
        endpoint: None,
        public: false,
        http_methods: None,
        runtime_label: None,
        settings: Settings::default(),
    }
}

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
