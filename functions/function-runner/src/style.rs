//! How this API words its errors: as FastAPI does.

use axum::response::{IntoResponse, Response};
use domain::{Attribute, Error, Fault, Field, Kind, Part, Rule, Step};
use http::StatusCode;
use serde_json::{Value, json};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use web::style::{headers, status};
use web::{Json, Style};

/// `{"detail": [{loc, msg, type}]}` for what is not valid, else `{"detail", "message", "code", "request_id"}`, where the
/// first two are the same text: some clients show one, some the other.
pub const STYLE: Style = Style {
    render,
    error: || ("HTTPError", error_schema()),
    invalid: || ("HTTPValidationError", invalid_schema()),
    invalid_status: StatusCode::UNPROCESSABLE_ENTITY,
    no_such: None,
};

/// What a caller reads of a defect or an outage of ours.
const INTERNAL: &str = "Something went wrong on the server. If you report this, include the request id";

fn render(error: &Error, request_id: &str) -> Response {
    let body = match &error.kind {
        Kind::Invalid(faults) => json!({ "detail": faults.iter().map(detail).collect::<Vec<_>>() }),
        kind => {
            let text = if *kind == Kind::Internal { INTERNAL } else { &error.message };
            json!({ "detail": text, "message": text, "code": error.code, "request_id": request_id })
        }
    };
    (status(&error.kind), headers(error), Json(body)).into_response()
}

fn detail(fault: &Fault) -> Value {
    let (kind, message) = pydantic::words(&fault.rule);
    json!({ "loc": loc(fault), "msg": message, "type": kind })
}

/// The way to what is wrong, with the part of the request first; to a place in a text that is no JSON, in characters.
fn loc(fault: &Fault) -> Vec<Value> {
    let mut loc: Vec<Value> = match &fault.field {
        Field::Request(part, steps) => {
            let part = match part {
                Part::Body => "body",
                Part::Path => "path",
                Part::Query => "query",
                Part::Header => "header",
            };
            let step = |step: &Step| match step {
                Step::Name(name) => Value::from(name.as_str()),
                Step::Index(index) => Value::from(*index),
            };
            std::iter::once(part.into()).chain(steps.iter().map(step)).collect()
        }
        Field::Attribute(attribute) => {
            let names = match attribute {
                Attribute::Code => vec!["body", "code"],
                Attribute::Environment => vec!["body", "environment"],
                Attribute::Variable(name) => vec!["body", "environment", name],
                Attribute::Version => vec!["body", "version"],
            };
            names.into_iter().map(Value::from).collect()
        }
    };
    if let Rule::Json { position } | Rule::JsonDepth { position, .. } = fault.rule {
        loc.push(position.into());
    }
    loc
}

fn error_schema() -> RefOr<Schema> {
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

fn invalid_schema() -> RefOr<Schema> {
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
    fn faults_are_where_fastapi_has_them() {
        let steps = vec!["tags".into(), Step::Index(1)];
        let cases = [
            (Part::Body.into(), Rule::Required, json!(["body"])),
            (Field::body("name"), Rule::Required, json!(["body", "name"])),
            (Field::Request(Part::Body, steps), Rule::Required, json!(["body", "tags", 1])),
            (Part::Body.into(), Rule::Json { position: 7 }, json!(["body", 7])),
            (Part::Body.into(), Rule::JsonDepth { position: 7, max: 1 }, json!(["body", 7])),
            (Part::Path.into(), Rule::Utf8, json!(["path"])),
            (Field::query("limit"), Rule::Required, json!(["query", "limit"])),
            (Field::header("idempotency-key"), Rule::Required, json!(["header", "idempotency-key"])),
            (Attribute::Code.into(), Rule::Required, json!(["body", "code"])),
            (Attribute::Environment.into(), Rule::Required, json!(["body", "environment"])),
            (Attribute::Variable("A".to_owned()).into(), Rule::Required, json!(["body", "environment", "A"])),
            (Attribute::Version.into(), Rule::Required, json!(["body", "version"])),
        ];
        for (field, rule, loc) in cases {
            assert_eq!(detail(&Fault { field, rule })["loc"], loc);
        }
    }

    #[test]
    fn every_rule_is_told_in_pydantics_words() {
        for rule in testkit::rules() {
            let shown = detail(&Fault::new(Field::body("name"), rule.clone()));
            let (kind, message) = pydantic::words(&rule);
            assert_eq!((&shown["type"], &shown["msg"]), (&json!(kind), &json!(message)));
            assert_eq!(
                shown.as_object().map(|shown| shown.keys().cloned().collect()),
                Some(vec!["loc".to_owned(), "msg".to_owned(), "type".to_owned()])
            );
        }
    }
}
