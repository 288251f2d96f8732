//! How this API words its errors: in an envelope of its own.

use axum::response::{IntoResponse, Response};
use domain::{Attribute, Error, Fault, Field, Kind, Part, Step};
use http::StatusCode;
use serde_json::{Value, json};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use web::style::{headers, status};
use web::{Json, Style};

/// `{"error": {"code", "message", "details"?, "request_id"}}`. What is not valid is 400 `VALIDATION_ERROR`, its first
/// fault in `details.field` and all of them in `details.errors`.
pub(crate) const STYLE: Style = Style {
    render,
    error: || ("ErrorEnvelope", schema()),
    invalid: || ("ErrorEnvelope", schema()),
    invalid_status: StatusCode::BAD_REQUEST,
    no_such: Some(no_such),
};

/// What a caller reads of a defect or an outage of ours.
const INTERNAL: &str = "Something went wrong on the server. If you report this, include the request id";

/// What a caller hears whose path has an id that can't be one: the same as for one that nothing has.
fn no_such(parameter: &str) -> Error {
    match parameter {
        "fn_id" => Error::not_found("Function", "FUNCTION_NOT_FOUND"),
        _ => Error::not_found("Workspace", "WORKSPACE_NOT_FOUND"),
    }
}

fn render(error: &Error, request_id: &str) -> Response {
    let (status, code) = match &error.kind {
        Kind::Invalid(_) => (STYLE.invalid_status, "VALIDATION_ERROR"),
        kind => (status(kind), code(kind)),
    };
    let (message, details) = match &error.kind {
        Kind::Invalid(faults) => described(faults),
        Kind::Internal => (INTERNAL.to_owned(), None),
        // Which of several conflicts it is, for programs.
        Kind::Conflict | Kind::Unprocessable => {
            (error.message.clone(), Some(json!({ "reason": error.code })))
        }
        _ => (error.message.clone(), None),
    };
    let mut body = json!({ "code": code, "message": message });
    if let Some(details) = details {
        body["details"] = details;
    }
    body["request_id"] = request_id.into();
    (status, headers(error), Json(json!({ "error": body }))).into_response()
}

fn code(kind: &Kind) -> &'static str {
    match kind {
        Kind::Invalid(_) => "VALIDATION_ERROR",
        Kind::BadRequest => "BAD_REQUEST",
        Kind::Unprocessable => "UNPROCESSABLE",
        Kind::Unauthenticated => "UNAUTHORIZED",
        Kind::Forbidden => "FORBIDDEN",
        Kind::NotFound => "NOT_FOUND",
        Kind::Conflict => "CONFLICT",
        Kind::MethodNotAllowed(_) => "METHOD_NOT_ALLOWED",
        Kind::TooLarge => "PAYLOAD_TOO_LARGE",
        Kind::TooMany { .. } => "TOO_MANY_REQUESTS",
        Kind::Unavailable => "SERVICE_UNAVAILABLE",
        Kind::Internal => "INTERNAL_ERROR",
    }
}

fn described(faults: &[Fault]) -> (String, Option<Value>) {
    let Some(first) = faults.first() else { return ("The request is not valid".to_owned(), None) };
    let shown = |fault: &Fault| {
        let (kind, message) = pydantic::words(&fault.rule);
        json!({ "field": field(&fault.field), "message": message, "type": kind })
    };
    let errors: Vec<_> = faults.iter().map(shown).collect();
    let message = format!("{}: {}", field(&first.field), pydantic::words(&first.rule).1);
    (message, Some(json!({ "field": field(&first.field), "errors": errors })))
}

/// The field's name as a caller wrote it: `name`, `environmentVariables.KEY`, `limit`; `body` for the body as a whole.
fn field(field: &Field) -> String {
    match field {
        Field::Request(part, steps) if steps.is_empty() => match part {
            Part::Body => "body",
            Part::Path => "path",
            Part::Query => "query",
            Part::Header => "header",
        }
        .to_owned(),
        Field::Request(_, steps) => {
            let name = |step: &Step| match step {
                Step::Name(name) => name.clone(),
                Step::Index(index) => index.to_string(),
            };
            steps.iter().map(name).collect::<Vec<_>>().join(".")
        }
        Field::Attribute(attribute) => match attribute {
            Attribute::Code => "code".to_owned(),
            Attribute::Environment => "environmentVariables".to_owned(),
            Attribute::Variable(name) => format!("environmentVariables.{name}"),
            Attribute::Version => "version".to_owned(),
        },
    }
}

fn schema() -> RefOr<Schema> {
    let text =
        |description: &str| ObjectBuilder::new().schema_type(Type::String).description(Some(description));
    let fault = ObjectBuilder::new()
        .property("field", text("The field"))
        .property("message", text("What is wrong with it, for people to read"))
        .property("type", text("What is wrong with it, for programs"))
        .required("field")
        .required("message")
        .required("type");
    let details = ObjectBuilder::new()
        .property("field", text("The first field that is not valid"))
        .property(
            "errors",
            ArrayBuilder::new().items(fault).description(Some("Everything that is not valid")),
        )
        .property("reason", text("The kind of conflict, for programs"));
    let error = ObjectBuilder::new()
        .property("code", text("The error as a stable code, for programs"))
        .property("message", text("The error, for people to read"))
        .property("details", details)
        .property("request_id", text("The id of this request in the server's log"))
        .required("code")
        .required("message")
        .required("request_id");
    ObjectBuilder::new().property("error", error).required("error").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_named_by_their_field() {
        let step = |names: &[&str]| names.iter().map(|name| (*name).into()).collect();
        for (place, shown) in [
            (Field::body("name"), "name"),
            (Field::Request(Part::Body, step(&["environmentVariables", "A"])), "environmentVariables.A"),
            (Field::Request(Part::Body, vec!["httpMethods".into(), Step::Index(1)]), "httpMethods.1"),
            (Field::query("limit"), "limit"),
            (Field::header("idempotency-key"), "idempotency-key"),
            (Part::Body.into(), "body"),
            (Part::Path.into(), "path"),
            (Attribute::Code.into(), "code"),
            (Attribute::Environment.into(), "environmentVariables"),
            (Attribute::Variable("A".to_owned()).into(), "environmentVariables.A"),
            (Attribute::Version.into(), "version"),
        ] {
            assert_eq!(field(&place), shown);
        }
    }

    #[test]
    fn every_rule_is_told_in_pydantics_words() {
        for rule in testkit::rules() {
            let (kind, said) = pydantic::words(&rule);
            let (message, details) = described(&[Fault::new(Field::body("name"), rule)]);
            assert_eq!(message, format!("name: {said}"));
            let errors = json!([{ "field": "name", "message": said, "type": kind }]);
            assert_eq!(details, Some(json!({ "field": "name", "errors": errors })));
        }
    }
}
