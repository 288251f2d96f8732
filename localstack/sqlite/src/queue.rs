use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use domain::JobId;
use ports::{Delivery, Message, PortError, Queue};
use tokio::sync::oneshot;

use super::desk::Desk;
use super::request::{Receipt, Reply, Request, Settlement, Waiter};
use super::{Shared, messages};

/// The latest first.
pub(super) const DEAD_LETTERS: &str = "SELECT workspace, job, receives, kind FROM dead_letters
    ORDER BY died_at DESC, id DESC LIMIT ?1";

/// How the queue behaves.
#[derive(Clone, Copy, Debug)]
pub struct QueueConfig {
    /// How many messages of one workspace may be in workers' hands at once.
    pub max_inflight_per_workspace: usize,
}

impl Default for QueueConfig {
    fn default() -> Self {
        Self { max_inflight_per_workspace: 10 }
    }
}

/// The queue. Workspaces take turns, message by message.
pub struct SqliteQueue {
    shared: Arc<Shared>,
    config: QueueConfig,
}

/// A message that was delivered too often, or buried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// What was queued.
    pub message: Message,
    /// How often it was delivered.
    pub receives: u32,
}

impl SqliteQueue {
    pub(super) fn new(shared: Arc<Shared>, config: QueueConfig) -> Self {
        Self { shared, config }
    }

    /// Up to `limit` dead letters, the latest first. They are kept for 14 days.
    pub async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, PortError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let found = self.shared.readers.read(|connection| {
            let mut statement = connection.prepare_cached(DEAD_LETTERS)?;
            let letters = statement.query_map([limit], |row| {
                let id = JobId(row.get::<_, i64>(1)?.cast_unsigned());
                let message =
                    Message { kind: messages::kind(row, 3)?, id, tenant: messages::workspace(row, 0)? };
                Ok(DeadLetter { message, receives: row.get(2)? })
            })?;
            Ok(letters.collect::<Result<_, _>>()?)
        });
        Ok(found?)
    }

    async fn ask<T>(&self, request: impl FnOnce(Reply<T, PortError>) -> Request) -> Result<T, PortError> {
        let (reply, answer) = oneshot::channel();
        // Where the writer has failed, the reply is dropped with the request, and that is what is seen below.
        self.shared.desk.hand_in(request(reply));
        answer.await.unwrap_or_else(|_| Err(PortError::new("queue", "the database's writer has ended")))
    }

    async fn settle(&self, receipts: &[impl AsRef<str>], how: Settlement) -> Result<(), PortError> {
        let receipts: Vec<_> = receipts.iter().filter_map(|text| Receipt::parse(text.as_ref())).collect();
        if receipts.is_empty() {
            return Ok(());
        }
        self.ask(|reply| Request::Settle { receipts, how, reply: Some(reply) }).await
    }
}

#[async_trait]
impl Queue for SqliteQueue {
    async fn send(&self, message: &Message, delay: Duration) -> Result<(), PortError> {
        let message = message.clone();
        self.ask(|reply| Request::Send { message, delay, reply }).await
    }

    async fn receive(
        &self,
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Delivery>, PortError> {
        let now = Instant::now();
        // A wait too long to be told is one of a day.
        let until = now.checked_add(wait).unwrap_or(now + Duration::from_secs(24 * 3600));
        let cap = self.config.max_inflight_per_workspace;
        let claimed =
            self.ask(|reply| Request::Receive(Waiter { max, visibility, cap, until, reply })).await?;
        Ok(claimed.take())
    }

    async fn ack(&self, receipt: &str) -> Result<(), PortError> {
        self.settle(&[receipt], Settlement::Ack).await
    }

    async fn ack_all(&self, receipts: &[String]) -> Result<(), PortError> {
        self.settle(receipts, Settlement::Ack).await
    }

    async fn release(&self, receipt: &str, delay: Duration) -> Result<(), PortError> {
        self.settle(&[receipt], Settlement::Release(delay)).await
    }

    async fn dead_letter(&self, receipt: &str, _message: &Message) -> Result<(), PortError> {
        self.settle(&[receipt], Settlement::Bury).await
    }

    async fn health(&self) -> Result<(), PortError> {
        Ok(self.shared.probe().await?)
    }
}

/// Deliveries on their way to a worker. Those that don't arrive (its future was dropped) are shown again at once.
pub(super) struct Claimed {
    deliveries: Vec<Delivery>,
    back: Weak<Desk>,
}

impl Claimed {
    pub(super) fn new(deliveries: Vec<Delivery>, back: Weak<Desk>) -> Self {
        Self { deliveries, back }
    }

    fn take(mut self) -> Vec<Delivery> {
        std::mem::take(&mut self.deliveries)
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        let receipts: Vec<_> =
            self.deliveries.iter().filter_map(|delivery| Receipt::parse(&delivery.receipt)).collect();
        // Where the database is closed, opening it anew shows them again.
        if let Some(desk) = self.back.upgrade().filter(|_| !receipts.is_empty()) {
            desk.hand_in(Request::Settle { receipts, how: Settlement::Return, reply: None });
        }
    }
}
