//! Whether the platform's parts answer.

use std::fmt::Display;
use std::sync::Arc;

use ports::{Queue, Runtime};
use store::Store;

/// Asks the parts how they are.
pub struct Health {
    pub(crate) store: Store,
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) runtime: Arc<dyn Runtime>,
}

impl Health {
    /// Whether each part the platform needs answers: its name, and how it is or what is wrong.
    pub async fn check(&self) -> Vec<(&'static str, Result<String, String>)> {
        let ok = |()| "ok".to_owned();
        let text = |error: &dyn Display| error.to_string();
        vec![
            ("table", self.store.table().health().await.map(ok).map_err(|error| text(&error))),
            ("blobs", self.store.blobs().health().await.map(ok).map_err(|error| text(&error))),
            ("queue", self.queue.health().await.map(ok).map_err(|error| text(&error))),
            ("runtime", self.runtime.health().await.map_err(|error| text(&error))),
        ]
    }
}
