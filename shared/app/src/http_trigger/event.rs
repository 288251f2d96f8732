//! A request as an event.

use std::collections::BTreeMap;

use bytes::Bytes;
use domain::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::message::{Body, Request};
use crate::base64;

/// Headers that user code never sees: those about one connection (RFC 9110, section 7.6.1), and what the caller proved
/// to us.
const KEPT_BACK: &[&str] = &[
    "authorization",
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The event of a request.
pub(crate) fn event(request: &Request, now: Timestamp) -> Value {
    let of_connection = named_by_connection(request);
    let mut headers: BTreeMap<&str, String> = BTreeMap::new();
    let mut cookies = Vec::new();
    for (name, value) in &request.headers {
        if name == "cookie" {
            cookies.extend(value.split(';').map(|cookie| cookie.trim().to_owned()));
        } else if !KEPT_BACK.contains(&name.as_str()) && !of_connection.contains(name) {
            headers
                .entry(name)
                .and_modify(|all| {
                    all.push(',');
                    all.push_str(value);
                })
                .or_insert_with(|| value.clone());
        }
    }
    let (body, is_base64) = body_text(&request.body, headers.get("content-type").map(String::as_str));
    let user_agent = headers.get("user-agent").cloned().unwrap_or_default();
    let domain = headers.get("host").cloned().unwrap_or_default();
    let mut event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": request.path,
        "rawQueryString": request.query,
        "headers": headers,
        "requestContext": {
            "accountId": "anonymous",
            "domainName": domain,
            "domainPrefix": domain.split('.').next().unwrap_or_default(),
            "http": {
                "method": request.method,
                "path": request.path,
                "protocol": "HTTP/1.1",
                "sourceIp": request.source_ip,
                "userAgent": user_agent,
            },
            "requestId": request.request_id,
            "routeKey": "$default",
            "stage": "$default",
            "time": now.common_log(),
            "timeEpoch": now.as_millis(),
        },
        "isBase64Encoded": is_base64,
    });
    // Like API Gateway, these are left out when there are none.
    let parameters = query_parameters(&request.query);
    for (name, value) in [
        ("cookies", (!cookies.is_empty()).then(|| json!(cookies))),
        ("queryStringParameters", (!parameters.is_empty()).then(|| json!(parameters))),
        ("body", body.map(Value::from)),
    ] {
        if let Some(value) = value {
            event[name] = value;
        }
    }
    event
}

/// The parameters, decoded; those given more than once are joined by commas.
fn query_parameters(query: &str) -> BTreeMap<String, String> {
    let mut parameters: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        parameters
            .entry(name.into_owned())
            .and_modify(|all| {
                all.push(',');
                all.push_str(&value);
            })
            .or_insert_with(|| value.into_owned());
    }
    parameters
}

/// A body as text where its type says that it is text, and as Base64 otherwise.
fn body_text(body: &Bytes, content_type: Option<&str>) -> (Option<String>, bool) {
    if body.is_empty() {
        return (None, false);
    }
    let media_type = content_type.and_then(|value| value.split(';').next()).unwrap_or("text/plain");
    let media_type = media_type.trim().to_ascii_lowercase();
    let is_text = media_type.starts_with("text/")
        || media_type.ends_with("+json")
        || media_type.ends_with("+xml")
        || matches!(
            media_type.as_str(),
            "application/json"
                | "application/javascript"
                | "application/xml"
                | "application/x-www-form-urlencoded"
        );
    match std::str::from_utf8(body) {
        Ok(text) if is_text => (Some(text.to_owned()), false),
        _ => (Some(base64::encoded(body)), true),
    }
}

/// The headers that `Connection` names: they are about this connection too.
fn named_by_connection(request: &Request) -> Vec<String> {
    let values = request.headers.iter().filter(|(name, _)| name == "connection");
    values
        .flat_map(|(_, value)| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .filter(|name| name != "host" && name != "content-type")
        .collect()
}

/// What tells an event of ours from any other.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Seen {
    version: String,
    #[serde(rename = "requestContext")]
    _request_context: Context,
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

#[derive(Deserialize)]
struct Context {
    #[serde(rename = "http")]
    _http: BTreeMap<String, Value>,
}

/// The body of the request that became this event (JSON text). `None` where the event is no request.
pub(crate) fn body_of(event: &str) -> Option<Option<Body>> {
    let seen = serde_json::from_str::<Seen>(event).ok().filter(|seen| seen.version == "2.0")?;
    let content_type = seen.headers.get("content-type").map(String::as_str);
    Some(seen.body.map(|body| match seen.is_base64_encoded {
        true => Body::Text(body),
        false => Body::of(body, content_type),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&str, &str)], body: &[u8]) -> Request {
        Request {
            method: "POST".into(),
            path: "/run/w/hello%20you".into(),
            query: "a=1&a=2&b=%20x".into(),
            headers: headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
            body: Bytes::copy_from_slice(body),
            source_ip: "192.0.2.1".into(),
            request_id: "r".into(),
        }
    }

    #[test]
    fn a_request_becomes_an_event() {
        let headers = [
            ("content-type", "application/json"),
            ("authorization", "Bearer secret"),
            ("connection", "close"),
            ("x-a", "1"),
            ("x-a", "2"),
            ("cookie", "c=1; d=2"),
        ];
        let event = event(&request(&headers, b"{}"), Timestamp::from_millis(0));
        assert_eq!(event["headers"], json!({"content-type": "application/json", "x-a": "1,2"}));
        assert_eq!(event["cookies"], json!(["c=1", "d=2"]));
        assert_eq!(event["queryStringParameters"], json!({"a": "1,2", "b": " x"}));
        assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("{}"), &json!(false)));
        assert_eq!(event["requestContext"]["http"]["method"], "POST");
    }

    #[test]
    fn bytes_become_base64() {
        let event = event(&request(&[("content-type", "image/png")], &[0xff, 0]), Timestamp::from_millis(0));
        assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("/wA="), &json!(true)));
    }

    #[test]
    fn headers_of_the_connection_are_kept_back() {
        let headers =
            [("connection", "close, X-Hop"), ("x-hop", "1"), ("te", "trailers"), ("content-length", "2")];
        let event = event(&request(&headers, b"{}"), Timestamp::from_millis(0));
        assert_eq!(event["headers"], json!({"content-length": "2"}));
    }

    #[test]
    fn an_event_gives_its_requests_body_back() {
        let back = |headers: &[(&str, &str)], body: &[u8]| {
            body_of(&event(&request(headers, body), Timestamp::from_millis(0)).to_string())
        };
        let json = [("content-type", "application/json; charset=utf-8")];
        assert_eq!(back(&json, b"[1]"), Some(Some(Body::Json("[1]".into()))));
        assert_eq!(back(&json, b"[1"), Some(Some(Body::Text("[1".into()))));
        assert_eq!(back(&[], b"hello"), Some(Some(Body::Text("hello".into()))));
        assert_eq!(back(&[], &[0xff, 0]), Some(Some(Body::Text("/wA=".into()))));
        assert_eq!(back(&json, b""), Some(None));
        for other in ["{}", "1", "{\"version\": \"2.0\"}", "{\"body\": \"x\", \"headers\": {}}"] {
            assert_eq!(body_of(other), None, "{other}");
        }
    }
}
