//! A handler's result as a response.

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::message::{Body, Response};
use crate::base64;

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

/// The most headers and cookies of a response, and the most bytes of their names and values: what API Gateway carries, and
/// what browsers and proxies take.
const MOST_HEADERS: usize = 100;
const MOST_HEADER_BYTES: usize = 10_240;

/// The one header that a response may have more than once.
const SET_COOKIE: &str = "set-cookie";

/// A result in the shape of a response: an object with a `statusCode`. Each part is JSON text as the handler gave it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shaped<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    status_code: Option<&'a RawValue>,
    #[serde(borrow, default)]
    headers: Option<&'a RawValue>,
    #[serde(borrow, default)]
    cookies: Option<&'a RawValue>,
    #[serde(borrow, default)]
    body: Option<&'a RawValue>,
    #[serde(borrow, default)]
    is_base64_encoded: Option<&'a RawValue>,
}

/// Tells a `statusCode` of null from none.
fn present<'de: 'a, 'a, D: Deserializer<'de>>(field: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(field).map(Some)
}

/// The response that a handler's result (JSON text) stands for. `Err` tells the function's owner what is wrong with it.
pub(crate) fn response(output: &str) -> Result<Response, String> {
    let inferred = || Response {
        status: 200,
        headers: vec![("content-type".into(), JSON.into())],
        body: Bytes::copy_from_slice(output.as_bytes()),
    };
    if !output.starts_with('{') {
        return Ok(inferred());
    }
    let shaped: Shaped = serde_json::from_str(output).map_err(|error| wrong(&error.to_string()))?;
    let Some(status) = shaped.status_code else { return Ok(inferred()) };
    let status = status_of(status.get()).ok_or_else(|| {
        wrong(&format!("`statusCode` is {}, not a whole number from 200 to 599", shown(status)))
    })?;
    let encoded = match shaped.is_base64_encoded.map(RawValue::get) {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(wrong("`isBase64Encoded` is neither true nor false")),
    };
    let (body, content_type) = body_of(shaped.body, encoded)?;
    let mut headers = headers_of(shaped.headers)?;
    let cookies: Option<Vec<String>> = shaped
        .cookies
        .map(|cookies| serde_json::from_str(cookies.get()))
        .transpose()
        .map_err(|_| wrong("`cookies` is not a list of texts"))?;
    let cookies = cookies.unwrap_or_default();
    fits(headers.len() + cookies.len())?;
    if !headers.iter().any(|(name, _)| name == "content-type") {
        headers.push(("content-type".into(), content_type.into()));
    }
    for cookie in cookies {
        headers.push((SET_COOKIE.into(), carried(SET_COOKIE, cookie)?));
    }
    let bytes: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes > MOST_HEADER_BYTES {
        return Err(wrong(&format!(
            "its headers and cookies have {bytes} bytes, and at most {MOST_HEADER_BYTES} can be sent"
        )));
    }
    let body = if BODILESS.contains(&status) { Bytes::new() } else { body };
    Ok(Response { status, headers, body })
}

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

/// 201, 201.0 and "201" are the same status.
fn status_of(written: &str) -> Option<u16> {
    let number = match serde_json::from_str(written).ok()? {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) if text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            text.parse::<u16>().ok()?.into()
        }
        _ => return None,
    };
    let is_status = number.fract() == 0.0 && (200.0..600.0).contains(&number);
    is_status.then_some(number as u16)
}

/// The bytes of a body, and what they are unless the headers say otherwise.
fn body_of(body: Option<&RawValue>, encoded: bool) -> Result<(Bytes, &'static str), String> {
    let Some(body) = body else { return Ok((Bytes::new(), TEXT)) };
    if !body.get().starts_with('"') {
        let json = || (Bytes::copy_from_slice(body.get().as_bytes()), JSON);
        let not_text = || wrong("`isBase64Encoded` is true, and `body` is not a text");
        return if encoded { Err(not_text()) } else { Ok(json()) };
    }
    let text: String = serde_json::from_str(body.get()).map_err(|error| wrong(&error.to_string()))?;
    let bytes = match encoded {
        true => base64::decoded(&text)
            .map_err(|error| wrong(&format!("`isBase64Encoded` is true, and `body` is not Base64: {error}")))?
            .into(),
        false => text.into(),
    };
    Ok((bytes, TEXT))
}

/// Whether so many headers and cookies can be sent. Asked before there is any work for each.
fn fits(headers: usize) -> Result<(), String> {
    match headers {
        0..=MOST_HEADERS => Ok(()),
        _ => Err(wrong(&format!(
            "it has {headers} headers and cookies, and at most {MOST_HEADERS} can be sent"
        ))),
    }
}

/// The headers in lower case, each once. Of one that is there in two spellings the last counts.
fn headers_of(headers: Option<&RawValue>) -> Result<Vec<(String, String)>, String> {
    let Some(headers) = headers else { return Ok(Vec::new()) };
    let given: Map<String, Value> =
        serde_json::from_str(headers.get()).map_err(|_| wrong("`headers` is not an object of texts"))?;
    fits(given.len())?;
    let mut headers: Vec<(String, String)> = Vec::with_capacity(given.len() + 1);
    for (name, value) in given {
        let name = name.to_ascii_lowercase();
        let value = match value {
            Value::Null => continue,
            Value::String(text) => text,
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            _ => return Err(wrong(&format!("the header `{name}` is not a text"))),
        };
        if HeaderName::try_from(&name).is_err() {
            return Err(wrong(&format!("`{name}` can't be the name of a header")));
        }
        let value = carried(&name, value)?;
        if NOT_ITS_OWN.contains(&name.as_str()) || name.starts_with(CORS) {
            continue;
        }
        if name != SET_COOKIE {
            headers.retain(|(known, _)| *known != name);
        }
        headers.push((name, value));
    }
    Ok(headers)
}

/// A header's value, if HTTP can carry it.
fn carried(name: &str, value: String) -> Result<String, String> {
    match HeaderValue::from_bytes(value.as_bytes()) {
        Ok(_) => Ok(value),
        Err(_) => Err(wrong(&format!(
            "the value of the header `{name}` has a line break or another control character"
        ))),
    }
}

/// What the function's owner reads in the job.
fn wrong(reason: &str) -> String {
    format!(
        "InvalidResponse: the handler returned an object with a `statusCode`, which is sent as an HTTP response, but \
         {reason}. Expected {{statusCode, headers, cookies, body, isBase64Encoded}}."
    )
}

/// A value as it stands in a message.
fn shown(value: &RawValue) -> String {
    let text = value.get();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The status and the body that a handler's result became, as they are shown in logs.
pub(crate) fn seen(output: &str) -> (u16, Option<Body>) {
    let Ok(response) = response(output) else { return (502, None) };
    let content_type = response.headers.iter().find(|(name, _)| name == "content-type");
    let content_type = content_type.map(|(_, value)| value.as_str());
    let body = (!response.body.is_empty()).then(|| match std::str::from_utf8(&response.body) {
        Ok(text) => Body::of(text.to_owned(), content_type),
        Err(_) => Body::Text(base64::encoded(&response.body)),
    });
    (response.status, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(output: &str) -> (u16, Vec<String>, String) {
        let response = response(output).unwrap_or_else(|why| panic!("{output}: {why}"));
        let headers = response.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        (response.status, headers, String::from_utf8_lossy(&response.body).into_owned())
    }

    const TEXT: &str = "content-type: text/plain; charset=utf-8";
    const JSON: &str = "content-type: application/json";

    #[test]
    fn a_result_becomes_a_response() {
        let shaped = r#"{"statusCode": 201, "headers": {"X-A": 1, "Connection": "x", "Access-Control-Allow-Origin": "x"}, "cookies": ["a=b"],
            "body": "/wA=", "isBase64Encoded": true}"#;
        let shaped = response(shaped).unwrap();
        assert_eq!((shaped.status, &shaped.body[..]), (201, &[0xff, 0][..]));
        let names: Vec<_> = shaped.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["x-a", "content-type", "set-cookie"]);
        for plain in ["[1]", r#"{"a": 1}"#, "null", "\"text\"", "{}", r#"{"status_code": 1}"#] {
            assert_eq!(sent(plain), (200, vec![JSON.to_owned()], plain.to_owned()));
        }
    }

    #[test]
    fn results_as_people_write_them_are_taken() {
        for (output, status, headers, body) in [
            (r#"{"statusCode": 201, "a\"b": 1, "body": "x"}"#, 201, vec![TEXT], "x"),
            (r#"{"a\u0022b": {"c": [1]}, "\u0073tatusCode": 202}"#, 202, vec![TEXT], ""),
            (r#"{"statusCode": 200.0}"#, 200, vec![TEXT], ""),
            (r#"{"statusCode": 2e2}"#, 200, vec![TEXT], ""),
            (r#"{"statusCode": "404"}"#, 404, vec![TEXT], ""),
            (
                r#"{"statusCode": 200, "headers": null, "cookies": null, "body": null, "isBase64Encoded": null}"#,
                200,
                vec![TEXT],
                "",
            ),
            (
                r#"{"statusCode": 200, "headers": {"x-a": null, "x-b": true}}"#,
                200,
                vec!["x-b: true", TEXT],
                "",
            ),
            // An object as body is JSON, just as the handler gave it.
            (
                r#"{"statusCode": 200, "body": {"b": 1.50, "a": [12345678901234567890123]}}"#,
                200,
                vec![JSON],
                r#"{"b": 1.50, "a": [12345678901234567890123]}"#,
            ),
            (r#"{"statusCode": 200, "body": 7}"#, 200, vec![JSON], "7"),
            (
                r#"{"statusCode": 200, "body": false, "headers": {"content-type": "text/x"}}"#,
                200,
                vec!["content-type: text/x"],
                "false",
            ),
            // Of two spellings the last is sent; cookies all are.
            (
                r#"{"statusCode": 200, "headers": {"Content-Type": "a/b", "X": 1, "content-type": "c/d"}}"#,
                200,
                vec!["x: 1", "content-type: c/d"],
                "",
            ),
            (
                r#"{"statusCode": 200, "headers": {"Set-Cookie": "a=1", "set-cookie": "b=2"}, "cookies": ["c=3"]}"#,
                200,
                vec!["set-cookie: a=1", "set-cookie: b=2", TEXT, "set-cookie: c=3"],
                "",
            ),
            // Base64 wrapped, unpadded and of the URL's alphabet.
            (
                r#"{"statusCode": 200, "body": "aGVs\r\nbG8", "isBase64Encoded": true}"#,
                200,
                vec![TEXT],
                "hello",
            ),
            (
                r#"{"statusCode": 200, "body": "Pz8_Pj4-", "isBase64Encoded": true}"#,
                200,
                vec![TEXT],
                "???>>>",
            ),
            (r#"{"statusCode": 200, "body": "", "isBase64Encoded": true}"#, 200, vec![TEXT], ""),
        ] {
            let headers = headers.into_iter().map(str::to_owned).collect();
            assert_eq!(sent(output), (status, headers, body.to_owned()), "{output}");
        }
        let deep = format!(r#"{{"statusCode": 200, "body": {}1{}}}"#, "[".repeat(500), "]".repeat(500));
        assert_eq!(sent(&deep).2.len(), 1001);
    }

    #[test]
    fn what_can_not_be_a_response_says_why() {
        for (wrong, why) in [
            (r#"{"statusCode": 99}"#, "`statusCode` is 99"),
            (r#"{"statusCode": 600}"#, "`statusCode` is 600"),
            (r#"{"statusCode": 200.5}"#, "`statusCode` is 200.5"),
            (r#"{"statusCode": -200}"#, "`statusCode` is -200"),
            (r#"{"statusCode": 1e300}"#, "`statusCode` is 1e300"),
            (r#"{"statusCode": null}"#, "`statusCode` is null"),
            (r#"{"statusCode": "x"}"#, "`statusCode` is \"x\""),
            (r#"{"statusCode": "+200"}"#, "`statusCode` is \"+200\""),
            (r#"{"statusCode": "0200"}"#, "`statusCode` is \"0200\""),
            (r#"{"statusCode": true}"#, "`statusCode` is true"),
            (r#"{"statusCode": 200, "body": "!", "isBase64Encoded": true}"#, "not Base64"),
            (r#"{"statusCode": 200, "body": {}, "isBase64Encoded": true}"#, "not a text"),
            (r#"{"statusCode": 200, "isBase64Encoded": "yes"}"#, "neither true nor false"),
            (r#"{"statusCode": 200, "headers": {"a": []}}"#, "the header `a` is not a text"),
            (r#"{"statusCode": 200, "headers": {"a b": "1"}}"#, "`a b` can't be the name"),
            (r#"{"statusCode": 200, "headers": {"": "1"}}"#, "can't be the name"),
            (r#"{"statusCode": 200, "headers": {"a": "1\r\nb: 2"}}"#, "the value of the header `a`"),
            (r#"{"statusCode": 200, "headers": [1]}"#, "`headers` is not an object"),
            (r#"{"statusCode": 200, "cookies": "a=1"}"#, "`cookies` is not a list"),
            (r#"{"statusCode": 200, "cookies": ["a\nb"]}"#, "the value of the header `set-cookie`"),
        ] {
            let said = response(wrong).expect_err(wrong);
            assert!(said.starts_with("InvalidResponse: ") && said.contains(why), "{wrong}: {said}");
        }
        let long = format!(r#"{{"statusCode": "{}"}}"#, "ä".repeat(100_000));
        assert!(response(&long).unwrap_err().len() < 500);
    }

    #[test]
    fn more_headers_than_can_be_sent_are_a_fault() {
        let headers = |count: usize, value: &str| {
            let given: Map<String, Value> = (0..count).map(|n| (format!("h{n}"), value.into())).collect();
            serde_json::json!({"statusCode": 200, "headers": given}).to_string()
        };
        let cookies = |count: usize| {
            serde_json::json!({"statusCode": 200, "headers": {"x": 1}, "cookies": vec!["a=b"; count]})
                .to_string()
        };
        assert!(response(&headers(100, "")).is_ok() && response(&cookies(99)).is_ok());
        for (result, why) in [
            (headers(101, ""), "101 headers and cookies"),
            (headers(200_000, ""), "200000 headers and cookies"),
            (cookies(100), "101 headers and cookies"),
            (headers(1, &"x".repeat(5_000_000)), "bytes, and at most 10240"),
            (headers(50, &"x".repeat(300)), "bytes, and at most 10240"),
        ] {
            let said = response(&result).unwrap_err();
            assert!(said.contains(why), "{said}");
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
