//! Runs that ended, well and badly together.

use std::collections::VecDeque;

use domain::{FunctionId, Job, JobStatus, Result};
use ports::{Index, Position, Query, Sort};

use crate::{Store, keys};

/// A walk through a function's jobs that ended, newest first. Two lists are read side by side, so that no number of jobs
/// that wait makes it longer.
pub struct EndedJobs<'a> {
    store: &'a Store,
    function: FunctionId,
    limit: usize,
    lists: [List; 2],
}

struct List {
    status: JobStatus,
    read: VecDeque<Job>,
    then: Then,
}

/// How a list goes on.
enum Then {
    From(Option<Position>),
    End,
}

impl Store {
    /// A function's jobs that ended, newest first. `limit` says how many the caller is going to take.
    pub fn ended_jobs(&self, function: FunctionId, limit: usize) -> EndedJobs<'_> {
        let list = |status| List { status, read: VecDeque::new(), then: Then::From(None) };
        EndedJobs { store: self, function, limit, lists: [list(JobStatus::Success), list(JobStatus::Error)] }
    }
}

impl EndedJobs<'_> {
    /// The next one; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Job>> {
        for list in &mut self.lists {
            list.fill(self.store, self.function, self.limit).await?;
        }
        let newest = |list: &&mut List| list.read.front().map(|job| (job.created_at, job.id.to_string()));
        let newest = self.lists.iter_mut().max_by_key(newest);
        Ok(newest.and_then(|list| list.read.pop_front()))
    }
}

impl List {
    /// Reads on, unless something read is still there.
    async fn fill(&mut self, store: &Store, function: FunctionId, limit: usize) -> Result<()> {
        while self.read.is_empty()
            && let Then::From(after) = &self.then
        {
            let query = Query {
                index: Index::Gsi2,
                partition: keys::status_partition(function, self.status),
                sort: Sort::Prefix(keys::JOB_PREFIX.into()),
                descending: true,
                limit,
                after: after.clone(),
            };
            let page = store.list(query).await?;
            self.read = page.items.into();
            self.then = page.next.map_or(Then::End, |next| Then::From(Some(next)));
        }
        Ok(())
    }
}
