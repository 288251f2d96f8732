//! HTTP triggers: a request becomes an event in API Gateway's payload format 2.0, and a handler's result becomes a
//! response. Source: Amazon API Gateway developer guide, "Working with AWS Lambda proxy integrations for HTTP APIs".

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use domain::{Error, Function, Kind, Result, WorkspaceId};
use serde::Deserialize;
use serde_json::{Value, json};
use store::functions::not_found;

use crate::App;
use crate::invocations::Invoked;

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

/// Headers that are about one connection (RFC 9110, section 7.6.1), and those that we set ourselves.
const HOP_BY_HOP: &[&str] = &[
    "connection",
    "content-length",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Headers that user code never sees: what the caller proved to us is not for the function.
const KEPT_BACK: &[&str] = &["authorization"];

impl App {
    /// Answers a request to `endpoint`. `key` is the bearer that came with it. 401 without a good key unless the
    /// function is public, 404 if nothing is there, 405 for a method that it does not answer to.
    pub async fn trigger(
        self: &Arc<Self>,
        workspace: WorkspaceId,
        endpoint: &str,
        key: Option<&str>,
        request: Request,
    ) -> Result<Response> {
        let id = self.store.function_at(workspace, endpoint).await?.ok_or_else(not_found)?;
        let function = self.store.function(id).await?.ok_or_else(not_found)?;
        if !function.public {
            let key =
                key.ok_or_else(|| Error::unauthenticated("Could not validate workspace credentials"))?;
            if self.auth_key(key).await?.workspace_id != workspace {
                return Err(not_found());
            }
        }
        check_method(&function, &request.method)?;
        let event = event(&request, self.clock.now());
        let event = Bytes::from(serde_json::to_vec(&event).map_err(Error::internal)?);
        Ok(match self.invoke(function, event).await? {
            Invoked::Accepted(job) => accepted(&job),
            Invoked::Ran(ran) => match &ran.output {
                Some(output) => response(output).unwrap_or_else(|why| failed(&ran.job, &why)),
                None => failed(&ran.job, "The function failed; its job has the details"),
            },
        })
    }
}

fn check_method(function: &Function, method: &str) -> Result<()> {
    match &function.http_methods {
        Some(methods) if !methods.iter().any(|allowed| allowed == method) => Err(Error::new(
            Kind::MethodNotAllowed(methods.clone()),
            "METHOD_NOT_ALLOWED",
            format!("This function answers to {}", methods.join(", ")),
        )),
        _ => Ok(()),
    }
}

fn accepted(job: &domain::Job) -> Response {
    let mut response = json_response(202, &json!({"job_id": job.id, "status": job.status.as_str()}));
    response.headers.push(("location".into(), crate::invocations::location(job.id)));
    response
}

/// What a caller of a trigger hears of a run that failed: not why, since that may be anyone.
fn failed(job: &domain::Job, detail: &str) -> Response {
    json_response(502, &json!({"detail": detail, "code": "FUNCTION_FAILED", "job_id": job.id}))
}

fn json_response(status: u16, body: &Value) -> Response {
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    Response { status, headers, body: body.to_string().into() }
}

/// The event of a request.
fn event(request: &Request, now: domain::Timestamp) -> Value {
    let mut headers: BTreeMap<&str, String> = BTreeMap::new();
    let mut cookies = Vec::new();
    for (name, value) in &request.headers {
        if name == "cookie" {
            cookies.extend(value.split(';').map(|cookie| cookie.trim().to_owned()));
        } else if !HOP_BY_HOP.contains(&name.as_str()) && !KEPT_BACK.contains(&name.as_str()) {
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
    let mut event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": request.path,
        "rawQueryString": request.query,
        "headers": headers,
        "requestContext": {
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
            "time": now.to_string(),
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
        _ => (Some(STANDARD.encode(body)), true),
    }
}

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
fn response(output: &str) -> std::result::Result<Response, String> {
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
    let mut headers = Vec::new();
    for (name, value) in shaped.headers.unwrap_or_default() {
        let name = name.to_ascii_lowercase();
        let value = match value {
            Value::String(text) => text,
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            _ => return Err(format!("The function's header '{name}' is not text")),
        };
        if !HOP_BY_HOP.contains(&name.as_str()) {
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
        let event = event(&request(&headers, b"{}"), domain::Timestamp::from_millis(0));
        assert_eq!(event["headers"], json!({"content-type": "application/json", "x-a": "1,2"}));
        assert_eq!(event["cookies"], json!(["c=1", "d=2"]));
        assert_eq!(event["queryStringParameters"], json!({"a": "1,2", "b": " x"}));
        assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("{}"), &json!(false)));
        assert_eq!(event["requestContext"]["http"]["method"], "POST");
    }

    #[test]
    fn bytes_become_base64() {
        let event =
            event(&request(&[("content-type", "image/png")], &[0xff, 0]), domain::Timestamp::from_millis(0));
        assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("/wA="), &json!(true)));
    }

    #[test]
    fn a_result_becomes_a_response() {
        let shaped = r#"{"statusCode": 201, "headers": {"X-A": 1, "Connection": "x"}, "cookies": ["a=b"],
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
}
