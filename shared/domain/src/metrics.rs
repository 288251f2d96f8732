//! Counters kept at write time, per hour and all-time, so that reading a period costs the same whether a function ran
//! ten times or ten million.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// The width of a stored bucket.
pub const HOUR: Duration = Duration::from_secs(3600);
/// The width of a point in the longer series.
pub const DAY: Duration = Duration::from_secs(24 * 3600);
/// How long the hourly counters are kept: the longest period, and some.
pub const KEEP: Duration = Duration::from_secs(35 * 24 * 3600);

/// What a caller can ask to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// The last hour.
    Hour,
    /// The last 24 hours.
    Day,
    /// The last seven days.
    Week,
    /// The last thirty days.
    Month,
}

impl Period {
    /// How long it is.
    pub fn length(self) -> Duration {
        match self {
            Self::Hour => HOUR,
            Self::Day => DAY,
            Self::Week => DAY * 7,
            Self::Month => DAY * 30,
        }
    }

    /// The width of a point of its series.
    pub fn width(self) -> Duration {
        match self {
            Self::Hour | Self::Day => HOUR,
            Self::Week | Self::Month => DAY,
        }
    }

    /// The start of the first point: the point that holds the moment one period ago.
    pub fn start(self, now: Timestamp) -> Timestamp {
        now.minus(self.length()).floor(self.width())
    }

    /// The start of every point, up to the one that holds `now`.
    pub fn points(self, now: Timestamp) -> Vec<Timestamp> {
        std::iter::successors(Some(self.start(now)), |&point| Some(point + self.width()))
            .take_while(|&point| point <= now)
            .collect()
    }
}

/// What is counted of runs that ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counters {
    /// Runs that succeeded.
    pub success: u64,
    /// Runs that failed.
    pub error: u64,
    /// Microseconds in handlers, all together.
    pub duration_us: u64,
    /// Runs that had to load their code first.
    pub cold_starts: u64,
    /// How many runs took how long: [`bucket`] → runs.
    pub histogram: BTreeMap<u8, u64>,
    /// When the last of them ended.
    pub last_executed_at: Option<Timestamp>,
    /// Jobs that wait. All-time counters only.
    pub pending: i64,
    /// Jobs that run. All-time counters only.
    pub running: i64,
    /// Jobs that were withdrawn. All-time counters only.
    pub cancelled: u64,
}

impl Counters {
    /// Runs that ended.
    pub fn executions(&self) -> u64 {
        self.success + self.error
    }

    /// Adds another's counts to these.
    pub fn merge(&mut self, other: &Counters) {
        self.success += other.success;
        self.error += other.error;
        self.duration_us += other.duration_us;
        self.cold_starts += other.cold_starts;
        for (&bucket, runs) in &other.histogram {
            *self.histogram.entry(bucket).or_default() += runs;
        }
        self.last_executed_at = self.last_executed_at.max(other.last_executed_at);
        self.pending += other.pending;
        self.running += other.running;
        self.cancelled += other.cancelled;
    }

    /// The fraction of the runs that succeeded, from 0 to 1 with 4 decimals; 0 when nothing ran.
    pub fn success_rate(&self) -> f64 {
        match self.executions() {
            0 => 0.0,
            all => (self.success as f64 * 10_000.0 / all as f64).round() / 10_000.0,
        }
    }

    /// Percent of the runs that failed, 2 decimals; 0 when nothing ran.
    pub fn error_rate(&self) -> f64 {
        match self.executions() {
            0 => 0.0,
            all => (self.error as f64 * 10_000.0 / all as f64).round() / 100.0,
        }
    }

    /// Milliseconds of a run on average; 0 when nothing ran.
    pub fn avg_duration(&self) -> f64 {
        match self.executions() {
            0 => 0.0,
            all => round3(self.duration_us as f64 / 1000.0 / all as f64),
        }
    }

    /// Milliseconds that `percent` of the runs did not exceed, within a bucket's width (19 %); 0 when nothing ran.
    pub fn percentile(&self, percent: f64) -> f64 {
        let all: u64 = self.histogram.values().sum();
        if all == 0 {
            return 0.0;
        }
        let rank = (percent / 100.0 * all as f64).max(1.0);
        let mut seen = 0.0;
        for (&bucket, &runs) in &self.histogram {
            let runs = runs as f64;
            if seen + runs >= rank {
                let (low, high) =
                    (if bucket == 0 { 0.0 } else { upper_bound(bucket - 1) }, upper_bound(bucket));
                // The middle of the bucket where it has one run, and not its end.
                let part = ((rank - seen - 0.5) / runs).clamp(0.0, 1.0);
                return round3((low + (high - low) * part) / 1000.0);
            }
            seen += runs;
        }
        0.0
    }
}

fn round3(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// Where the first bucket ends, in microseconds.
const FIRST_END: f64 = 10.0;
/// The highest bucket: 900 s and all above.
const LAST_BUCKET: u8 = 106;

/// The bucket of a duration: four to each doubling, the first ending at 10 µs.
pub fn bucket(duration_us: u64) -> u8 {
    if duration_us as f64 <= FIRST_END {
        return 0;
    }
    let steps = ((duration_us as f64 / FIRST_END).log2() * 4.0).ceil();
    if steps >= f64::from(LAST_BUCKET) { LAST_BUCKET } else { steps as u8 }
}

/// Where a bucket ends, in microseconds.
fn upper_bound(bucket: u8) -> f64 {
    FIRST_END * (f64::from(bucket) / 4.0).exp2()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_lies_in_its_bucket() {
        for us in [0, 1, 10, 11, 12, 100, 101, 118, 119, 120, 1_000, 29_999_999, 900_000_000] {
            let bucket = bucket(us);
            assert!(us as f64 <= upper_bound(bucket) + 1e-6, "{us} in {bucket}");
            assert!(bucket == 0 || us as f64 > upper_bound(bucket - 1), "{us} in {bucket}");
        }
        assert_eq!(bucket(u64::MAX), LAST_BUCKET);
    }

    #[test]
    fn percentiles_are_within_a_bucket() {
        let mut counters = Counters::default();
        for ms in 1..=1000u64 {
            *counters.histogram.entry(bucket(ms * 1000)).or_default() += 1;
        }
        for (percent, exact) in [(50.0, 500.0), (95.0, 950.0), (99.0, 990.0)] {
            let got = counters.percentile(percent);
            assert!((got / exact - 1.0).abs() < 0.19, "p{percent}: {got}");
        }
    }

    #[test]
    fn a_period_is_covered_whole() {
        let now = "2024-03-10T13:20:00Z".parse().unwrap();
        assert_eq!(Period::Hour.points(now).len(), 2);
        assert_eq!(Period::Day.points(now).len(), 25);
        assert_eq!(Period::Week.points(now).len(), 8);
        assert_eq!(Period::Month.points(now).len(), 31);
    }
}
