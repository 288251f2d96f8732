//! A handler's result as a response.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use super::{Body, Response};

/// Headers about one connection (RFC 9110, section 7.6.1), which are the server's to set.
const NOT_ITS_OWN: &[&str] = &[
    "connection",
    "content-length",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What browsers may read from elsewhere is the platform's to say, as with API Gateway's own CORS settings: of two such
/// headers a browser takes neither.
const CORS: &str = "access-control-";

/// Statuses whose responses end with their headers (RFC 9110, sections 8.6, 15.3.6 and 15.4.5): with a body's length
/// among those, a client would wait for what never comes.
const BODILESS: [u16; 3] = [204, 205, 304];

/// A result in the shape of a response.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shaped {
    status_code: Value,
    #[serde(default)]
    headers: Option<BTreeMap<String, Value>>,
    #[serde(default)]
    cookies: Option<Vec<String>>,
    #[serde(default)]
    body: Option<Value>,
    #[serde(default)]
    is_base64_encoded: bool,
}

/// The response that a handler's result (JSON text) stands for. `Err` says what is wrong with it.
pub(super) fn response(output: &str) -> std::result::Result<Response, String> {
    let inferred = || Response {
        status: 200,
        headers: vec![("content-type".into(), "application/json".into())],
        body: Bytes::copy_from_slice(output.as_bytes()),
    };
    let is_shaped = output.starts_with('{')
        && serde_json::from_str::<BTreeMap<&str, serde::de::IgnoredAny>>(output)
            .is_ok_and(|object| object.contains_key("statusCode"));
    if !is_shaped {
        return Ok(inferred());
    }
    let shaped: Shaped = serde_json::from_str(output)
        .map_err(|error| format!("The function's result is no {{statusCode, headers, body}}: {error}"))?;
    let status = match &shaped.status_code {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    let status =
        status.and_then(|status| u16::try_from(status).ok()).filter(|status| (200..600).contains(status));
    let status = status.ok_or("The function's statusCode is not a number from 200 to 599")?;
    let body = match shaped.body {
        None | Some(Value::Null) => Bytes::new(),
        Some(Value::String(text)) if shaped.is_base64_encoded => STANDARD
            .decode(text.as_bytes())
            .map_err(|_| "The function's body says that it is Base64, and is not")?
            .into(),
        Some(Value::String(text)) => text.into(),
        Some(other) => other.to_string().into(),
    };
    let body = if BODILESS.contains(&status) { Bytes::new() } else { body };
    let mut headers = Vec::new();
    for (name, value) in shaped.headers.unwrap_or_default() {
        let name = name.to_ascii_lowercase();
        let value = match value {
            Value::String(text) => text,
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            _ => return Err(format!("The function's header '{name}' is not text")),
        };
        if !NOT_ITS_OWN.contains(&name.as_str()) && !name.starts_with(CORS) {
            headers.push((name, value));
        }
    }
    if !headers.iter().any(|(name, _)| name == "content-type") {
        headers.push(("content-type".into(), "text/plain; charset=utf-8".into()));
    }
    headers
        .extend(shaped.cookies.unwrap_or_default().into_iter().map(|cookie| ("set-cookie".into(), cookie)));
    Ok(Response { status, headers, body })
}

/// The status and the body that a handler's result became, as they are shown in logs.
pub(crate) fn seen(output: &str) -> (u16, Option<Body>) {
    let Ok(response) = response(output) else { return (502, None) };
    let content_type = response.headers.iter().find(|(name, _)| name == "content-type");
    let content_type = content_type.map(|(_, value)| value.as_str());
    let body = (!response.body.is_empty()).then(|| match std::str::from_utf8(&response.body) {
        Ok(text) => Body::of(text.to_owned(), content_type),
        Err(_) => Body::Text(STANDARD.encode(&response.body)),
    });
    (response.status, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_becomes_a_response() {
        let shaped = r#"{"statusCode": 201, "headers": {"X-A": 1, "Connection": "x", "Access-Control-Allow-Origin": "x"}, "cookies": ["a=b"],
            "body": "/wA=", "isBase64Encoded": true}"#;
        let shaped = response(shaped).unwrap();
        assert_eq!((shaped.status, &shaped.body[..]), (201, &[0xff, 0][..]));
        let names: Vec<_> = shaped.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["x-a", "content-type", "set-cookie"]);
        for plain in ["[1]", r#"{"a": 1}"#, "null", "\"text\""] {
            let inferred = response(plain).unwrap();
            assert_eq!((inferred.status, &inferred.body[..]), (200, plain.as_bytes()));
        }
        for wrong in [
            r#"{"statusCode": 99}"#,
            r#"{"statusCode": "x"}"#,
            r#"{"statusCode": 200, "body": "!", "isBase64Encoded": true}"#,
            r#"{"statusCode": 200, "headers": {"a": []}}"#,
        ] {
            assert!(response(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_result_is_seen_as_it_was_sent() {
        let text = |text: &str| Some(Body::Text(text.to_owned()));
        let json = |text: &str| Some(Body::Json(text.to_owned()));
        for (output, status, body) in [
            ("[1]", 200, json("[1]")),
            (r#"{"statusCode": 404, "body": "gone"}"#, 404, text("gone")),
            (
                r#"{"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": "{}"}"#,
                200,
                json("{}"),
            ),
            (r#"{"statusCode": 200, "body": "/wA=", "isBase64Encoded": true}"#, 200, text("/wA=")),
            (r#"{"statusCode": 204}"#, 204, None),
            (r#"{"statusCode": 304, "body": "never sent"}"#, 304, None),
            (r#"{"statusCode": "x"}"#, 502, None),
        ] {
            assert_eq!(seen(output), (status, body), "{output}");
        }
    }
}
