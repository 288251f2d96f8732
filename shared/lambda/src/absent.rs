//! Parts that a function doesn't have.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use domain::function::{Checked, CodeFault};
use domain::job::Outcome;
use domain::{Function, FunctionId};
use ports::{Blobs, Delivery, Draft, Invocation, Message, PortError, Queue, Runtime, RuntimeError};

/// Stands for a part that no route of a binary may touch: everything fails, and the log says why.
pub(crate) struct Absent;

const WHY: &str =
    "this function's binary has the table only; a route that needs more belongs to the other one";

fn absent<T>(part: &'static str) -> Result<T, PortError> {
    Err(PortError::new(part, WHY))
}

fn no_runtime<T>() -> Result<T, RuntimeError> {
    tracing::error!("{WHY}");
    Err(RuntimeError::Failed("The platform can't run functions here".to_owned()))
}

#[async_trait]
impl Blobs for Absent {
    async fn put(&self, _key: &str, _bytes: Bytes) -> Result<(), PortError> {
        absent("blobs")
    }

    async fn get(&self, _key: &str) -> Result<Option<Bytes>, PortError> {
        absent("blobs")
    }

    async fn delete_prefix(&self, _prefix: &str) -> Result<(), PortError> {
        absent("blobs")
    }

    async fn health(&self) -> Result<(), PortError> {
        absent("blobs")
    }
}

#[async_trait]
impl Queue for Absent {
    async fn send(&self, _message: &Message, _delay: Duration) -> Result<(), PortError> {
        absent("queue")
    }

    async fn receive(
        &self,
        _max: usize,
        _visibility: Duration,
        _wait: Duration,
    ) -> Result<Vec<Delivery>, PortError> {
        absent("queue")
    }

    async fn ack(&self, _receipt: &str) -> Result<(), PortError> {
        absent("queue")
    }

    async fn release(&self, _receipt: &str, _delay: Duration) -> Result<(), PortError> {
        absent("queue")
    }

    async fn dead_letter(&self, _receipt: &str, _message: &Message) -> Result<(), PortError> {
        absent("queue")
    }

    async fn health(&self) -> Result<(), PortError> {
        absent("queue")
    }
}

#[async_trait]
impl Runtime for Absent {
    async fn check(&self, _draft: Draft<'_>) -> Result<Result<Checked, CodeFault>, RuntimeError> {
        no_runtime()
    }

    async fn deploy(&self, _function: &Function) -> Result<Result<(), CodeFault>, RuntimeError> {
        no_runtime()
    }

    async fn invoke(&self, _invocation: Invocation) -> Result<Outcome, RuntimeError> {
        no_runtime()
    }

    async fn remove(&self, _function_id: FunctionId) -> Result<(), RuntimeError> {
        no_runtime()
    }

    async fn health(&self) -> Result<String, RuntimeError> {
        no_runtime()
    }
}
