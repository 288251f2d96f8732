//! What all parts of a simulated world share: the dice, the weather, what happened, and what was found wrong.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use app::Entropy;
use domain::Timestamp;
use ports::Clock;
use tokio::time::Instant;

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

pub(crate) struct World {
    dice: Mutex<Dice>,
    calm: AtomicBool,
    trouble: Mutex<Vec<String>>,
    history: Mutex<Vec<String>>,
    met: Mutex<BTreeMap<&'static str, u64>>,
    begun: OnceLock<Instant>,
}

/// Ids and leases: of the same dice as all else, so that a seed fixes them too.
impl Entropy for World {
    fn fill(&self, bytes: &mut [u8]) {
        let mut dice = lock(&self.dice);
        for part in bytes.chunks_mut(8) {
            part.copy_from_slice(&dice.word().to_le_bytes()[..part.len()]);
        }
    }
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            dice: Mutex::new(Dice(seed)),
            calm: AtomicBool::new(false),
            trouble: Mutex::default(),
            history: Mutex::default(),
            met: Mutex::default(),
            begun: OnceLock::new(),
        }
    }

    /// Notes what happened, under the name of its kind.
    pub(crate) fn note(&self, kind: &'static str, what: impl std::fmt::Display) {
        let millis = self.begun.get_or_init(Instant::now).elapsed().as_millis();
        *lock(&self.met).entry(kind).or_default() += 1;
        lock(&self.history).push(format!("{millis:>9} ms  {kind}: {what}"));
    }

    /// What happened, in order.
    pub(crate) fn history(&self) -> Vec<String> {
        lock(&self.history).clone()
    }

    /// How often each kind of thing happened.
    pub(crate) fn met(&self) -> BTreeMap<&'static str, u64> {
        lock(&self.met).clone()
    }

    pub(crate) fn roll(&self, below: u64) -> u64 {
        lock(&self.dice).word() % below.max(1)
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
        if millis > 60_000 {
            self.note("frozen", format_args!("somebody, for {millis} ms"));
        }
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }

    pub(crate) fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }

    pub(crate) fn calm_down(&self) {
        self.calm.store(true, Ordering::Relaxed);
    }

    pub(crate) fn complain(&self, what: String) {
        self.note("WRONG", &what);
        lock(&self.trouble).push(what);
    }

    pub(crate) fn trouble(&self) -> Vec<String> {
        lock(&self.trouble).clone()
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
