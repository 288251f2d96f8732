//! The API documents of the platform, in one list. What needs all of them takes them from here: the server of one machine, the
//! fallback, what is generated for AWS, and the tests of every route.

use web::{AppState, Document, Site, Style, Web};

/// Every document. The first one gives the OpenAPI document of all of them its title.
pub const DOCUMENTS: &[&Document] = &[&function_runner_api::DOCUMENT, &faas_backend_api::DOCUMENT];

/// The words for what belongs to no document.
pub const STYLE: Style = function_runner_api::STYLE;

/// All of them as one site.
pub fn site(web: Web, state: &AppState) -> Site {
    let site = Site::new(web, STYLE);
    DOCUMENTS.iter().fold(site, |site, document| site.api((document.api)(), state.clone()))
}
