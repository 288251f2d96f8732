//! An error on its way to the caller.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::StatusCode;

/// What a handler fails with. It carries the [`domain::Error`] as it is; the API's [`Style`](crate::Style) puts it in
/// words, in one place, once the response leaves the handler.
#[derive(Debug)]
pub struct Error(pub domain::Error);

/// Shorthand for what a handler returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The error that a response stands for, in its extensions until [`crate::layers`] render it.
#[derive(Clone, Debug)]
pub(crate) struct Unrendered(pub(crate) Arc<domain::Error>);

/// The error that a rendered response came of, in its extensions for the log.
#[derive(Clone, Debug)]
pub(crate) struct Rendered(pub(crate) Arc<domain::Error>);

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        // The status is what a caller would see if the response ever went out unrendered: nothing leaks.
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response.extensions_mut().insert(Unrendered(Arc::new(self.0)));
        response
    }
}

impl From<domain::Error> for Error {
    fn from(error: domain::Error) -> Self {
        Self(error)
    }
}

impl From<ports::TableError> for Error {
    fn from(error: ports::TableError) -> Self {
        Self(error.into())
    }
}

impl From<ports::PortError> for Error {
    fn from(error: ports::PortError) -> Self {
        Self(error.into())
    }
}
