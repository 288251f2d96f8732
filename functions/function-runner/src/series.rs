//! `period` and the series that it asks for.

use app::Series;
use domain::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// How far back to look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum Period {
    /// The last hour.
    #[serde(rename = "1h")]
    Hour,
    /// The last 24 hours.
    #[default]
    #[serde(rename = "24h")]
    Day,
    /// The last seven days.
    #[serde(rename = "7d")]
    Week,
    /// The last thirty days.
    #[serde(rename = "30d")]
    Month,
}

impl From<Period> for domain::metrics::Period {
    fn from(period: Period) -> Self {
        match period {
            Period::Hour => Self::Hour,
            Period::Day => Self::Day,
            Period::Week => Self::Week,
            Period::Month => Self::Month,
        }
    }
}

/// Which period.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PeriodQuery {
    /// `1h`, `24h` (the default), `7d` or `30d`.
    #[param(inline)]
    period: Option<Period>,
}

impl PeriodQuery {
    /// The period asked for.
    pub fn period(&self) -> Period {
        self.period.unwrap_or_default()
    }
}

/// A point of a series: an hour for `1h` and `24h`, a day for `7d` and `30d`.
#[derive(Serialize, ToSchema)]
pub struct Point {
    /// When it begins.
    #[schema(value_type = String, format = DateTime)]
    timestamp: Timestamp,
    /// How many runs ended in it.
    executions: u64,
    /// How many of those failed.
    errors: u64,
    /// Milliseconds that one took on average; 0 when nothing ran.
    avg_duration: f64,
}

/// The series of a period.
pub fn series(period: &Series) -> Vec<Point> {
    let points = period.points.iter().map(|(timestamp, counters)| Point {
        timestamp: *timestamp,
        executions: counters.executions(),
        errors: counters.error,
        avg_duration: counters.avg_duration(),
    });
    points.collect()
}
