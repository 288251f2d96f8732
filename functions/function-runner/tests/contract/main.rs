//! The Function Runner API as a caller sees it. One module per resource; what holds of every
//! route of every API is in the catalogue's `every_route`.
//!
//! The same tests run against the server of one machine and, with `FUNCTION_RUNNER_TEST_URL`, against a deployed stack.

#![allow(clippy::unwrap_used, reason = "a test that can't go on says where")]

mod checks;
mod functions;
mod handlers;
mod idempotency;
mod invocations;
mod jobs;
mod keys;
mod lists;
mod metrics;
mod payloads;
mod protocol;
mod triggers;
mod users;
mod versions;
mod workspaces;

/// An id that nothing has.
const NOBODY: &str = "00000000-0000-4000-8000-000000000000";
