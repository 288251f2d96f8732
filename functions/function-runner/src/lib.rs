//! The Function Runner API: `shared/specs/function-runner.md`, one file per route.

pub mod functions;
pub mod jobs;
pub mod run;
pub mod series;
mod style;
pub mod system;
pub mod users;
pub mod workspaces;

use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;
use web::{Api, AppState, Document};

pub use style::STYLE;

/// The answer to a delete.
#[derive(Serialize, ToSchema)]
pub struct Deleted {
    /// Always true.
    success: bool,
}

impl Deleted {
    fn done() -> Self {
        Self { success: true }
    }
}

/// What the catalogue lists.
pub const DOCUMENT: Document = Document {
    name: "function-runner",
    api,
    table_api,
    open: &["system.health", "system.root", "users.login", "users.register"],
};

/// All its routes.
pub fn api() -> Api<AppState> {
    table_api()
        .idempotent(routes!(functions::create::create))
        .route(routes!(functions::get::get))
        .route(routes!(functions::update::update))
        .idempotent(routes!(functions::invoke::invoke))
        .idempotent(routes!(functions::invoke_workspace::invoke_workspace))
        .route(routes!(functions::versions::versions))
        .idempotent(routes!(functions::rollback::rollback))
        .route(routes!(jobs::get::get))
        .idempotent(routes!(jobs::cancel::cancel))
        .idempotent(routes!(jobs::retry::retry))
        .idempotent(routes!(run::trigger::trigger))
        .route(routes!(system::health::health))
}

/// The routes that need nothing but the table.
pub fn table_api() -> Api<AppState> {
    Api::new("Function Runner API", "Save Python and Node.js functions, and run them.", STYLE)
        .idempotent(routes!(users::register::register))
        .route(routes!(users::login::login))
        .route(routes!(users::me::me))
        .route(routes!(workspaces::list::list))
        .idempotent(routes!(workspaces::create::create))
        .route(routes!(workspaces::get::get))
        .route(routes!(workspaces::update::update))
        .route(routes!(workspaces::delete::delete))
        .idempotent(routes!(workspaces::auth_keys::create::create))
        .route(routes!(workspaces::auth_keys::list::list))
        .route(routes!(workspaces::auth_keys::revoke::revoke))
        .route(routes!(workspaces::metrics::metrics))
        .route(routes!(workspaces::functions::functions))
        .route(routes!(functions::list::list))
        .route(routes!(functions::delete::delete))
        .route(routes!(functions::jobs::jobs))
        .route(routes!(functions::metrics::metrics))
        .route(routes!(system::root::root))
}
