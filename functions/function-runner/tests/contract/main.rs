//! The Function Runner API as a caller sees it. One module per resource; what holds of every
//! route of every API is in testkit's `every_route`.
//!
//! The same tests run against the server of one machine and, with `FUNCTION_RUNNER_TEST_URL`, against a deployed stack.

#![allow(clippy::unwrap_used, reason = "a test that can't go on says where")]

mod functions;
mod handlers;
mod idempotency;
mod invocations;
mod jobs;
mod keys;
mod lists;
mod metrics;
mod protocol;
mod triggers;
mod users;
mod versions;
mod workspaces;

/// An id that nothing has.
const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

/// What the emulator can't do, a test per line with the reason (`make emulator-test`). It may only get shorter.
const EMULATOR_SKIPS: &str = include_str!("emulator-skips.txt");
const MOST_EMULATOR_SKIPS: usize = 7;

#[test]
fn what_the_emulator_skips_is_there_and_gets_fewer() {
    let skips: Vec<_> =
        EMULATOR_SKIPS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert!(skips.len() <= MOST_EMULATOR_SKIPS, "{} tests are skipped", skips.len());
    for skip in skips {
        let (name, reason) = skip.split_once(": ").expect("`module::test: reason`");
        assert!(reason.len() > 20, "{name}: why?");
        let (module, test) = name.split_once("::").expect("a module and a test");
        let path = format!("{}/tests/contract/{module}.rs", env!("CARGO_MANIFEST_DIR"));
        let source = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(source.contains(&format!("fn {test}(")), "{name} is no test");
    }
}
