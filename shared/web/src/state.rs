//! What handlers work with.

use std::sync::Arc;

use app::App;
use axum::extract::FromRef;

use crate::Web;

/// The state of every API: the use cases, and what this crate needs. Cheap to clone.
#[derive(Clone, FromRef)]
pub struct AppState {
    /// The use cases.
    pub app: Arc<App>,
    /// Tokens, secrets, settings.
    pub web: Web,
}
