//! The FaaS Backend API: `shared/specs/faas-backend.md`, one file per route. The same workspaces and functions as Function
//! Runner's, in other words.

pub mod functions;
mod style;
pub mod workspaces;

use http::header::LINK;
use http::{HeaderMap, HeaderValue};
use utoipa_axum::routes;
use web::{Api, AppState, Document};

use style::STYLE;

/// What the catalogue lists.
pub const DOCUMENT: Document = Document { name: "faas-backend", api, table_api, open: &[] };

/// All its routes.
pub fn api() -> Api<AppState> {
    table_api()
        .idempotent(routes!(functions::create::create))
        .route(routes!(functions::list::list))
        .route(routes!(functions::get::get))
        .route(routes!(functions::update::update))
        .route(routes!(functions::logs::logs))
}

/// The routes that need nothing but the table.
pub fn table_api() -> Api<AppState> {
    Api::new(
        "FaaS Backend API",
        "Workspaces, functions and their logs, as the FaaS frontend wants them.",
        STYLE,
    )
    .below("/api")
    .idempotent(routes!(workspaces::create::create))
    .route(routes!(workspaces::list::list))
    .route(routes!(workspaces::get::get))
    .route(routes!(workspaces::update::update))
    .route(routes!(workspaces::delete::delete))
    .route(routes!(functions::delete::delete))
}

/// The headers of a page of a list: where to go on, if there is more.
fn linked(link: Option<HeaderValue>) -> HeaderMap {
    link.map(|link| (LINK, link)).into_iter().collect()
}
