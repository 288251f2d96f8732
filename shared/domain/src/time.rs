//! Time as the platform tells it: milliseconds since the Unix epoch, written as RFC 3339 UTC with a `Z`.

use std::fmt;
use std::ops::Add;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A moment, in milliseconds since 1970-01-01T00:00:00Z.
///
/// Its text always has three decimals (`2024-01-01T00:00:00.000Z`), so that texts sort as the moments do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Of milliseconds since the epoch; what no calendar can show is clamped to what it can.
    pub fn from_millis(millis: i64) -> Self {
        Self(millis.clamp(jiff::Timestamp::MIN.as_millisecond(), jiff::Timestamp::MAX.as_millisecond()))
    }

    /// Milliseconds since the epoch.
    pub fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub fn as_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Milliseconds from `earlier` to this; 0 if `earlier` is later.
    pub fn millis_since(self, earlier: Timestamp) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }

    /// As web servers write it in their logs: `12/Mar/2020:19:03:58 +0000`.
    pub fn common_log(self) -> String {
        let moment = jiff::Timestamp::from_millisecond(self.0).unwrap_or_default();
        moment.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string()
    }

    /// This moment, less the duration.
    pub fn minus(self, duration: Duration) -> Self {
        Self::from_millis(self.0.saturating_sub(millis(duration)))
    }

    /// The start of the bucket of `width` that holds this moment, counted from the epoch.
    pub fn floor(self, width: Duration) -> Self {
        Self::from_millis(self.0 - self.0.rem_euclid(millis(width).max(1)))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self::from_millis(self.0.saturating_add(millis(duration)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = jiff::Timestamp::from_millisecond(self.0).map_err(|_| fmt::Error)?;
        write!(f, "{moment:.3}")
    }
}

impl FromStr for Timestamp {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<jiff::Timestamp>().map(|moment| Self(moment.as_millisecond()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_sort_as_moments_do() {
        let (early, late) =
            (Timestamp::from_millis(1_704_067_200_000), Timestamp::from_millis(1_704_067_200_010));
        assert_eq!(early.to_string(), "2024-01-01T00:00:00.000Z");
        assert!(early.to_string() < late.to_string());
        assert_eq!(early.common_log(), "01/Jan/2024:00:00:00 +0000");
        assert_eq!("2024-01-01T09:00:00+09:00".parse::<Timestamp>().unwrap(), early);
    }

    #[test]
    fn buckets_start_on_their_width() {
        let moment = "2024-01-01T13:59:59.999Z".parse::<Timestamp>().unwrap();
        assert_eq!(moment.floor(Duration::from_secs(3600)).to_string(), "2024-01-01T13:00:00.000Z");
    }
}
