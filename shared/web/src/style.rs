//! How an API words its errors: each API document's crate has a [`Style`]; what all of them have in common is here.

use std::time::Duration;

use axum::response::Response;
use domain::{Error, Kind};
use http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use utoipa::openapi::{RefOr, Schema};

/// How an API words its errors, and how OpenAPI shows that.
#[derive(Clone, Copy)]
pub struct Style {
    /// Turns an error into a response. `request_id` is what the caller can quote.
    pub render: fn(error: &Error, request_id: &str) -> Response,
    /// The schema of an error's body, by name.
    pub error: fn() -> (&'static str, RefOr<Schema>),
    /// The schema of the body that lists validation faults, by name.
    pub invalid: fn() -> (&'static str, RefOr<Schema>),
    /// The status of what is not valid.
    pub invalid_status: StatusCode,
    /// Where an id in the path that can't be one is answered as one that nothing has: the error that says so, by the name
    /// of the path's parameter.
    pub no_such: Option<fn(parameter: &str) -> Error>,
}

/// The status of a kind of error, the same for every API but for [`Style::invalid_status`].
pub fn status(kind: &Kind) -> StatusCode {
    match kind {
        Kind::Invalid(_) | Kind::Unprocessable => StatusCode::UNPROCESSABLE_ENTITY,
        Kind::BadRequest => StatusCode::BAD_REQUEST,
        Kind::Unauthenticated => StatusCode::UNAUTHORIZED,
        Kind::Forbidden => StatusCode::FORBIDDEN,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::Conflict => StatusCode::CONFLICT,
        Kind::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
        Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Kind::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
        Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The headers that go with an error, the same for every API.
pub fn headers(error: &domain::Error) -> HeaderMap {
    let mut headers = HeaderMap::new();
    match &error.kind {
        Kind::Unauthenticated => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        // Where this is empty the router has put the header there already.
        Kind::MethodNotAllowed(methods) if !methods.is_empty() => {
            if let Ok(value) = HeaderValue::from_str(&methods.join(", ")) {
                headers.insert(ALLOW, value);
            }
        }
        Kind::TooMany { retry_after } => {
            headers.insert(RETRY_AFTER, seconds(*retry_after));
        }
        Kind::Conflict if error.code == domain::Error::KEY_IN_USE => {
            headers.insert(RETRY_AFTER, seconds(Duration::from_secs(1)));
        }
        Kind::Unavailable => {
            headers.insert(RETRY_AFTER, seconds(Duration::from_secs(1)));
        }
        _ => {}
    }
    headers
}

/// `Retry-After` counts whole seconds; none would mean "at once".
fn seconds(wait: Duration) -> HeaderValue {
    let whole = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    HeaderValue::from(whole.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_whole_seconds_and_never_none() {
        for (millis, shown) in [(0, "1"), (1, "1"), (1000, "1"), (1001, "2"), (59_999, "60")] {
            assert_eq!(seconds(Duration::from_millis(millis)), shown);
        }
    }

    #[test]
    fn who_meets_another_try_hears_when_to_come_back() {
        assert_eq!(headers(&domain::Error::key_in_use())[RETRY_AFTER], "1");
        assert!(headers(&domain::Error::conflict("NAME_TAKEN", "It is taken")).is_empty());
    }
}
