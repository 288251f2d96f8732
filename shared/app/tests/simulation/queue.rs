//! A queue that loses, doubles, delays and shuffles messages.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use ports::queue::MAX_RECEIVES;
use ports::{Delivery, Message, PortError, Queue};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::world::{World, lock};

pub(crate) struct StormyQueue {
    world: Arc<World>,
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Default)]
struct Waiting {
    messages: BTreeMap<u64, Queued>,
    next: u64,
}

struct Queued {
    message: Message,
    visible_at: Instant,
    receives: u32,
}

impl StormyQueue {
    pub(crate) fn new(world: Arc<World>) -> Self {
        Self { world, waiting: Mutex::default(), arrived: Notify::new() }
    }

    /// How many messages there are, hidden ones included.
    pub(crate) fn len(&self) -> usize {
        lock(&self.waiting).messages.len()
    }

    fn put(&self, message: &Message, delay: Duration) {
        let mut waiting = lock(&self.waiting);
        waiting.next += 1;
        let id = waiting.next;
        self.world.note("queued", format_args!("message {id}, job {}, after {delay:?}", message.id));
        let queued = Queued { message: message.clone(), visible_at: Instant::now() + delay, receives: 0 };
        waiting.messages.insert(id, queued);
        self.arrived.notify_waiters();
    }

    /// Any message that is visible, or how long until one is.
    fn take(&self, visibility: Duration) -> Result<Delivery, Duration> {
        let (mut waiting, now) = (lock(&self.waiting), Instant::now());
        waiting.messages.retain(|id, queued| {
            let keep = queued.visible_at > now || queued.receives < MAX_RECEIVES;
            if !keep {
                self.world.note("dead letter", format_args!("message {id}"));
            }
            keep
        });
        let visible: Vec<u64> = waiting
            .messages
            .iter()
            .filter(|(_, queued)| queued.visible_at <= now)
            .map(|(id, _)| *id)
            .collect();
        if visible.is_empty() {
            let first = waiting.messages.values().map(|queued| queued.visible_at).min();
            return Err(first.map_or(Duration::from_secs(3600), |first| first - now));
        }
        let id = visible[self.world.roll(visible.len() as u64) as usize];
        let queued = waiting.messages.get_mut(&id).expect("it was just seen");
        queued.receives += 1;
        queued.visible_at = now + visibility;
        let (job, receives) = (queued.message.id, queued.receives);
        self.world.note("received", format_args!("message {id}, job {job}, for the {receives}. time"));
        let receipt = format!("{id}.{}", queued.receives);
        Ok(Delivery { message: queued.message.clone(), receipt, receives: queued.receives })
    }

    fn settle(&self, receipt: &str, how: impl FnOnce(&mut Waiting, u64)) {
        let (id, receives) = receipt.split_once('.').expect("receipts are ours");
        let (id, receives): (u64, u32) = (id.parse().expect("ours"), receives.parse().expect("ours"));
        let mut waiting = lock(&self.waiting);
        if waiting.messages.get(&id).is_some_and(|queued| queued.receives == receives) {
            how(&mut waiting, id);
            self.world.note("settled", format_args!("message {id}"));
        } else {
            self.world.note("stale receipt", receipt);
        }
        self.arrived.notify_waiters();
    }

    async fn weather(&self) -> Result<(), PortError> {
        self.world.dawdle().await;
        match self.world.once_in(20) {
            true => {
                self.world.note("storm", "the queue fails");
                Err(PortError::new("queue", "a storm"))
            }
            false => Ok(()),
        }
    }
}

#[async_trait]
impl Queue for StormyQueue {
    async fn send(&self, message: &Message, delay: Duration) -> Result<(), PortError> {
        self.weather().await?;
        if self.world.once_in(10) {
            self.world.note("lost message", message.id);
            return Ok(());
        }
        if self.world.once_in(6) {
            self.world.note("doubled message", message.id);
            self.put(message, delay + Duration::from_secs(self.world.roll(1200)));
        }
        let late = if self.world.once_in(8) { self.world.roll(1200) } else { 0 };
        if late > 0 {
            self.world.note("late message", format_args!("{}, by {late} s", message.id));
        }
        self.put(message, delay + Duration::from_secs(late));
        self.weather().await
    }

    async fn receive(
        &self,
        _max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Delivery>, PortError> {
        let until = Instant::now() + wait;
        loop {
            let arrived = self.arrived.notified();
            let pause = match self.take(visibility) {
                Ok(delivery) => return Ok(vec![delivery]),
                Err(pause) => pause,
            };
            if Instant::now() >= until {
                return Ok(Vec::new());
            }
            // Tokio's timer counts in milliseconds, and would wake too early.
            let pause = pause + Duration::from_millis(1);
            let _ = tokio::time::timeout(pause.min(until - Instant::now()), arrived).await;
        }
    }

    async fn ack(&self, receipt: &str) -> Result<(), PortError> {
        self.weather().await?;
        self.settle(receipt, |waiting, id| {
            waiting.messages.remove(&id);
        });
        Ok(())
    }

    async fn release(&self, receipt: &str, delay: Duration) -> Result<(), PortError> {
        self.weather().await?;
        self.settle(receipt, |waiting, id| {
            if let Some(queued) = waiting.messages.get_mut(&id) {
                queued.visible_at = Instant::now() + delay;
            }
        });
        Ok(())
    }

    async fn dead_letter(&self, receipt: &str, _message: &Message) -> Result<(), PortError> {
        self.ack(receipt).await
    }

    async fn health(&self) -> Result<(), PortError> {
        Ok(())
    }
}
