//! The leases under which this process runs jobs. A lease's end tells others that its holder is gone; the holder itself
//! knows better. So a machine that slept past the end of its leases (its lid was closed, its server was stopped for a
//! while) doesn't take its own jobs away from itself.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::Job;

#[derive(Clone, Default)]
pub(crate) struct Leases(Arc<Mutex<HashSet<String>>>);

/// A lease in use, until it is dropped.
pub(crate) struct Held {
    leases: Leases,
    id: String,
}

impl Leases {
    /// Notes that the job is run here under its lease.
    pub(crate) fn hold(&self, job: &Job) -> Held {
        let id = job.lease.as_ref().map(|lease| lease.id.clone()).unwrap_or_default();
        self.all().insert(id.clone());
        Held { leases: self.clone(), id }
    }

    /// Whether the job is run here.
    pub(crate) fn has(&self, job: &Job) -> bool {
        job.lease.as_ref().is_some_and(|lease| self.all().contains(&lease.id))
    }

    fn all(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.leases.all().remove(&self.id);
    }
}
