//! Requests, one by one, within a batch.

use ports::{Durability, TableError, Write};

use super::super::cache::Changing;
use super::super::checkpointer::Checkpoint;
use super::super::clock::later;
use super::super::fault::{Fault, part};
use super::super::overlay::Noting;
use super::super::request::{Request, Settlement, answer};
use super::super::schema::SCHEMA_VERSION;
use super::super::{messages, room, rows};
use super::{Answers, Writer};

/// How long dead letters are kept, in milliseconds: SQS's longest.
const DEAD_LETTERS_KEPT: i64 = 14 * 24 * 3600 * 1000;
/// How many requests and rows between two looks after the room are so few that who writes may wait for the log to be cut.
const LITTLE: usize = 400;

impl Writer {
    /// Does one request. Fails only where the whole batch can't go on; its answer is then among the answers.
    pub(super) fn apply(
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
                let (result, fault) = part(self.overlay.get(&self.connection, &key));
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
            Request::Tidy { reply } => {
                let more = room::shrink(&self.connection);
                answers.after_commit.push(answer(reply, Ok(*more.as_ref().unwrap_or(&false))));
                let more = more?;
                let written = self.written - std::mem::replace(&mut self.tidied, self.written);
                if !more && written < LITTLE {
                    self.checkpoint = Some(Checkpoint::Truncate);
                }
                Ok(())
            }
            Request::Send { message, delay, reply } => {
                let now = self.clock.now();
                let at = later(now, delay);
                answers.after_sync.push(answer(reply, Ok(())));
                Ok(self.lanes.send(&self.connection, &message, at, now)?)
            }
            Request::Settle { receipts, how: Settlement::Return, reply: None } => {
                self.returned.extend(receipts);
                Ok(())
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
