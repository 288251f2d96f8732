//! What writes: one connection, in one hand at a time.

mod deliver;

use std::collections::VecDeque;
use std::sync::mpsc::{Sender, SyncSender};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use ports::{Durability, TableError, Write};
use rusqlite::Connection;

use super::cache::{Cache, Changing};
use super::clock::{Clock, later};
use super::desk::Desk;
use super::dirty::Dirty;
use super::fault::{Fault, part};
use super::journal::Journal;
use super::lanes::Lanes;
use super::messages;
use super::overlay::{Noting, Overlay};
use super::request::{Answer, Request, Waiter, answer};
use super::rows;
use super::schema::SCHEMA_VERSION;

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
/// How soon to look again whether the database works, where messages are waited for.
const RETRY: Duration = Duration::from_secs(1);
/// How long dead letters are kept, in milliseconds: SQS's longest.
const DEAD_LETTERS_KEPT: i64 = 14 * 24 * 3600 * 1000;

pub(super) struct Writer {
    connection: Connection,
    journal: Journal,
    /// For deliveries to come back by.
    desk: Weak<Desk>,
    lanes: Lanes,
    overlay: Overlay,
    /// Whether a commit failed, so that the lanes and what is in the journal must be read anew.
    stale: bool,
    /// When SQLite is to have what is in the journal.
    fold_at: Option<Instant>,
    waiters: VecDeque<Waiter>,
    /// When the thread that writes looks again by itself.
    planned: Option<Instant>,
    clock: Clock,
    helpers: Helpers,
    /// What has been written since the checkpointer was last asked.
    unfolded: usize,
    /// Whether the last commit failed.
    ailing: bool,
}

/// What the writer tells what it does. The threads that wait for the disk end when these are dropped.
pub(super) struct Helpers {
    pub(super) syncer: Sender<Vec<Answer>>,
    pub(super) checkpointer: SyncSender<()>,
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
            fold_at: None,
            waiters: VecDeque::new(),
            planned: None,
            clock,
            helpers,
            unfolded: 0,
            ailing: false,
        }
    }

    /// Refuses those who still wait, and folds the log in. The last thing it does.
    pub(super) fn finish(mut self, closed: &Fault) {
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
        let due = if self.stale {
            Some(RETRY)
        } else {
            self.lanes.next_due().map(|at| Duration::from_millis(u64::try_from(at - now).unwrap_or(0)))
        };
        Some(due.map_or(patience, |due| patience.min(Instant::now() + due)))
    }

    /// Does what was asked for, in one commit, and answers. `folding` says whether what is in the journal may be put into
    /// SQLite on the way, which can take some milliseconds.
    pub(super) fn process(&mut self, batch: Vec<Request>, folding: bool) {
        let mut answers = Answers::default();
        let noted = !batch.is_empty() && batch.iter().all(Request::is_noted);
        let noted = noted && self.journal.len() < FULL && !(folding && self.is_due());
        let done = self.transact(batch, noted, &mut answers);
        self.ailing = done.is_err();
        if let Err(fault) = &done {
            self.undo(fault);
            answers.after_commit.append(&mut answers.after_sync);
        }
        for answer in answers.after_commit {
            answer(done.as_ref().copied());
        }
        if !answers.after_sync.is_empty() {
            // Ends after this thread: it is this thread's dropping of the sender that ends it.
            let _ = self.helpers.syncer.send(answers.after_sync);
        }
        if self.unfolded >= CHECKPOINT_EVERY {
            self.unfolded = 0;
            // Where it is full, it has been asked already.
            let _ = self.helpers.checkpointer.try_send(());
        }
        self.dismiss();
    }

    /// Goes back to what is committed and what is in the journal.
    fn undo(&mut self, fault: &Fault) {
        tracing::error!(reason = fault.reason, "a batch was not written");
        // There may be no transaction left to roll back; and what comes of a failure here shows at the next BEGIN.
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            tracing::error!(%error, "and could not be rolled back");
        }
        self.stale = true;
        self.overlay.forget();
        self.journal.drop_record();
        self.fold_at = (self.journal.len() > 0).then(|| Instant::now() + RETRY);
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
                self.unfolded += count;
                count == FOLD_AT_ONCE
            }
            Err(error) => {
                self.undo(&error.into());
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
            self.deliver(answers)?;
            self.unfolded += asked + self.overlay.flush(&self.connection, |key| changing.row(key))?;
            self.commit()
        });
        if let Err(fault) = &done {
            requests.for_each(|request| request.refuse(fault));
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
            self.fold_at = Some(Instant::now());
        } else if self.journal.len() > 0 {
            self.fold_at.get_or_insert_with(|| Instant::now() + FOLD_AFTER);
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
        Ok(())
    }

    /// Sees to it that there is a transaction. What is noted leaves it open for what comes next, up to a commit.
    fn begin(&mut self) -> Result<(), Fault> {
        if self.connection.is_autocommit() {
            self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        }
        if self.stale {
            self.lanes.reload(&self.connection, self.clock.now())?;
            for noted in self.journal.pending().map_err(Fault::passing)? {
                self.overlay.take_up(&self.connection, noted)?;
            }
            self.stale = false;
        }
        Ok(())
    }

    /// Does one request. Fails only where the whole batch can't go on; its answer is then among the answers.
    fn apply(
        &mut self,
        request: Request,
        changing: &mut Changing<'_>,
        noted: bool,
        answers: &mut Answers,
    ) -> Result<(), Fault> {
        match request {
            Request::Write { writes, durability, reply } => {
                let (result, fault) = part(self.write(writes, changing, noted));
                // A refusal has nothing to keep.
                let waits = durability == Durability::Power && result.is_ok();
                let answers = if waits { &mut answers.after_sync } else { &mut answers.after_commit };
                answers.push(answer(reply, result));
                fault
            }
            Request::Update { key, changes, condition, reply } => {
                let update = Write::Update(key.clone(), changes, condition);
                let written = self.write(vec![update], changing, noted);
                let (result, fault) = part(written);
                let result = result.and_then(|()| {
                    self.overlay
                        .item(&key)
                        .cloned()
                        .ok_or_else(|| TableError::Broken("an update left nothing".into()))
                });
                answers.after_commit.push(answer(reply, result));
                fault
            }
            Request::Get { key, reply } => {
                let (result, fault) = part(self.overlay.get(&self.connection, &key).map(Ok));
                answers.after_commit.push(answer(reply, result));
                fault
            }
            Request::Fold { reply } => {
                answers.after_commit.push(answer(reply, Ok(())));
                Ok(())
            }
            Request::Expire { now, limit, reply } => {
                let expired = self.overlay.flush(&self.connection, |key| changing.row(key)).and_then(|_| {
                    // Counters expire too.
                    self.overlay.forget();
                    messages::forget_dead(&self.connection, self.clock.now() - DEAD_LETTERS_KEPT, limit)?;
                    let expired = rows::expire(&self.connection, now, limit)?;
                    if expired > 0 {
                        changing.any();
                    }
                    Ok(expired)
                });
                answers.after_commit.push(answer(reply, Ok(*expired.as_ref().unwrap_or(&0))));
                Ok(expired.map(drop)?)
            }
            Request::Send { message, delay, reply } => {
                let now = self.clock.now();
                let at = later(now, delay);
                answers.after_sync.push(answer(reply, Ok(())));
                Ok(self.lanes.send(&self.connection, &message, at, now)?)
            }
            Request::Settle { receipts, how, reply } => {
                answers.after_commit.extend(reply.map(|reply| answer(reply, Ok(()))));
                let now = self.clock.now();
                let settle = |receipt| self.lanes.settle(&self.connection, receipt, how, now);
                Ok(receipts.into_iter().try_for_each(settle)?)
            }
            Request::Receive(waiter) => {
                self.waiters.push_back(waiter);
                Ok(())
            }
            Request::Probe { reply } => {
                // The same as before, but written.
                let probed = if self.ailing {
                    self.connection.pragma_update(None, "user_version", SCHEMA_VERSION)
                } else {
                    Ok(())
                };
                answers.after_sync.push(answer(reply, Ok(())));
                Ok(probed?)
            }
        }
    }

    fn write(
        &mut self,
        writes: Vec<Write>,
        changing: &mut Changing<'_>,
        noted: bool,
    ) -> rusqlite::Result<Result<(), TableError>> {
        let (journal, dirty) = (&mut self.journal, &*self.helpers.dirty);
        let noted = noted.then_some(Noting { journal, dirty, changing });
        self.overlay.write(&self.connection, writes, noted)
    }
}
