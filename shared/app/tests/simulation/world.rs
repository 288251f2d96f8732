//! What all parts of a simulated world share: the dice, the weather, and what was found wrong.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use domain::Timestamp;
use ports::Clock;
use tokio::time::Instant;

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below.max(1)
    }
}

pub(crate) struct World {
    dice: Mutex<Dice>,
    calm: AtomicBool,
    trouble: Mutex<Vec<String>>,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        Self { dice: Mutex::new(Dice(seed)), calm: AtomicBool::new(false), trouble: Mutex::default() }
    }

    pub(crate) fn roll(&self, below: u64) -> u64 {
        lock(&self.dice).roll(below)
    }

    /// Whether something that happens once in `n` times happens now. Nothing does once the weather is calm.
    pub(crate) fn once_in(&self, n: u64) -> bool {
        !self.is_calm() && self.roll(n) == 0
    }

    /// Takes some time: mostly little, now and then long enough for others to give up on whoever waits.
    pub(crate) async fn dawdle(&self) {
        let millis = match self.roll(100) {
            _ if self.is_calm() => 1,
            0 => self.roll(400_000),
            1..5 => self.roll(3000),
            _ => self.roll(10),
        };
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }

    pub(crate) fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }

    pub(crate) fn calm_down(&self) {
        self.calm.store(true, Ordering::Relaxed);
    }

    pub(crate) fn complain(&self, what: String) {
        lock(&self.trouble).push(what);
    }

    pub(crate) fn trouble(&self) -> Vec<String> {
        lock(&self.trouble).clone()
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics under a lock")
}

/// A process's clock: simulated time, and how wrong it is.
pub(crate) struct Skewed {
    start: Instant,
    millis: AtomicI64,
}

/// Simulated time begins at 2026-01-01.
const EPOCH: i64 = 1_767_225_600_000;

impl Skewed {
    pub(crate) fn new(start: Instant, millis: i64) -> Self {
        Self { start, millis: AtomicI64::new(millis) }
    }

    pub(crate) fn jump(&self, millis: i64) {
        self.millis.fetch_add(millis, Ordering::Relaxed);
    }

    pub(crate) fn skew(&self) -> i64 {
        self.millis.load(Ordering::Relaxed)
    }
}

impl Clock for Skewed {
    fn now(&self) -> Timestamp {
        let elapsed = i64::try_from(self.start.elapsed().as_millis()).expect("a simulation is short");
        Timestamp::from_millis(EPOCH + elapsed + self.skew())
    }
}
