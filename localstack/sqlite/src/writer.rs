//! What writes: one connection, in one hand at a time.

mod apply;
mod breaker;
mod deliver;
#[cfg(test)]
mod faults;

use std::collections::VecDeque;
use std::sync::mpsc::{Sender, SyncSender};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use self::breaker::{Breaker, RETRY};
use super::cache::Cache;
use super::checkpointer::Checkpoint;
use super::clock::Clock;
use super::desk::Desk;
use super::dirty::Dirty;
use super::fault::Fault;
use super::journal::Journal;
use super::lanes::Lanes;
use super::overlay::Overlay;
use super::request::{Answer, Receipt, Request, Waiter};

/// How many requests and rows make it worth folding the log in: about 16 MB of it.
const CHECKPOINT_EVERY: usize = 4000;
/// How long the journal may have what SQLite has not, in time, in rows and in bytes: the more, the fewer pages of SQLite's
/// change for each of them.
const FOLD_AFTER: Duration = Duration::from_millis(50);
const FOLD_ROWS: usize = 2048;
const FOLD_BYTES: u64 = 2 << 20;
/// How many rows are put there before others are served, where that can be.
const FOLD_AT_ONCE: usize = 32;
/// From how many bytes on nothing more goes to the journal before SQLite has what it holds: SQLite can't, as it seems.
const FULL: u64 = 16 << 20;

pub(super) struct Writer {
    connection: Connection,
    journal: Journal,
    /// For deliveries to come back by.
    desk: Weak<Desk>,
    lanes: Lanes,
    overlay: Overlay,
    /// Whether a batch failed, so that what is in the journal must be read anew; and the lanes, if it was about them.
    stale: bool,
    stale_lanes: bool,
    /// When SQLite is to have what is in the journal.
    fold_at: Option<Instant>,
    waiters: VecDeque<Waiter>,
    /// Deliveries that reached nobody, to be shown again with the next commit.
    returned: Vec<Receipt>,
    /// When the thread that writes looks again by itself.
    planned: Option<Instant>,
    clock: Clock,
    helpers: Helpers,
    /// How many requests and rows have been written; how many that were when the checkpointer was last asked, and when the
    /// room was last looked after.
    written: usize,
    folded: usize,
    tidied: usize,
    /// What to ask of the checkpointer after this commit.
    checkpoint: Option<Checkpoint>,
    /// Whether the last commit failed.
    ailing: bool,
    breaker: Breaker,
}

/// What the writer tells what it does. The threads that wait for the disk end when these are dropped.
pub(super) struct Helpers {
    pub(super) syncer: Sender<Vec<Answer>>,
    pub(super) checkpointer: SyncSender<Checkpoint>,
    pub(super) cache: Arc<Cache>,
    pub(super) dirty: Arc<Dirty>,
}

/// The answers of a batch, by what they wait for.
#[derive(Default)]
struct Answers {
    after_commit: Vec<Answer>,
    after_sync: Vec<Answer>,
}

impl Writer {
    pub(super) fn new(
        (connection, journal): (Connection, Journal),
        desk: Weak<Desk>,
        lanes: Lanes,
        clock: Clock,
        helpers: Helpers,
    ) -> Self {
        Self {
            connection,
            journal,
            desk,
            lanes,
            overlay: Overlay::default(),
            stale: false,
            stale_lanes: false,
            fold_at: None,
            waiters: VecDeque::new(),
            returned: Vec::new(),
            planned: None,
            clock,
            helpers,
            written: 0,
            folded: 0,
            tidied: 0,
            checkpoint: None,
            ailing: false,
            breaker: Breaker::default(),
        }
    }

    /// Refuses those who still wait, and folds the log in. The last thing it does.
    pub(super) fn finish(mut self, closed: &Fault) {
        self.breaker = Breaker::default();
        self.process(Vec::new(), true);
        self.waiters.into_iter().map(Request::Receive).for_each(|request| request.refuse(closed));
        // What it can't fold in now, it will when it is next opened.
        if let Err(error) = self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)") {
            tracing::warn!(%error, "the log was not folded into the database");
        }
    }

    /// Whether there is something to do though nobody asks.
    pub(super) fn is_due(&self) -> bool {
        self.next_due().is_some_and(|due| due <= Instant::now())
    }

    /// When there will be; the thread that writes sleeps until then.
    pub(super) fn plan(&mut self) -> Option<Instant> {
        self.planned = self.next_due();
        self.planned
    }

    /// Whether that has come to be earlier.
    pub(super) fn is_due_earlier(&self) -> bool {
        match (self.next_due(), self.planned) {
            (Some(due), Some(planned)) => due < planned,
            (due, _) => due.is_some(),
        }
    }

    /// When somebody who waits must be told something, or what is in the journal folded in.
    fn next_due(&self) -> Option<Instant> {
        self.next_message().into_iter().chain(self.fold_at).min()
    }

    fn next_message(&self) -> Option<Instant> {
        let patience = self.waiters.iter().map(|waiter| waiter.until).min()?;
        let now = self.clock.now();
        let due = if self.stale_lanes {
            Some(RETRY)
        } else {
            self.lanes.next_due().map(|at| Duration::from_millis(u64::try_from(at - now).unwrap_or(0)))
        };
        Some(due.map_or(patience, |due| patience.min(self.breaker.not_before(Instant::now() + due))))
    }

    /// Does what was asked for, in one commit, and answers. `folding` says whether what is in the journal may be put into
    /// SQLite on the way, which can take some milliseconds.
    pub(super) fn process(&mut self, batch: Vec<Request>, folding: bool) {
        let batch = self.not_hopeless(batch);
        let hopeless = self.breaker.is_open();
        if batch.is_empty() && hopeless {
            return self.dismiss();
        }
        let mut answers = Answers::default();
        let noted = !batch.is_empty() && batch.iter().all(Request::is_noted);
        let noted = noted && (hopeless || self.journal.len() < FULL && !(folding && self.is_due()));
        let before = self.journal.len();
        let done = self.transact(batch, noted, &mut answers);
        match &done {
            Ok(()) if noted && self.journal.len() == before => {}
            Ok(()) => self.breaker.reset(noted),
            Err(fault) => {
                self.undo(fault, noted);
                answers.after_commit.append(&mut answers.after_sync);
            }
        }
        self.ailing = done.is_err() || (noted && self.ailing);
        for answer in answers.after_commit {
            answer(done.as_ref().copied());
        }
        if !answers.after_sync.is_empty() {
            // Ends after this thread: it is this thread's dropping of the sender that ends it.
            let _ = self.helpers.syncer.send(answers.after_sync);
        }
        if self.written - self.folded >= CHECKPOINT_EVERY {
            self.folded = self.written;
            self.checkpoint.get_or_insert(Checkpoint::Fold);
        }
        if let Some(checkpoint) = self.checkpoint.take() {
            // Where it is full, it has been asked already.
            let _ = self.helpers.checkpointer.try_send(checkpoint);
        }
        self.dismiss();
    }

    /// Goes back to what is committed and what is in the journal.
    fn undo(&mut self, fault: &Fault, noted: bool) {
        self.breaker.trip(fault, noted, self.journal.len());
        tracing::error!(reason = fault.reason, "a batch was not written");
        // There may be no transaction left to roll back; and what comes of a failure here shows at the next BEGIN.
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            tracing::error!(%error, "the transaction of a batch that was not written could not be rolled back; the next batch will tell whether writing works again");
        }
        self.stale = true;
        self.stale_lanes |= !noted;
        self.overlay.forget();
        self.journal.drop_record();
        self.fold_at = (self.journal.len() > 0).then(|| Instant::now() + RETRY);
        if fault.lasting {
            // What can't be shown again must not keep all else from being committed. Its hold ends by itself.
            self.returned.clear();
        }
    }

    /// Puts some of what is in the journal into SQLite where that is due, ahead of its commit. Whether there is more, and
    /// others can be served before.
    pub(super) fn fold_some(&mut self) -> bool {
        let due = self.fold_at.is_some_and(|at| at <= Instant::now());
        if !due || self.stale || self.connection.is_autocommit() {
            return false;
        }
        match self.overlay.put_some(&self.connection, FOLD_AT_ONCE) {
            Ok(count) => {
                self.written += count;
                count == FOLD_AT_ONCE
            }
            Err(error) => {
                self.undo(&error.into(), false);
                false
            }
        }
    }

    /// Does it all: by one record in the journal, or by a commit of SQLite's.
    fn transact(&mut self, batch: Vec<Request>, noted: bool, answers: &mut Answers) -> Result<(), Fault> {
        let asked = batch.len();
        let mut requests = batch.into_iter();
        let cache = self.helpers.cache.clone();
        let mut changing = cache.changing();
        let done = self.begin().and_then(|()| {
            requests.by_ref().try_for_each(|request| self.apply(request, &mut changing, noted, answers))?;
            if noted {
                return self.note();
            }
            self.show_returned()?;
            self.deliver(answers)?;
            self.written += asked + self.overlay.flush(&self.connection, |key| changing.row(key))?;
            self.commit()
        });
        if let Err(fault) = &done {
            requests.for_each(|request| self.put_off(request, fault));
        }
        done
    }

    /// Writes the record.
    fn note(&mut self) -> Result<(), Fault> {
        self.journal.write_record().map_err(Fault::passing)?;
        if self.journal.len() == 0 {
            // Nothing changed. A transaction that nobody ends would keep the log from beginning anew.
            self.connection.prepare_cached("COMMIT")?.execute([])?;
        }
        if self.journal.len() >= FOLD_BYTES || self.overlay.len() >= FOLD_ROWS {
            self.fold_at = Some(self.breaker.not_before(Instant::now()));
        } else if self.journal.len() > 0 {
            self.fold_at.get_or_insert_with(|| self.breaker.not_before(Instant::now() + FOLD_AFTER));
        }
        Ok(())
    }

    /// Commits, with what is in the journal.
    fn commit(&mut self) -> Result<(), Fault> {
        let journaled = self.journal.len() > 0;
        if journaled {
            self.journal.mark(&self.connection)?;
        }
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        if journaled {
            self.journal.begin_anew();
            self.helpers.dirty.clear();
        }
        self.fold_at = None;
        self.returned.clear();
        Ok(())
    }

    /// Sees to it that there is a transaction. What is noted leaves it open for what comes next, up to a commit.
    fn begin(&mut self) -> Result<(), Fault> {
        if self.connection.is_autocommit() {
            self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        }
        if self.stale_lanes {
            self.lanes.reload(&self.connection, self.clock.now())?;
            self.stale_lanes = false;
        }
        if self.stale {
            self.breaker.may_reread(self.journal.len())?;
            // Should this fail half way, it is done again.
            self.overlay.forget();
            for noted in self.journal.pending().map_err(Fault::passing)? {
                self.overlay.take_up(&self.connection, noted)?;
            }
            self.stale = false;
        }
        Ok(())
    }
}
