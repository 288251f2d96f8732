//! The job machine, simulated: the platform's own code over a table, a queue, a runtime and a clock that do whatever
//! such things do on a bad day. Messages come twice, late or never; writes fail before or after they are done; processes
//! die, freeze and come back; clocks disagree and jump. The table checks every step, and when the storm is over every
//! job must end, once, and the counters must be the jobs.
//!
//! Time is tokio's paused one and there is one thread, so that hours take milliseconds. `FUNCTION_RUNNER_SCHEDULES` says
//! how many schedules are tried (`make simulate`: 20,000), `FUNCTION_RUNNER_SEED` the first. A seed fixes what goes wrong
//! and when; ids are the system's randomness all the same, so the order in which the janitor meets jobs may differ.

mod process;
mod queue;
mod runtime;
mod schedule;
mod table;
mod world;

use std::sync::atomic::{AtomicU64, Ordering};

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().expect(name))
}

#[test]
fn every_schedule_ends_well() {
    let (schedules, first) = (number("FUNCTION_RUNNER_SCHEDULES", 600), number("FUNCTION_RUNNER_SEED", 1));
    let next = AtomicU64::new(first);
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + schedules {
                        return;
                    }
                    let trouble = schedule::run(seed);
                    assert!(trouble.is_empty(), "FUNCTION_RUNNER_SEED={seed}: {}", trouble.join("\n"));
                }
            });
        }
    });
}
