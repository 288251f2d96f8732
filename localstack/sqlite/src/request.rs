//! What the writer is asked for.

use std::time::{Duration, Instant};

use ports::{Change, Condition, Durability, Item, Key, Message, PortError, TableError, Write};
use tokio::sync::oneshot;

use super::fault::Fault;
use super::queue::Claimed;

/// Where an answer goes.
pub(super) type Reply<T, E> = oneshot::Sender<Result<T, E>>;

/// One thing to do.
pub(super) enum Request {
    Write {
        writes: Vec<Write>,
        durability: Durability,
        reply: Reply<(), TableError>,
    },
    Update {
        key: Key,
        changes: Vec<Change>,
        condition: Condition,
        reply: Reply<Item, TableError>,
    },
    /// The item at a key, where it may be in the journal only.
    Get {
        key: Key,
        reply: Reply<Option<Item>, TableError>,
    },
    /// Puts what is in the journal into SQLite.
    Fold {
        reply: Reply<(), TableError>,
    },
    /// Removes up to `limit` items that have expired at `now`, in seconds, and old dead letters.
    Expire {
        now: i64,
        limit: usize,
        reply: Reply<usize, TableError>,
    },
    /// Gives back to the disk some of what is not needed. Whether there is more.
    Tidy {
        reply: Reply<bool, TableError>,
    },
    Send {
        message: Message,
        delay: Duration,
        reply: Reply<(), PortError>,
    },
    Receive(Waiter),
    /// Without a reply where nobody waits for it.
    Settle {
        receipts: Vec<Receipt>,
        how: Settlement,
        reply: Option<Reply<(), PortError>>,
    },
    /// Asks for a sign of life: a commit, where the one before failed.
    Probe {
        reply: Reply<(), Fault>,
    },
}

/// Somebody who waits for messages.
pub(super) struct Waiter {
    /// How many at most.
    pub(super) max: usize,
    /// For how long they are hidden from others.
    pub(super) visibility: Duration,
    /// How many of one workspace may be in workers' hands.
    pub(super) cap: usize,
    /// When to answer that there are none.
    pub(super) until: Instant,
    pub(super) reply: Reply<Claimed, PortError>,
}

/// What becomes of a delivered message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settlement {
    /// Removed for good.
    Ack,
    /// Shown again after this.
    Release(Duration),
    /// Shown again as if it had not been delivered: the delivery reached nobody.
    Return,
    /// Moved to the dead letters.
    Bury,
}

/// Names a delivery: which message, and the how manieth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Receipt {
    pub(super) id: i64,
    pub(super) receives: u32,
}

impl Receipt {
    /// Reads what [`Receipt::text`] wrote. `None` for anything else: a receipt that is no good.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (id, receives) = text.split_once('.')?;
        Some(Self { id: id.parse().ok()?, receives: receives.parse().ok()? })
    }

    pub(super) fn text(self) -> String {
        format!("{}.{}", self.id, self.receives)
    }
}

/// An answer that is given once the batch is committed, or has failed.
pub(super) type Answer = Box<dyn FnOnce(Result<(), &Fault>) + Send>;

/// `result`, if the batch does not fail.
pub(super) fn answer<T, E>(reply: Reply<T, E>, result: Result<T, E>) -> Answer
where
    T: Send + 'static,
    E: From<Fault> + Send + 'static,
{
    Box::new(move |batch| {
        // Whoever has gone away meanwhile needs no answer.
        let _ = reply.send(batch.map_err(|fault| fault.clone().into()).and(result));
    })
}

/// The most writes that are short.
const SHORT: usize = 16;

impl Request {
    /// Whether it takes about as long as changing to another thread.
    pub(super) fn is_short(&self) -> bool {
        match self {
            Self::Write { writes, .. } => writes.len() <= SHORT,
            Self::Update { .. }
            | Self::Get { .. }
            | Self::Send { .. }
            | Self::Receive(_)
            | Self::Settle { .. } => true,
            Self::Fold { .. } | Self::Expire { .. } | Self::Tidy { .. } | Self::Probe { .. } => false,
        }
    }

    /// Whether it is done by a record in the journal. The queue is in SQLite only, and what must survive power loss is
    /// synced with SQLite's log.
    pub(super) fn is_noted(&self) -> bool {
        match self {
            Self::Write { durability, .. } => *durability == Durability::Crash,
            Self::Update { .. } | Self::Get { .. } => true,
            _ => false,
        }
    }

    /// Whether it is about the table's items, not the queue's messages.
    pub(super) fn is_of_table(&self) -> bool {
        match self {
            Self::Write { .. } | Self::Update { .. } | Self::Get { .. } | Self::Expire { .. } => true,
            Self::Send { .. }
            | Self::Receive(_)
            | Self::Settle { .. }
            | Self::Fold { .. }
            | Self::Tidy { .. }
            | Self::Probe { .. } => false,
        }
    }

    /// Says why it is not done.
    pub(super) fn refuse(self, fault: &Fault) {
        let refused = Err(fault);
        match self {
            Self::Write { reply, .. } => answer(reply, Ok(()))(refused),
            Self::Update { reply, .. } => drop(reply.send(Err(fault.clone().into()))),
            Self::Get { reply, .. } => drop(reply.send(Err(fault.clone().into()))),
            Self::Fold { reply } => answer(reply, Ok(()))(refused),
            Self::Expire { reply, .. } => answer(reply, Ok(0))(refused),
            Self::Tidy { reply } => answer(reply, Ok(false))(refused),
            Self::Send { reply, .. } | Self::Settle { reply: Some(reply), .. } => {
                answer(reply, Ok(()))(refused)
            }
            Self::Receive(waiter) => drop(waiter.reply.send(Err(fault.clone().into()))),
            Self::Probe { reply } => answer(reply, Ok(()))(refused),
            Self::Settle { reply: None, .. } => {}
        }
    }
}
