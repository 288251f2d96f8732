//! Errors in FastAPI's shape.

use axum::response::{IntoResponse, Response};
use domain::{Error, Fault, Field, Kind, Rule, Step};
use http::StatusCode;
use serde_json::{Value, json};
use utoipa::openapi::ObjectBuilder;
use web::style::{headers, status};
use web::{Json, Style};

pub const STYLE: Style = Style {
    render,
    error: || ("HTTPError", ObjectBuilder::new().into()),
    invalid: || ("HTTPValidationError", ObjectBuilder::new().into()),
    invalid_status: StatusCode::UNPROCESSABLE_ENTITY,
    no_such: None,
};

fn render(error: &Error, request_id: &str) -> Response {
    let body = match &error.kind {
        Kind::Invalid(faults) => json!({ "detail": faults.iter().map(detail).collect::<Vec<_>>() }),
        Kind::Internal => json!({ "detail": "Something went wrong on the server", "request_id": request_id }),
        _ => json!({ "detail": error.message, "code": error.code, "request_id": request_id }),
    };
    (status(&error.kind), headers(error), Json(body)).into_response()
}

fn detail(fault: &Fault) -> Value {
    let Field::Request(part, steps) = &fault.field else { panic!("no use case runs here: {fault:?}") };
    let step = |step: &Step| match step {
        Step::Name(name) => Value::from(name.as_str()),
        Step::Index(index) => Value::from(*index),
    };
    let part = format!("{part:?}").to_lowercase().into();
    let mut loc: Vec<Value> = std::iter::once(part).chain(steps.iter().map(step)).collect();
    if let Rule::Json { position } | Rule::JsonDepth { position, .. } = fault.rule {
        loc.push(position.into());
    }
    let (kind, message) = pydantic::words(&fault.rule);
    json!({ "loc": loc, "msg": message, "type": kind })
}
