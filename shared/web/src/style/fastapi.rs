//! FastAPI's words.

use axum::response::{IntoResponse, Response};
use domain::{Error, Kind};
use http::StatusCode;
use serde_json::json;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Type};
use utoipa::openapi::{RefOr, Schema};

use super::{INTERNAL, Style, headers, status};
use crate::Json;

/// FastAPI's words: `{"detail": [{loc, msg, type}]}` for what is not valid, else `{"detail", "message", "code",
/// "request_id"}`, where the first two are the same text: some clients show one, some the other.
pub const FASTAPI: Style = Style {
    render: fastapi,
    error: || ("HTTPError", fastapi_error()),
    invalid: || ("HTTPValidationError", fastapi_invalid()),
    invalid_status: StatusCode::UNPROCESSABLE_ENTITY,
    no_such: None,
};

fn fastapi(error: &Error, request_id: &str) -> Response {
    let body = match &error.kind {
        Kind::Invalid(faults) => json!({ "detail": faults }),
        kind => {
            let text = if *kind == Kind::Internal { INTERNAL } else { &error.message };
            json!({ "detail": text, "message": text, "code": error.code, "request_id": request_id })
        }
    };
    (status(&error.kind), headers(error), Json(body)).into_response()
}

fn fastapi_error() -> RefOr<Schema> {
    let text =
        |description: &str| ObjectBuilder::new().schema_type(Type::String).description(Some(description));
    ObjectBuilder::new()
        .property("detail", text("The error, for people to read"))
        .property("message", text("The same text"))
        .property("code", text("The error as a stable code, for programs"))
        .property("request_id", text("The id of this request in the server's log"))
        .required("detail")
        .required("message")
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
