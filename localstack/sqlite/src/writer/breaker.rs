//! What failed a moment ago is not tried again for each request: a commit that fails costs all that it would have
//! written, and after it the journal is read again. Both are bounded here, in how often and by what they cost, so that no
//! fault makes a request cost what all before it wrote.

use std::time::{Duration, Instant};

use super::super::fault::Fault;
use super::super::request::{Request, Settlement};
use super::{FULL, Writer};

/// How soon to look again whether the database works.
pub(super) const RETRY: Duration = Duration::from_secs(1);
/// How much of the journal may be read again at any time. Of more than that, so often in each [`RETRY`].
const LITTLE: u64 = 256 << 10;
const REREADS: u32 = 4;

/// What failed lately.
#[derive(Default)]
pub(super) struct Breaker {
    /// A commit of SQLite's.
    commits: Option<Failure>,
    /// A record in the journal.
    records: Option<Failure>,
    /// Since when the journal's readings are counted, and how many there have been.
    rereads: Option<(Instant, u32)>,
}

struct Failure {
    fault: Fault,
    until: Instant,
}

impl Breaker {
    /// A batch failed, that needed no commit if it was `noted`. `journaled` is how many bytes the journal has. What lasts
    /// (a damaged row) concerns those who ask for it, so it keeps others waiting only if it costs much.
    pub(super) fn trip(&mut self, fault: &Fault, noted: bool, journaled: u64) {
        if fault.lasting && journaled <= LITTLE {
            return;
        }
        let failure = Failure { fault: fault.clone(), until: Instant::now() + RETRY };
        let failed = if noted { &mut self.records } else { &mut self.commits };
        *failed = Some(failure);
    }

    /// A commit succeeded, or a record that says something.
    pub(super) fn reset(&mut self, noted: bool) {
        self.records = None;
        if !noted {
            self.commits = None;
        }
    }

    /// Why no commit is tried now, and until when.
    fn no_commits(&self, now: Instant) -> Option<&Failure> {
        self.commits.as_ref().filter(|failure| now < failure.until)
    }

    fn no_records(&self, now: Instant) -> Option<&Failure> {
        self.records.as_ref().filter(|failure| now < failure.until)
    }

    /// Whether no commit is tried now.
    pub(super) fn is_open(&self) -> bool {
        self.commits.as_ref().is_some_and(|failure| Instant::now() < failure.until)
    }

    /// When a commit that is wanted at this time is tried.
    pub(super) fn not_before(&self, at: Instant) -> Instant {
        self.commits.as_ref().map_or(at, |failure| failure.until.max(at))
    }

    /// Counts a reading of the journal, or refuses it where there have been enough lately.
    pub(super) fn may_reread(&mut self, journaled: u64) -> Result<(), Fault> {
        if journaled <= LITTLE {
            return Ok(());
        }
        let now = Instant::now();
        let (since, count) = self.rereads.filter(|(since, _)| now < *since + RETRY).unwrap_or((now, 0));
        self.rereads = Some((since, count + 1));
        if count < REREADS {
            return Ok(());
        }
        Err(Fault::passing("the disk or the database failed several times within a second; try again"))
    }
}

impl Writer {
    /// Refuses what would fail as the same did a moment ago; what is left.
    pub(super) fn not_hopeless(&mut self, batch: Vec<Request>) -> Vec<Request> {
        if self.breaker.commits.is_none() && self.breaker.records.is_none() {
            return batch;
        }
        let now = Instant::now();
        let (no_commits, no_records) = (self.breaker.no_commits(now), self.breaker.no_records(now));
        // A journal that is full has to be put into SQLite before it takes more.
        let no_records = no_records.or(no_commits.filter(|_| self.journal.len() >= FULL));
        let (mut left, mut put_off) = (Vec::new(), Vec::new());
        for request in batch {
            let failure = match &request {
                Request::Get { .. } => None,
                request if request.is_noted() => no_records,
                _ => no_commits,
            };
            match (failure, request) {
                (None, request) => left.push(request),
                // These wait in any case.
                (Some(_), Request::Receive(waiter)) => self.waiters.push_back(waiter),
                (Some(failure), request) => put_off.push((request, failure.fault.clone())),
            }
        }
        put_off.into_iter().for_each(|(request, fault)| self.put_off(request, &fault));
        left
    }

    /// Refuses a request; what nobody waits for is done later.
    pub(super) fn put_off(&mut self, request: Request, fault: &Fault) {
        match request {
            Request::Settle { receipts, how: Settlement::Return, reply: None } => {
                self.returned.extend(receipts)
            }
            request => request.refuse(fault),
        }
    }
}
