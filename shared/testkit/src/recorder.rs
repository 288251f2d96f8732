//! Ports that write down what is asked of them, in the words of a route's `x-access`.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use domain::function::{Checked, CodeFault};
use domain::job::Outcome;
use domain::{Function, FunctionId};
use ports::{
    Blobs, Change, Close, Condition, ConnectionError, ConnectionId, Connections, Delivery, Draft, Durability,
    Invocation, Item, Key, Message, Page, Parts, PortError, Query, Queue, Runtime, RuntimeError, Table,
    TableError, Write,
};

/// What has been asked since the last look.
#[derive(Clone, Default)]
pub struct Asked(Arc<Mutex<BTreeSet<&'static str>>>);

impl Asked {
    /// The words, and begins anew.
    pub fn take(&self) -> BTreeSet<&'static str> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, word: &'static str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(word);
    }
}

/// The same ports, and what is asked of them.
pub fn record(parts: Parts) -> (Parts, Asked) {
    let asked = Asked::default();
    let recorded = Parts {
        table: Arc::new(Recorded { port: parts.table, asked: asked.clone() }),
        blobs: Arc::new(Recorded { port: parts.blobs, asked: asked.clone() }),
        queue: Arc::new(Recorded { port: parts.queue, asked: asked.clone() }),
        runtime: Arc::new(Recorded { port: parts.runtime, asked: asked.clone() }),
        connections: Arc::new(Recorded { port: parts.connections, asked: asked.clone() }),
        clock: parts.clock,
    };
    (recorded, asked)
}

struct Recorded<T: ?Sized> {
    port: Arc<T>,
    asked: Asked,
}

#[async_trait]
impl Table for Recorded<dyn Table> {
    async fn get(&self, key: &Key) -> Result<Option<Item>, TableError> {
        self.asked.note("table:read");
        self.port.get(key).await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, TableError> {
        self.asked.note("table:read");
        self.port.get_many(keys).await
    }

    async fn query(&self, query: &Query) -> Result<Page, TableError> {
        self.asked.note("table:read");
        self.port.query(query).await
    }

    async fn any_partition(&self, prefix: &str) -> Result<bool, TableError> {
        self.asked.note("table:scan");
        self.port.any_partition(prefix).await
    }

    async fn write(&self, writes: Vec<Write>, durability: Durability) -> Result<(), TableError> {
        self.asked.note("table:write");
        self.port.write(writes, durability).await
    }

    async fn update(&self, key: Key, changes: Vec<Change>, condition: Condition) -> Result<Item, TableError> {
        self.asked.note("table:write");
        self.port.update(key, changes, condition).await
    }

    async fn health(&self) -> Result<(), TableError> {
        self.asked.note("table:read");
        self.port.health().await
    }
}

/// The word for a blob: code, or a job's payload.
fn blob(key: &str, code: &'static str, payload: &'static str) -> &'static str {
    if key.starts_with("code/") { code } else { payload }
}

#[async_trait]
impl Blobs for Recorded<dyn Blobs> {
    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), PortError> {
        self.asked.note(blob(key, "code:write", "payloads:write"));
        self.port.put(key, bytes).await
    }

    async fn sync(&self, key: &str) -> Result<(), PortError> {
        self.port.sync(key).await
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>, PortError> {
        self.asked.note(blob(key, "code:read", "payloads:read"));
        self.port.get(key).await
    }

    async fn delete_prefix(&self, prefix: &str) -> Result<(), PortError> {
        self.asked.note(blob(prefix, "code:delete", "payloads:delete"));
        self.port.delete_prefix(prefix).await
    }

    async fn health(&self) -> Result<(), PortError> {
        self.asked.note("code:read");
        self.port.health().await
    }
}

#[async_trait]
impl Queue for Recorded<dyn Queue> {
    async fn send(&self, message: &Message, delay: Duration) -> Result<(), PortError> {
        self.asked.note("queue:send");
        self.port.send(message, delay).await
    }

    async fn receive(
        &self,
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Delivery>, PortError> {
        self.asked.note("queue:receive");
        self.port.receive(max, visibility, wait).await
    }

    async fn ack(&self, receipt: &str) -> Result<(), PortError> {
        self.asked.note("queue:receive");
        self.port.ack(receipt).await
    }

    async fn release(&self, receipt: &str, delay: Duration) -> Result<(), PortError> {
        self.asked.note("queue:receive");
        self.port.release(receipt, delay).await
    }

    async fn dead_letter(&self, receipt: &str, message: &Message) -> Result<(), PortError> {
        self.asked.note("queue:receive");
        self.port.dead_letter(receipt, message).await
    }

    async fn health(&self) -> Result<(), PortError> {
        self.asked.note("queue:read");
        self.port.health().await
    }
}

#[async_trait]
impl Runtime for Recorded<dyn Runtime> {
    async fn check(&self, draft: Draft<'_>) -> Result<Result<Checked, CodeFault>, RuntimeError> {
        self.asked.note("runtime:deploy");
        self.port.check(draft).await
    }

    async fn deploy(&self, function: &Function) -> Result<Result<(), CodeFault>, RuntimeError> {
        self.asked.note("runtime:deploy");
        self.port.deploy(function).await
    }

    async fn invoke(&self, invocation: Invocation) -> Result<Outcome, RuntimeError> {
        self.asked.note("runtime:invoke");
        self.port.invoke(invocation).await
    }

    async fn remove(&self, function_id: FunctionId) -> Result<(), RuntimeError> {
        self.asked.note("runtime:remove");
        self.port.remove(function_id).await
    }

    async fn health(&self) -> Result<String, RuntimeError> {
        self.asked.note("runtime:read");
        self.port.health().await
    }
}

#[async_trait]
impl Connections for Recorded<dyn Connections> {
    async fn send(&self, id: &ConnectionId, message: &str) -> Result<(), ConnectionError> {
        self.asked.note("connections:send");
        self.port.send(id, message).await
    }

    async fn close(&self, id: &ConnectionId, close: &Close) -> Result<(), ConnectionError> {
        self.asked.note("connections:send");
        self.port.close(id, close).await
    }
}
