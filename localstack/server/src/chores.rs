//! What AWS does on a schedule: the janitor, and the table's expiry.

use std::sync::Arc;
use std::time::Duration;

use app::Janitor;
use app::janitor::Scope;
use domain::Timestamp;
use ports::Clock;
use sqlite::SqliteTable;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// How often.
const EVERY: Duration = Duration::from_secs(10);
/// How many expired items one look removes.
const EXPIRE: usize = 1000;

/// Does them until `stopping`; first what the server before left.
pub(crate) async fn run(
    janitor: Arc<Janitor>,
    table: Arc<SqliteTable>,
    clock: Arc<dyn Clock>,
    started: Timestamp,
    stopping: CancellationToken,
) {
    let mut scope = Scope::LeftBefore(started);
    let mut taken_over = false;
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            _ = ticks.tick() => {}
        }
        match janitor.requeue(scope).await {
            Ok(_) => scope = Scope::Due,
            Err(error) => warn!(%error, "the janitor could not check the jobs; it will try again"),
        }
        if !taken_over {
            match janitor.take_over(started).await {
                Ok(()) => taken_over = true,
                Err(error) => {
                    warn!(%error, "what the previous server left behind could not be cleaned up; it will be tried again")
                }
            }
        }
        loop {
            match janitor.sweep().await {
                Ok(true) if !stopping.is_cancelled() => {}
                Ok(_) => break,
                Err(error) => {
                    warn!(%error, "the janitor could not remove deleted data; it will try again");
                    break;
                }
            }
        }
        if let Err(error) = table.expire(clock.now().as_seconds(), EXPIRE).await {
            warn!(%error, "expired items could not be removed; will try again");
        }
        while !stopping.is_cancelled() {
            match table.tidy().await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    warn!(%error, "the database's free space could not be returned to the disk; it will be tried again");
                    break;
                }
            }
        }
    }
}
