//! What writes: one connection, in one hand at a time.

use std::collections::VecDeque;
use std::sync::mpsc::{Sender, SyncSender};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use ports::{Durability, TableError, Write};
use rusqlite::Connection;

use super::cache::{Cache, Changing};
use super::clock::{Clock, later};
use super::desk::Desk;
use super::fault::Fault;
use super::lanes::Lanes;
use super::messages;
use super::overlay::Overlay;
use super::queue::Claimed;
use super::request::{Answer, Request, Waiter, answer};
use super::rows;
use super::schema::SCHEMA_VERSION;

/// How many requests and rows make it worth folding the log in: about 4 MB of it.
const CHECKPOINT_EVERY: usize = 500;
/// How soon to look again whether the database works, where messages are waited for.
const RETRY: Duration = Duration::from_secs(1);
/// How long dead letters are kept, in milliseconds: SQS's longest.
const DEAD_LETTERS_KEPT: i64 = 14 * 24 * 3600 * 1000;

pub(super) struct Writer {
    connection: Connection,
    /// For deliveries to come back by.
    desk: Weak<Desk>,
    lanes: Lanes,
    overlay: Overlay,
    /// Whether a commit failed, so that the lanes must be read anew.
    stale: bool,
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
}

/// The answers of a batch, by what they wait for.
#[derive(Default)]
struct Answers {
    after_commit: Vec<Answer>,
    after_sync: Vec<Answer>,
}

impl Writer {
    pub(super) fn new(
        connection: Connection,
        desk: Weak<Desk>,
        lanes: Lanes,
        clock: Clock,
        helpers: Helpers,
    ) -> Self {
        Self {
            connection,
            desk,
            lanes,
            overlay: Overlay::default(),
            stale: false,
            waiters: VecDeque::new(),
            planned: None,
            clock,
            helpers,
            unfolded: 0,
            ailing: false,
        }
    }

    /// Refuses those who still wait, and folds the log in. The last thing it does.
    pub(super) fn finish(self, closed: &Fault) {
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

    /// When somebody who waits must be told something.
    fn next_due(&self) -> Option<Instant> {
        let patience = self.waiters.iter().map(|waiter| waiter.until).min()?;
        let now = self.clock.now();
        let due = if self.stale {
            Some(RETRY)
        } else {
            self.lanes.next_due().map(|at| Duration::from_millis(u64::try_from(at - now).unwrap_or(0)))
        };
        Some(due.map_or(patience, |due| patience.min(Instant::now() + due)))
    }

    /// Does what was asked for, in one commit, and answers.
    pub(super) fn process(&mut self, batch: Vec<Request>) {
        let mut answers = Answers::default();
        let done = self.commit(batch, &mut answers);
        self.ailing = done.is_err();
        if let Err(fault) = &done {
            tracing::error!(reason = fault.reason, "a batch was not written");
            // There may be no transaction left to roll back; and what comes of a failure here shows at the next BEGIN.
            if !self.connection.is_autocommit()
                && let Err(error) = self.connection.execute_batch("ROLLBACK")
            {
                tracing::error!(%error, "and could not be rolled back");
            }
            self.stale = true;
            self.overlay.forget();
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

    fn commit(&mut self, batch: Vec<Request>, answers: &mut Answers) -> Result<(), Fault> {
        let asked = batch.len();
        let mut requests = batch.into_iter();
        let cache = self.helpers.cache.clone();
        let mut changing = cache.changing();
        let done = self.begin().and_then(|()| {
            requests.by_ref().try_for_each(|request| self.apply(request, &mut changing, answers))?;
            self.deliver(answers)?;
            self.unfolded += asked + self.overlay.flush(&self.connection, &mut changing)?;
            self.connection.prepare_cached("COMMIT")?.execute([])?;
            Ok(())
        });
        if let Err(fault) = &done {
            requests.for_each(|request| request.refuse(fault));
        }
        done
    }

    fn begin(&mut self) -> Result<(), Fault> {
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        if self.stale {
            self.lanes.reload(&self.connection, self.clock.now())?;
            self.stale = false;
        }
        Ok(())
    }

    /// Does one request. Fails only where the whole batch can't go on; its answer is then among the answers.
    fn apply(
        &mut self,
        request: Request,
        changing: &mut Changing<'_>,
        answers: &mut Answers,
    ) -> Result<(), Fault> {
        match request {
            Request::Write { writes, durability, reply } => {
                let (result, fault) = part(self.overlay.write(&self.connection, writes));
                // A refusal has nothing to keep.
                let waits = durability == Durability::Power && result.is_ok();
                let answers = if waits { &mut answers.after_sync } else { &mut answers.after_commit };
                answers.push(answer(reply, result));
                fault
            }
            Request::Update { key, changes, condition, reply } => {
                let update = Write::Update(key.clone(), changes, condition);
                let written = self.overlay.write(&self.connection, vec![update]);
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
            Request::Expire { now, limit, reply } => {
                let expired = self.overlay.flush(&self.connection, changing).and_then(|_| {
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
            Request::Settle { receipt, how, reply } => {
                answers.after_commit.extend(reply.map(|reply| answer(reply, Ok(()))));
                Ok(self.lanes.settle(&self.connection, receipt, how, self.clock.now())?)
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

    /// Gives what is visible to those who wait, the first first.
    fn deliver(&mut self, answers: &mut Answers) -> Result<(), Fault> {
        self.waiters.retain(|waiter| !waiter.reply.is_closed());
        if self.waiters.is_empty() {
            return Ok(());
        }
        let now = self.clock.now();
        self.lanes.advance(&self.connection, now)?;
        while let Some(waiter) = self.waiters.pop_front() {
            let until = later(now, waiter.visibility);
            let mut deliveries = Vec::new();
            while deliveries.len() < waiter.max {
                match self.lanes.claim(&self.connection, now, until, waiter.cap) {
                    Ok(Some(delivery)) => deliveries.push(delivery),
                    Ok(None) => break,
                    Err(error) => {
                        self.waiters.push_front(waiter);
                        return Err(error.into());
                    }
                }
            }
            if deliveries.is_empty() {
                self.waiters.push_front(waiter);
                break;
            }
            answers.after_commit.push(answer(waiter.reply, Ok(Claimed::new(deliveries, self.desk.clone()))));
        }
        Ok(())
    }

    /// Tells those who have waited long enough that there is nothing.
    fn dismiss(&mut self) {
        let now = Instant::now();
        for _ in 0..self.waiters.len() {
            match self.waiters.pop_front() {
                Some(waiter) if waiter.until <= now => {
                    answer(waiter.reply, Ok(Claimed::new(Vec::new(), self.desk.clone())))(Ok(()))
                }
                waiter => self.waiters.extend(waiter),
            }
        }
    }
}

/// What a request of the table came to, and whether the batch can go on. After an item that can't be made sense of it can;
/// after an error of SQLite's, a transaction can't be trusted any more.
fn part<T>(result: rusqlite::Result<Result<T, TableError>>) -> (Result<T, TableError>, Result<(), Fault>) {
    match result {
        Ok(result) => (result, Ok(())),
        Err(error) => {
            let of_sqlite = error.sqlite_error_code().is_some();
            let fault = Fault::from(error);
            (Err(fault.clone().into()), if of_sqlite { Err(fault) } else { Ok(()) })
        }
    }
}
