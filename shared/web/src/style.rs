//! How an API words its errors.

use std::time::Duration;

use axum::Json;
use axum::response::{IntoResponse, Response};
use domain::{Error, Kind};
use http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::json;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Type};
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
}

/// FastAPI's words: `{"detail": [{loc, msg, type}]}` for what is not valid, else `{"detail", "code", "request_id"}`.
pub const FASTAPI: Style = Style {
    render: fastapi,
    error: || ("HTTPError", fastapi_error()),
    invalid: || ("HTTPValidationError", fastapi_invalid()),
};

/// What a caller reads of a defect or an outage of ours.
const INTERNAL: &str = "Something went wrong on our side. Quote the request id if you report it";

/// The status of a kind of error, the same for every API.
pub fn status(kind: &Kind) -> StatusCode {
    match kind {
        Kind::Invalid(_) | Kind::Unprocessable => StatusCode::UNPROCESSABLE_ENTITY,
        Kind::BadRequest => StatusCode::BAD_REQUEST,
        Kind::Unauthenticated => StatusCode::UNAUTHORIZED,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::Conflict => StatusCode::CONFLICT,
        Kind::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
        Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Kind::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
        Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The headers that go with a kind of error, the same for every API.
pub fn headers(kind: &Kind) -> HeaderMap {
    let mut headers = HeaderMap::new();
    match kind {
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

fn fastapi(error: &Error, request_id: &str) -> Response {
    let body = match &error.kind {
        Kind::Invalid(faults) => json!({ "detail": faults }),
        Kind::Internal => json!({ "detail": INTERNAL, "code": error.code, "request_id": request_id }),
        _ => json!({ "detail": error.message, "code": error.code, "request_id": request_id }),
    };
    (status(&error.kind), headers(&error.kind), Json(body)).into_response()
}

fn fastapi_error() -> RefOr<Schema> {
    let text =
        |description: &str| ObjectBuilder::new().schema_type(Type::String).description(Some(description));
    ObjectBuilder::new()
        .property("detail", text("What was wrong, for people"))
        .property("code", text("What was wrong, for programs"))
        .property("request_id", text("Names the request in the log"))
        .required("detail")
        .required("code")
        .required("request_id")
        .into()
}

fn fastapi_invalid() -> RefOr<Schema> {
    let step = OneOfBuilder::new()
        .item(ObjectBuilder::new().schema_type(Type::String))
        .item(ObjectBuilder::new().schema_type(Type::Integer));
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let fault = ObjectBuilder::new()
        .property("loc", ArrayBuilder::new().items(step))
        .property("msg", text())
        .property("type", text())
        .required("loc")
        .required("msg")
        .required("type");
    ObjectBuilder::new().property("detail", ArrayBuilder::new().items(fault)).required("detail").into()
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
}
