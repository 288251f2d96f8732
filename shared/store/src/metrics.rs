//! Counters: written with the job they count, read by shard.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::metrics::{Counters, HOUR, KEEP, Period, bucket};
use domain::{Job, JobStatus, Result, Timestamp};
use futures::future::try_join_all;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use ports::{Attributes, Change, Condition, Item, Key, Sort, Write};
use serde_json::Value;

use crate::Store;
use crate::keys::{self, SHARDS, Scope};

/// How many functions a workspace has: an attribute of the first shard of its all-time counters.
pub(crate) const FUNCTIONS: &str = "functions";
/// How many scopes' counters are asked for at once.
const AT_ONCE: usize = 8;
const HISTOGRAM: &str = "h.";
const LAST: &str = "last_executed_at";

/// The counters of a period.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// One for each point of the series, oldest first.
    pub points: Vec<(Timestamp, Counters)>,
    /// All of them together.
    pub sum: Counters,
}

/// What a list shows of each of its entities.
#[derive(Clone, Debug, Default)]
pub struct Recent {
    /// Of a workspace: how many functions it has.
    pub functions: u64,
    /// The counters of the period.
    pub sum: Counters,
}

/// The writes that count a job's step from one status to another (`None`: it was not there).
pub(crate) fn moved(from: Option<JobStatus>, to: JobStatus) -> Vec<Change> {
    let mut changes = Vec::new();
    let gauge = |status, by| match status {
        JobStatus::Pending => Some(Change::Add("pending".into(), by)),
        JobStatus::Running => Some(Change::Add("running".into(), by)),
        JobStatus::Cancelled => Some(Change::Add("cancelled".into(), by)),
        JobStatus::Success | JobStatus::Error => None,
    };
    changes.extend(from.and_then(|status| gauge(status, -1)));
    changes.extend(gauge(to, 1));
    changes
}

/// The changes that count a run that ended.
fn executed(job: &Job) -> Vec<Change> {
    let duration = job.duration_us.unwrap_or(0);
    let mut changes = vec![
        Change::Add(if job.status == JobStatus::Success { "success" } else { "error" }.into(), 1),
        Change::Add("duration_us".into(), i64::try_from(duration).unwrap_or(i64::MAX)),
        Change::Add(format!("{HISTOGRAM}{}", bucket(duration)), 1),
    ];
    if job.cold_start {
        changes.push(Change::Add("cold_starts".into(), 1));
    }
    if let Some(at) = job.completed_at {
        changes.push(Change::Set(LAST.into(), at.to_string().into()));
    }
    changes
}

/// The writes to counters that go with a job's step.
pub(crate) fn writes(job: &Job, from: Option<JobStatus>) -> Vec<Write> {
    let shard = job.id.0 % SHARDS;
    let scopes = [Scope::Function(job.function_id), Scope::Workspace(job.workspace_id)];
    let mut moved = moved(from, job.status);
    let (JobStatus::Success | JobStatus::Error, Some(at)) = (job.status, job.completed_at) else {
        return vec![Write::Update(keys::total(scopes[0], shard), moved, Condition::None)];
    };
    let executed = executed(job);
    let start = at.floor(HOUR);
    let mut of_hour = executed.clone();
    of_hour.push(Change::Ttl(Some((start + KEEP).as_seconds())));
    let [function, workspace] = scopes.map(|scope| keys::metrics_partition(scope, shard));
    let hour = keys::hour(start);
    let update =
        |partition, sort, changes| Write::Update(Key::new(partition, sort), changes, Condition::None);
    moved.extend_from_slice(&executed);
    vec![
        update(function.clone(), keys::TOTAL.to_owned(), moved),
        update(workspace.clone(), keys::TOTAL.to_owned(), executed),
        update(function, hour.clone(), of_hour.clone()),
        update(workspace, hour, of_hour),
    ]
}

/// The write that uncounts a job that was never begun.
pub(crate) fn forget_running(job: &Job) -> Write {
    let key = keys::total(Scope::Function(job.function_id), job.id.0 % SHARDS);
    Write::Update(key, vec![Change::Add("running".into(), -1)], Condition::None)
}

impl Store {
    /// All-time counters.
    pub async fn totals(&self, scope: Scope) -> Result<Counters> {
        Ok(summed(&self.total_items(scope).await?))
    }

    /// All-time counters of a workspace, and how many functions it has.
    pub async fn workspace_totals(&self, id: domain::WorkspaceId) -> Result<(Counters, u64)> {
        let items = self.total_items(Scope::Workspace(id)).await?;
        Ok((summed(&items), functions(items.iter())))
    }

    /// Of each scope, the counters of a period up to now, added up; and of a workspace, how many functions it has.
    ///
    /// One read tells which of them ran anything in the period; only the counters of those are asked for, a few at a
    /// time.
    pub async fn recent(&self, scopes: &[Scope], period: Period, now: Timestamp) -> Result<Vec<Recent>> {
        let keys: Vec<_> = scopes
            .iter()
            .flat_map(|&scope| (0..SHARDS).map(move |shard| keys::total(scope, shard)))
            .collect();
        let items = self.table.get_many(&keys).await?;
        let start = period.start(now);
        let mut known = Vec::with_capacity(scopes.len());
        for (&scope, shards) in scopes.iter().zip(items.chunks(SHARDS as usize)) {
            let shards = || shards.iter().flatten();
            let last = shards().filter_map(|item| counters(&item.attributes).last_executed_at).max();
            let ran = last.is_some_and(|last| last >= start);
            known.push((scope, functions(shards()), ran));
        }
        let recent = async |(scope, functions, ran)| {
            let sum = if ran { self.period(scope, period, now).await?.sum } else { Counters::default() };
            Ok(Recent { functions, sum })
        };
        let recent: Vec<_> = known.into_iter().map(recent).collect();
        stream::iter(recent).buffered(AT_ONCE).try_collect().await
    }

    async fn total_items(&self, scope: Scope) -> Result<Vec<Item>> {
        let keys: Vec<_> = (0..SHARDS).map(|shard| keys::total(scope, shard)).collect();
        Ok(self.table.get_many(&keys).await?.into_iter().flatten().collect())
    }

    /// The counters of a period up to now.
    pub async fn period(&self, scope: Scope, period: Period, now: Timestamp) -> Result<Series> {
        let mut points: BTreeMap<Timestamp, Counters> =
            period.points(now).into_iter().map(|point| (point, Counters::default())).collect();
        let hours = Sort::Between(keys::hour(period.start(now)), keys::hour(now));
        let partitions: Vec<_> = (0..SHARDS).map(|shard| keys::metrics_partition(scope, shard)).collect();
        let shards = partitions.iter().map(|partition| self.whole(partition, hours.clone()));
        for item in try_join_all(shards).await?.iter().flatten() {
            add_hour(&mut points, item, period.width());
        }
        let mut sum = Counters::default();
        points.values().for_each(|point| sum.merge(point));
        Ok(Series { points: points.into_iter().collect(), sum })
    }
}

/// The counters of all shards together.
fn summed(shards: &[Item]) -> Counters {
    let mut sum = Counters::default();
    shards.iter().for_each(|item| sum.merge(&counters(&item.attributes)));
    sum
}

/// How many functions a workspace has, of the shards of its all-time counters.
fn functions<'a>(shards: impl Iterator<Item = &'a Item>) -> u64 {
    u64::try_from(shards.map(functions_of).sum::<i64>()).unwrap_or(0)
}

/// How many functions a workspace has, as the first shard of its all-time counters says.
pub(crate) fn functions_of(item: &Item) -> i64 {
    number(&item.attributes, FUNCTIONS)
}

fn add_hour(points: &mut BTreeMap<Timestamp, Counters>, item: &Item, width: Duration) {
    let start = item.key.sk.strip_prefix("HOUR#").and_then(|text| text.parse::<Timestamp>().ok());
    if let Some(point) = start.and_then(|start| points.get_mut(&start.floor(width))) {
        point.merge(&counters(&item.attributes));
    }
}

fn number(attributes: &Attributes, name: &str) -> i64 {
    attributes.get(name).and_then(Value::as_i64).unwrap_or(0)
}

fn counters(attributes: &Attributes) -> Counters {
    let count = |name| u64::try_from(number(attributes, name)).unwrap_or(0);
    Counters {
        success: count("success"),
        error: count("error"),
        duration_us: count("duration_us"),
        cold_starts: count("cold_starts"),
        histogram: ports::table::with_prefix(attributes, HISTOGRAM)
            .into_iter()
            .filter_map(|(bucket, runs)| Some((bucket.parse().ok()?, u64::try_from(runs).ok()?)))
            .collect(),
        last_executed_at: attributes.get(LAST).and_then(Value::as_str).and_then(|text| text.parse().ok()),
        pending: number(attributes, "pending"),
        running: number(attributes, "running"),
        cancelled: count("cancelled"),
    }
}
