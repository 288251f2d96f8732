//! What handlers work with.

use std::sync::Arc;

use app::{
    Accounts, AuthKeys, Functions, Health, Invocations, Jobs, Metrics, RunLogs, Services, Triggers,
    Workspaces,
};
use axum::extract::FromRef;

use crate::Web;

/// The state of every API: the use cases, and what this crate needs. Cheap to clone.
///
/// A handler takes the services that it uses: `State(workspaces): State<Arc<Workspaces>>`.
#[derive(Clone, FromRef)]
pub struct AppState {
    /// The use cases.
    pub services: Arc<Services>,
    /// Tokens, secrets, settings.
    pub web: Web,
}

macro_rules! taken_by_handlers {
    ($($name:ident: $service:ty,)*) => {$(
        impl FromRef<AppState> for Arc<$service> {
            fn from_ref(state: &AppState) -> Self {
                state.services.$name.clone()
            }
        }
    )*};
}

taken_by_handlers! {
    accounts: Accounts,
    workspaces: Workspaces,
    auth_keys: AuthKeys,
    functions: Functions,
    invocations: Invocations,
    triggers: Triggers,
    jobs: Jobs,
    run_logs: RunLogs,
    metrics: Metrics,
    health: Health,
}
