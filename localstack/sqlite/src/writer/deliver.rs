//! Messages to those who wait for them.

use std::time::Instant;

use super::super::clock::later;
use super::super::fault::Fault;
use super::super::queue::Claimed;
use super::super::request::{Settlement, answer};
use super::{Answers, Writer};

impl Writer {
    /// Shows again what was delivered and reached nobody.
    pub(super) fn show_returned(&mut self) -> Result<(), Fault> {
        let now = self.clock.now();
        let show = |&receipt| self.lanes.settle(&self.connection, receipt, Settlement::Return, now);
        Ok(self.returned.iter().try_for_each(show)?)
    }

    /// Gives what is visible to those who wait, the first first.
    pub(super) fn deliver(&mut self, answers: &mut Answers) -> Result<(), Fault> {
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
    pub(super) fn dismiss(&mut self) {
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
