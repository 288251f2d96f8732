//! Errors in an envelope of their own.

use axum::response::{IntoResponse, Response};
use domain::{Error, Fault, Kind, Loc};
use http::StatusCode;
use serde_json::{Value, json};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};

use super::{INTERNAL, Style, headers, status};
use crate::Json;

/// `{"error": {"code", "message", "details"?, "request_id"}}`. What is not valid is 400 `VALIDATION_ERROR`, its first
/// fault in `details.field` and all of them in `details.errors`.
pub const ENVELOPE: Style = Style {
    render,
    error: || ("ErrorEnvelope", schema()),
    invalid: || ("ErrorEnvelope", schema()),
    invalid_status: StatusCode::BAD_REQUEST,
    no_such: None,
};

fn render(error: &Error, request_id: &str) -> Response {
    let (status, code) = match &error.kind {
        Kind::Invalid(_) => (ENVELOPE.invalid_status, "VALIDATION_ERROR"),
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
    let errors: Vec<_> = faults
        .iter()
        .map(|fault| json!({ "field": field(fault), "message": fault.msg, "type": fault.kind }))
        .collect();
    let message = format!("{}: {}", field(first), first.msg);
    (message, Some(json!({ "field": field(first), "errors": errors })))
}

/// The field's name as a caller wrote it: `name`, `environmentVariables.KEY`, `limit`; `body` for the body as a whole.
fn field(fault: &Fault) -> String {
    let name = |step: &Loc| match step {
        Loc::Field(name) => name.clone(),
        Loc::Index(index) => index.to_string(),
    };
    match fault.loc.as_slice() {
        [] => "body".to_owned(),
        // A place in a text that is no JSON is no field.
        [whole] | [whole, Loc::Index(_)] => name(whole),
        [_, steps @ ..] => steps.iter().map(name).collect::<Vec<_>>().join("."),
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
        for (loc, shown) in [
            (vec![Loc::from("body"), "name".into()], "name"),
            (vec!["body".into(), "environmentVariables".into(), "A".into()], "environmentVariables.A"),
            (vec!["body".into(), "httpMethods".into(), Loc::Index(1)], "httpMethods.1"),
            (vec!["query".into(), "limit".into()], "limit"),
            (vec!["body".into(), Loc::Index(7)], "body"),
            (vec!["body".into()], "body"),
        ] {
            assert_eq!(field(&Fault { loc, msg: String::new(), kind: "" }), shown);
        }
    }
}
