//! A runtime that answers, fails, has no room, breaks, or freezes until long after its lease.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::function::{Checked, CodeFault, Handler, Module};
use domain::job::Outcome;
use domain::{Function, FunctionId, Logs};
use ports::{Draft, Invocation, Runtime, RuntimeError};

use super::table::StormyTable;
use super::world::World;

pub(crate) struct StormyRuntime {
    pub(crate) world: Arc<World>,
    pub(crate) table: Arc<StormyTable>,
}

/// The text of a handler's failure.
pub(crate) const FAILED: &str = "ValueError: not today";

#[async_trait]
impl Runtime for StormyRuntime {
    async fn check(&self, _: Draft<'_>) -> Result<Result<Checked, CodeFault>, RuntimeError> {
        Ok(Ok(Checked { module: Module::Python, handler: Handler::default() }))
    }

    async fn deploy(&self, _: &Function) -> Result<Result<(), CodeFault>, RuntimeError> {
        Ok(Ok(()))
    }

    async fn invoke(&self, invocation: Invocation) -> Result<Outcome, RuntimeError> {
        let lease = self.table.lease(invocation.job_id).await;
        let (seconds, how) = match self.world.roll(20) {
            _ if self.world.is_calm() => (0, 0),
            how @ 0..=9 => (self.world.roll(2), how),
            how @ 10..=14 => (self.world.roll(30), how),
            how @ 15 => (600 + self.world.roll(1800), how),
            how => (self.world.roll(10), how),
        };
        let (job, attempt) = (invocation.job_id, invocation.attempt);
        self.world.note("run", format_args!("job {job}, attempt {attempt}, for {seconds} s, ending {how}"));
        tokio::time::sleep(Duration::from_millis(seconds * 1000 + self.world.roll(20))).await;
        self.world.note("ran", format_args!("job {job}, attempt {attempt}"));
        let result = match how {
            18 => return Err(RuntimeError::Busy { retry_after: Duration::from_secs(1) }),
            19 => return Err(RuntimeError::Failed("the machine is on fire".to_owned())),
            16 | 17 => Err(FAILED.to_owned()),
            _ => Ok(serde_json::json!({"attempt": invocation.attempt, "lease": lease}).to_string()),
        };
        let cold_start = self.world.roll(2) == 0;
        Ok(Outcome { result, logs: Logs::default(), duration: seconds as f64, cold_start })
    }

    async fn remove(&self, _: FunctionId) -> Result<(), RuntimeError> {
        Ok(())
    }

    async fn health(&self) -> Result<String, RuntimeError> {
        Ok("stormy".to_owned())
    }
}
