//! The job machine, simulated: the platform's own code over a table, a queue, a runtime and a clock that do whatever
//! such things do on a bad day. Messages come twice, late or never; writes fail before or after they are done; processes
//! die, freeze and come back; clocks disagree and jump. The table checks every step, and when the storm is over every
//! job must end, once, and the counters must be the jobs.
//!
//! Time is tokio's paused one and there is one thread, so that hours take milliseconds. A seed fixes all that happens,
//! ids included. `FUNCTION_RUNNER_SCHEDULES` says how many schedules are tried (`make simulate`: 20,000),
//! `FUNCTION_RUNNER_SEED` the first. One that ends badly is told with its seed; its history, which is long, is in a file:
//!
//! ```sh
//! FUNCTION_RUNNER_SEED=4711 FUNCTION_RUNNER_SCHEDULES=1 cargo test -p app --test simulation   # plays it again
//! ```

mod kinds;
mod process;
mod queue;
mod runtime;
mod schedule;
mod table;
mod world;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use schedule::End;
use world::lock;

/// Takes some ten seconds in a debug build.
const USUAL: u64 = 300;

/// What must be met among so many schedules, or they are not the storm that they are meant to be.
const ALL: [&str; 12] = [
    "lost message",
    "doubled message",
    "late message",
    "dead letter",
    "stale receipt",
    "refused write",
    "storm",
    "frozen",
    "clock jump",
    "kill",
    "stop",
    "deleted",
];

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().expect(name))
}

/// Writes down what happened, and says where.
fn keep(seed: u64, end: &End) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("simulation-{seed}.txt"));
    std::fs::write(&path, end.history.join("\n")).expect("the target folder can be written to");
    path
}

#[test]
fn every_schedule_ends_well() {
    let (schedules, first) = (number("FUNCTION_RUNNER_SCHEDULES", USUAL), number("FUNCTION_RUNNER_SEED", 1));
    let next = AtomicU64::new(first);
    let (failed, met) = (Mutex::new(Vec::new()), Mutex::new(BTreeMap::new()));
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + schedules || !lock(&failed).is_empty() {
                        return;
                    }
                    let end = schedule::run(seed);
                    for (kind, times) in &end.met {
                        *lock(&met).entry(*kind).or_insert(0) += times;
                    }
                    if !end.trouble.is_empty() {
                        lock(&failed).push((seed, end));
                    }
                }
            });
        }
    });
    let met = met.into_inner().expect("no thread panicked");
    println!("{schedules} schedules from seed {first}: {met:?}");
    if let Some((seed, end)) = failed.into_inner().expect("no thread panicked").pop() {
        let (trouble, path) = (end.trouble.join("\n"), keep(seed, &end));
        panic!("FUNCTION_RUNNER_SEED={seed}: {trouble}\nAll that happened is in {}", path.display());
    }
    if schedules >= USUAL {
        for kind in ALL {
            assert!(met.contains_key(kind), "no schedule had a {kind}: {met:?}");
        }
    }
}

#[test]
fn a_seed_fixes_all_that_happens() {
    for seed in 1..=20 {
        let (once, again) = (schedule::run(seed), schedule::run(seed));
        let parted = once.history.iter().zip(&again.history).find(|(one, other)| one != other);
        assert_eq!(parted, None, "seed {seed}");
        assert_eq!(once.history.len(), again.history.len(), "seed {seed}");
        assert!(once.history.len() > 20, "seed {seed}");
    }
}
