//! A runtime that needs no interpreter.

use std::time::Duration;

use async_trait::async_trait;
use domain::function::{Checked, CodeFault, Handler, Module};
use domain::job::Outcome;
use domain::{Function, FunctionId, Logs};
use ports::{Draft, Invocation, Runtime, RuntimeError};
use tokio::sync::Notify;

/// Answers each event with itself: `"slow…"` after a while, `"held…"` once it may go, and for `"busy…"` there is no room.
#[derive(Default)]
pub struct Echo {
    /// Lets what is held go.
    pub go: Notify,
}

#[async_trait]
impl Runtime for Echo {
    async fn check(&self, _: Draft<'_>) -> Result<Result<Checked, CodeFault>, RuntimeError> {
        Ok(Ok(Checked { module: Module::Python, handler: Handler::default() }))
    }

    async fn deploy(&self, _: &Function) -> Result<Result<(), CodeFault>, RuntimeError> {
        Ok(Ok(()))
    }

    async fn invoke(&self, invocation: Invocation) -> Result<Outcome, RuntimeError> {
        let text = String::from_utf8(invocation.event.to_vec()).expect("events are JSON");
        if text.starts_with("\"slow") || text.starts_with("\"busy") {
            // Long enough to be recorded meanwhile.
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
        if text.starts_with("\"busy") {
            return Err(RuntimeError::Busy { retry_after: Duration::from_secs(1) });
        }
        if text.starts_with("\"held") {
            self.go.notified().await;
        }
        Ok(Outcome { result: Ok(text), logs: Logs::default(), duration: 0.1, cold_start: false })
    }

    async fn remove(&self, _: FunctionId) -> Result<(), RuntimeError> {
        Ok(())
    }

    async fn health(&self) -> Result<String, RuntimeError> {
        Ok("echo".into())
    }
}
