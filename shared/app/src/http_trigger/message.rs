//! What goes in and out of a trigger.

use bytes::Bytes;
use serde_json::Value;

/// A request to a trigger, as it came.
#[derive(Clone, Debug)]
pub struct Request {
    /// Upper case.
    pub method: String,
    /// As it came, still encoded.
    pub path: String,
    /// After the `?`, still encoded; empty if there is none.
    pub query: String,
    /// Lower-case names, in the order they came.
    pub headers: Vec<(String, String)>,
    /// What was sent.
    pub body: Bytes,
    /// Where from.
    pub source_ip: String,
    /// The request's id.
    pub request_id: String,
}

/// A body, as it is shown in logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// JSON text.
    Json(String),
    /// Text that says it is no JSON, or Base64 of what is no text.
    Text(String),
}

impl Body {
    /// JSON where its type says so and it is; else text.
    pub(super) fn of(text: String, content_type: Option<&str>) -> Self {
        let says_json = content_type.is_some_and(|name| {
            let name = name.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            name == "application/json" || name.ends_with("+json")
        });
        // Reading it whole bounds how deep it nests.
        match says_json && serde_json::from_str::<Value>(&text).is_ok() {
            true => Self::Json(text),
            false => Self::Text(text),
        }
    }
}

/// A response from a trigger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// 200 to 599.
    pub status: u16,
    /// Without those that are between hops.
    pub headers: Vec<(String, String)>,
    /// As it is to be sent.
    pub body: Bytes,
}
