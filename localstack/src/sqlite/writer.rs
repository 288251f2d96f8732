//! The one thread that writes.

use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ports::{Durability, TableError, Write};
use rusqlite::Connection;

use super::clock::{Clock, later};
use super::fault::Fault;
use super::lanes::Lanes;
use super::messages;
use super::overlay::Overlay;
use super::queue::Claimed;
use super::request::{Answer, Request, Waiter, answer};
use super::rows;
use super::schema::SCHEMA_VERSION;

/// The most requests in one commit, so that the first of them doesn't wait for too many others.
const MAX_BATCH: usize = 512;
/// How many requests and rows make it worth folding the log in: about 4 MB of it.
const CHECKPOINT_EVERY: usize = 500;
/// How soon to look again whether the database works, where messages are waited for.
const RETRY: Duration = Duration::from_secs(1);
/// How long dead letters are kept, in milliseconds: SQS's longest.
const DEAD_LETTERS_KEPT: i64 = 14 * 24 * 3600 * 1000;

pub(super) struct Writer {
    connection: Connection,
    inbox: Receiver<Request>,
    /// For deliveries to come back by.
    outbox: Sender<Request>,
    lanes: Lanes,
    /// Whether a commit failed, so that the lanes must be read anew.
    stale: bool,
    waiters: VecDeque<Waiter>,
    clock: Clock,
    helpers: Helpers,
    /// What has been written since the checkpointer was last asked.
    unfolded: usize,
    /// Whether the last commit failed.
    ailing: bool,
}

/// The threads that wait for the disk. They end when these are dropped.
pub(super) struct Helpers {
    pub(super) syncer: Sender<Vec<Answer>>,
    pub(super) checkpointer: SyncSender<()>,
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
        (outbox, inbox): (Sender<Request>, Receiver<Request>),
        lanes: Lanes,
        clock: Clock,
        helpers: Helpers,
    ) -> Self {
        Self {
            connection,
            inbox,
            outbox,
            lanes,
            stale: false,
            waiters: VecDeque::new(),
            clock,
            helpers,
            unfolded: 0,
            ailing: false,
        }
    }

    /// Runs until [`Request::Close`].
    pub(super) fn start(mut self) -> io::Result<JoinHandle<()>> {
        std::thread::Builder::new().name("sqlite-write".into()).spawn(move || {
            let mut open = true;
            while open {
                let mut batch = self.next_batch();
                if let Some(end) = batch.iter().position(|request| matches!(request, Request::Close)) {
                    batch.truncate(end);
                    open = false;
                }
                self.process(batch);
            }
            let closed = Fault::passing("the database is closed");
            self.waiters
                .drain(..)
                .map(Request::Receive)
                .chain(self.inbox.try_iter())
                .for_each(|request| request.refuse(&closed));
            // What it can't fold in now, it will when it is next opened.
            if let Err(error) = self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)") {
                tracing::warn!(%error, "the log was not folded into the database");
            }
        })
    }

    /// What has been asked for meanwhile; waits until there is something, or something is due.
    fn next_batch(&mut self) -> Vec<Request> {
        let first = match self.next_due() {
            None => self.inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(due) => self.inbox.recv_timeout(due.saturating_duration_since(Instant::now())),
        };
        let first = match first {
            Ok(request) => request,
            Err(RecvTimeoutError::Timeout) => return Vec::new(),
            // Nobody is left to ask.
            Err(RecvTimeoutError::Disconnected) => Request::Close,
        };
        std::iter::once(first).chain(self.inbox.try_iter().take(MAX_BATCH - 1)).collect()
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

    fn process(&mut self, batch: Vec<Request>) {
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
        let done = self.begin().and_then(|()| {
            let mut overlay = Overlay::default();
            requests.by_ref().try_for_each(|request| self.apply(request, &mut overlay, answers))?;
            self.deliver(answers)?;
            self.unfolded += asked + overlay.flush(&self.connection)?;
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
    fn apply(&mut self, request: Request, overlay: &mut Overlay, answers: &mut Answers) -> Result<(), Fault> {
        match request {
            Request::Write { writes, durability, reply } => {
                let (result, fault) = part(overlay.write(&self.connection, writes));
                // A refusal has nothing to keep.
                let waits = durability == Durability::Power && result.is_ok();
                let answers = if waits { &mut answers.after_sync } else { &mut answers.after_commit };
                answers.push(answer(reply, result));
                fault
            }
            Request::Update { key, changes, condition, reply } => {
                let written =
                    overlay.write(&self.connection, vec![Write::Update(key.clone(), changes, condition)]);
                let (result, fault) = part(written);
                let result = result.and_then(|()| {
                    overlay
                        .item(&key)
                        .cloned()
                        .ok_or_else(|| TableError::Broken("an update left nothing".into()))
                });
                answers.after_commit.push(answer(reply, result));
                fault
            }
            Request::Expire { now, limit, reply } => {
                let expired = overlay.flush(&self.connection).and_then(|_| {
                    messages::forget_dead(&self.connection, self.clock.now() - DEAD_LETTERS_KEPT, limit)?;
                    rows::expire(&self.connection, now, limit)
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
            // Taken out before.
            Request::Close => Ok(()),
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
            answers
                .after_commit
                .push(answer(waiter.reply, Ok(Claimed::new(deliveries, self.outbox.clone()))));
        }
        Ok(())
    }

    /// Tells those who have waited long enough that there is nothing.
    fn dismiss(&mut self) {
        let now = Instant::now();
        for _ in 0..self.waiters.len() {
            match self.waiters.pop_front() {
                Some(waiter) if waiter.until <= now => {
                    answer(waiter.reply, Ok(Claimed::new(Vec::new(), self.outbox.clone())))(Ok(()))
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
