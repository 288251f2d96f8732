//! What HTTP APIs of this platform have in common: errors and their words, validation, authentication, request ids,
//! idempotency, cursors, OpenAPI. Knows no API document, and not where it runs.
//!
//! A route file has its wire types, one handler and its tests; the API's crate lists the routes in an [`Api`]; a process
//! puts APIs into a [`Site`].

mod api;
mod body;
mod cursor;
pub mod docs;
mod document;
mod error;
pub mod extract;
mod hs256;
mod json;
mod layers;
pub mod openapi;
mod paging;
mod secrets;
mod service;
mod site;
mod state;
mod stream;
pub mod style;
pub mod target;
mod tokens;
pub mod validate;
mod verb;
mod web;

pub use api::Api;
pub use cursor::Cursors;
pub use document::Document;
pub use error::{Error, Result};
pub use extract::{
    BaseUrl, BearerToken, Body, Caller, Gateway, Path, PathBody, PathQuery, Query, RawBody, RawJson, Source,
};
pub use json::Json;
pub use layers::observe::{OriginalUri, RequestId};
pub use paging::{List, Paging};
pub use secrets::{MIN_SECRET, SecretTooShort, Secrets};
pub use service::HttpService;
pub use site::Site;
pub use state::AppState;
pub use stream::{BodyStream, StreamEnd, Streamed};
pub use style::Style;
pub use tokens::{Issued, Tokens};
pub use validate::{Fields, Input};
pub use web::{Config, Fit, Parts, Web};
