//! Workers that wait for their function's next invocation, and who is busy with which.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use domain::FunctionId;
use ports::Invocation;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::worker::Worker;

/// What a worker has become: it serves no invocation of another version, or with other settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Role {
    pub(super) function: FunctionId,
    version: u32,
    settings: u64,
}

impl Role {
    pub(super) fn of(invocation: &Invocation) -> Self {
        let mut hasher = DefaultHasher::new();
        invocation.version.code_sha256.hash(&mut hasher);
        invocation.version.module.hash(&mut hasher);
        invocation.function_name.hash(&mut hasher);
        invocation.settings.memory_mb.hash(&mut hasher);
        invocation.settings.environment.hash(&mut hasher);
        Self {
            function: invocation.version.function_id,
            version: invocation.version.version,
            settings: hasher.finish(),
        }
    }
}

#[derive(Debug)]
struct Idle {
    worker: Worker,
    since: Instant,
    /// What it had used of a processor when it was last looked at.
    ticks: Option<u64>,
}

/// The workers of all functions.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    idle: HashMap<Role, Vec<Idle>>,
    busy: HashMap<u64, (FunctionId, Arc<Notify>)>,
    next: u64,
}

impl Shelf {
    /// The worker of this role that rested the shortest, and is the warmest.
    pub(super) fn take(&mut self, role: &Role) -> Option<Worker> {
        let idle = self.idle.get_mut(role)?;
        let taken = idle.pop();
        if idle.is_empty() {
            self.idle.remove(role);
        }
        taken.map(|idle| idle.worker)
    }

    pub(super) fn put(&mut self, role: Role, worker: Worker) {
        let idle = Idle { ticks: None, worker, since: Instant::now() };
        self.idle.entry(role).or_default().push(idle);
    }

    /// Notes that a worker is busy; the number is for [`rest`](Self::rest).
    pub(super) fn begin(&mut self, function: FunctionId, stop: Arc<Notify>) -> u64 {
        self.next += 1;
        self.busy.insert(self.next, (function, stop));
        self.next
    }

    /// Notes that it no longer is. Whether it may be used again: not if its function was removed meanwhile.
    pub(super) fn end(&mut self, number: u64) -> bool {
        self.busy.remove(&number).is_some()
    }

    /// How many there are, busy and idle.
    pub(super) fn len(&self) -> usize {
        self.busy.len() + self.idle_count()
    }

    pub(super) fn idle_count(&self) -> usize {
        self.idle.values().map(Vec::len).sum()
    }

    /// Takes the worker that has been idle the longest, whosever it is.
    pub(super) fn take_oldest(&mut self) -> Option<Worker> {
        let (&role, _) = self.idle.iter().min_by_key(|(_, idle)| idle.first().map(|idle| idle.since))?;
        let idle = self.idle.get_mut(&role)?;
        let oldest = idle.remove(0);
        if idle.is_empty() {
            self.idle.remove(&role);
        }
        Some(oldest.worker)
    }

    /// Takes the idle workers of a function that have another role.
    pub(super) fn take_others(&mut self, role: &Role) -> Vec<Worker> {
        self.take_where(|other, _| other.function == role.function && other != role)
    }

    /// Takes the idle workers of a function, and tells the busy ones to stop.
    pub(super) fn take_function(&mut self, function: FunctionId) -> Vec<Worker> {
        self.busy.retain(|_, (of, stop)| {
            if *of == function {
                stop.notify_one();
            }
            *of != function
        });
        self.take_where(|role, _| role.function == function)
    }

    /// Takes all idle workers, and tells the busy ones to stop.
    pub(super) fn take_all(&mut self) -> Vec<Worker> {
        for (_, (_, stop)) in self.busy.drain() {
            stop.notify_one();
        }
        self.take_where(|_, _| true)
    }

    /// Takes the workers that have been idle since before `since`, and those that are idle in name only: that compute,
    /// have processes running, or write. `rest_ticks` is how much of a processor an idle one may use between two calls.
    pub(super) fn take_tired(&mut self, since: Instant, rest_ticks: u64) -> Vec<Worker> {
        self.take_where(|_, idle| {
            let ticks = idle.worker.ticks();
            let restless = match (idle.ticks, ticks) {
                (Some(before), Some(now)) => now.saturating_sub(before) > rest_ticks,
                _ => false,
            };
            idle.ticks = ticks;
            idle.since < since || restless || idle.worker.has_children() || idle.worker.is_overfull()
        })
    }

    fn take_where(&mut self, mut wanted: impl FnMut(&Role, &mut Idle) -> bool) -> Vec<Worker> {
        let mut taken = Vec::new();
        self.idle.retain(|role, idle| {
            taken.extend(idle.extract_if(.., |idle| wanted(role, idle)).map(|idle| idle.worker));
            !idle.is_empty()
        });
        taken
    }
}
