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

/// The error that a response stands for, for [`crate::layers`] to render and to log.
#[derive(Clone, Debug)]
pub(crate) struct Carried(pub(crate) Arc<domain::Error>);

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        // The status is what a caller would see if the response ever went out unrendered: nothing leaks.
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response.extensions_mut().insert(Carried(Arc::new(self.0)));
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
