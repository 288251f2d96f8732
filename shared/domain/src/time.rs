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
        match self.text() {
            Some(text) => f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?),
            None => {
                let moment = jiff::Timestamp::from_millisecond(self.0).map_err(|_| fmt::Error)?;
                write!(f, "{moment:.3}")
            }
        }
    }
}

impl Timestamp {
    /// The text of a moment from 1970 to 9999, in a tenth of the time that a calendar takes for any: a run writes ten.
    fn text(self) -> Option<[u8; 24]> {
        let millis = u64::try_from(self.0).ok()?;
        let (days, of_day) = (millis / 86_400_000, millis % 86_400_000);
        // Days of the proleptic Gregorian calendar, counted from a 1 March, so that leap days come last. Source: Howard
        // Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
        let days = days + 719_468;
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        let year = era * 400 + year_of_era + u64::from(month <= 2);
        let mut text = *b"0000-00-00T00:00:00.000Z";
        let parts = [
            (0, 4, year),
            (5, 2, month),
            (8, 2, day),
            (11, 2, of_day / 3_600_000),
            (14, 2, of_day / 60_000 % 60),
            (17, 2, of_day / 1000 % 60),
            (20, 3, of_day % 1000),
        ];
        for (at, digits, mut number) in parts {
            for place in text[at..at + digits].iter_mut().rev() {
                *place += (number % 10) as u8;
                number /= 10;
            }
        }
        (year <= 9999).then_some(text)
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
    use proptest::prelude::*;

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

    proptest! {
        #[test]
        fn any_moment_is_written_as_a_calendar_has_it(millis in -1_000_000_000_000_i64..253_402_207_200_000) {
            let moment = Timestamp::from_millis(millis);
            let calendar = jiff::Timestamp::from_millisecond(moment.0).unwrap();
            prop_assert_eq!(moment.to_string(), format!("{calendar:.3}"));
            prop_assert_eq!(moment.to_string().parse::<Timestamp>().unwrap(), moment);
        }
    }

    #[test]
    fn the_ends_of_months_and_years_are_written_as_a_calendar_has_them() {
        for (year, month) in (1970..=9999).flat_map(|year| [(year, 1), (year, 3)]) {
            let first = jiff::civil::date(year, month, 1).to_zoned(jiff::tz::TimeZone::UTC).unwrap();
            for millis in [-1, 0, 86_399_999] {
                let millis = first.timestamp().as_millisecond() + millis;
                let calendar = jiff::Timestamp::from_millisecond(millis).unwrap();
                assert_eq!(Timestamp(millis).to_string(), format!("{calendar:.3}"));
            }
        }
    }

    #[test]
    fn buckets_start_on_their_width() {
        let moment = "2024-01-01T13:59:59.999Z".parse::<Timestamp>().unwrap();
        assert_eq!(moment.floor(Duration::from_secs(3600)).to_string(), "2024-01-01T13:00:00.000Z");
    }
}
