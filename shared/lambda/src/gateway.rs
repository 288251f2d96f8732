//! API Gateway's events as requests, and answers as it takes them.

use std::pin::Pin;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::Uri;
use http_body_util::BodyExt;
use lambda_http::lambda_runtime::LambdaEvent;
use lambda_http::request::{LambdaRequest, RequestContext};
use lambda_http::tower::ServiceBuilder;
use lambda_http::{Adapter, Error, IntoResponse, RequestExt};
use web::{Gateway, target};

/// Answers API Gateway's requests (HTTP API, payload 2.0) with the router, until the function is shut down.
///
/// # Errors
/// Where Lambda's own API fails.
pub(crate) async fn run(router: Router) -> Result<(), Error> {
    let service = ServiceBuilder::new().map_request(local).map_response(Answer).service(router);
    let service = ServiceBuilder::new().map_request(readable).service(Adapter::from(service));
    lambda_http::lambda_runtime::run(service).await
}

/// The event with a path and a query that Lambda's library can read: it ends the process where they hold a quote, say.
fn readable(mut event: LambdaEvent<LambdaRequest>) -> LambdaEvent<LambdaRequest> {
    if let LambdaRequest::ApiGatewayV2(request) = &mut event.payload {
        for part in [&mut request.raw_path, &mut request.raw_query_string] {
            let sent = part.as_ref().and_then(|text| target::encoded(text.as_bytes()));
            // What is encoded is ASCII.
            if let Some(sent) = sent.and_then(|sent| String::from_utf8(sent).ok()) {
                *part = Some(sent);
            }
        }
    }
    event
}

/// An answer as the gateway takes it: text where it is text, Base64 otherwise. Lambda's library goes by the content type, and
/// would decode what only claims to be text.
struct Answer(Response);

impl IntoResponse for Answer {
    fn into_response(self) -> Pin<Box<dyn Future<Output = http::Response<lambda_http::Body>> + Send>> {
        let (parts, body) = self.0.into_parts();
        Box::pin(async move {
            let Ok(body) = body.collect().await else {
                tracing::error!("the body of a response ended early");
                return http::Response::from_parts(failed(), lambda_http::Body::Empty);
            };
            let body = match String::from_utf8(body.to_bytes().into()) {
                Ok(text) if text.is_empty() => lambda_http::Body::Empty,
                Ok(text) => lambda_http::Body::Text(text),
                Err(bytes) => lambda_http::Body::Binary(bytes.into_bytes()),
            };
            http::Response::from_parts(parts, body)
        })
    }
}

fn failed() -> http::response::Parts {
    let mut response = http::Response::new(());
    *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
    response.into_parts().0
}

/// The request as a server would have got it: the path without the gateway's stage.
fn local(request: lambda_http::Request) -> Request {
    let path = request.raw_http_path().to_owned();
    let (mut parts, body) = request.into_parts();
    if let Some(RequestContext::ApiGatewayV2(context)) = parts.extensions.get() {
        let rest = without_stage(&path, context.stage.as_deref());
        let query = parts.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        let gateway = Gateway {
            source_ip: context.http.source_ip.as_deref().and_then(|text| text.parse().ok()),
            domain_name: context.domain_name.clone(),
            stage: context.stage.clone().filter(|_| rest.len() < path.len()),
        };
        if let Ok(uri) = format!("{rest}{query}").parse::<Uri>() {
            parts.uri = uri;
        }
        parts.extensions.insert(gateway);
    }
    let body = match body {
        lambda_http::Body::Empty => Body::empty(),
        lambda_http::Body::Text(text) => Body::from(text),
        lambda_http::Body::Binary(bytes) => Body::from(bytes),
        // Lambda's library may learn others; none of them has come as a request yet.
        _ => Body::empty(),
    };
    Request::from_parts(parts, body)
}

/// API Gateway puts the stage before the path, unless it is the default one.
fn without_stage<'a>(path: &'a str, stage: Option<&str>) -> &'a str {
    let stripped = stage
        .filter(|stage| *stage != "$default")
        .and_then(|stage| path.strip_prefix('/')?.strip_prefix(stage))
        .filter(|rest| rest.is_empty() || rest.starts_with('/'));
    match stripped {
        Some("") => "/",
        Some(rest) => rest,
        None => path,
    }
}

#[cfg(test)]
mod tests {
    use lambda_http::request::from_str;

    use super::*;

    /// A request as API Gateway sends it.
    fn event(stage: &str, raw_path: &str) -> Request {
        let event = serde_json::json!({
            "version": "2.0", "routeKey": "POST /books", "rawPath": raw_path, "rawQueryString": "limit=1&x=a%20b",
            "headers": {"content-type": "application/json", "host": "x.example", "x-forwarded-for": "6.6.6.6"},
            "requestContext": {
                "accountId": "1", "apiId": "a", "domainName": "x.example", "domainPrefix": "x", "requestId": "r",
                "routeKey": "POST /books", "stage": stage, "time": "12/Mar/2020:19:03:58 +0000", "timeEpoch": 1,
                "http": {"method": "POST", "path": raw_path, "protocol": "HTTP/1.1", "sourceIp": "9.9.9.9",
                         "userAgent": "curl"},
            },
            "body": "eyJhIjogMX0=", "isBase64Encoded": true,
        });
        local(from_str(&event.to_string()).unwrap())
    }

    #[tokio::test]
    async fn a_request_is_what_a_server_would_have_got() {
        for (stage, path) in [("$default", "/books/"), ("prod", "/prod/books/")] {
            let request = event(stage, path);
            assert_eq!(request.uri().to_string(), "/books/?limit=1&x=a%20b", "{stage}");
            assert_eq!(request.method(), "POST");
            let gateway = request.extensions().get::<Gateway>().unwrap();
            assert_eq!(gateway.stage.as_deref(), Some(stage).filter(|stage| *stage != "$default"));
            assert_eq!(gateway.source_ip, Some([9, 9, 9, 9].into()));
            assert_eq!(gateway.domain_name.as_deref(), Some("x.example"));
            let body = axum::body::to_bytes(request.into_body(), 100).await.unwrap();
            assert_eq!(body, r#"{"a": 1}"#);
        }
    }

    #[test]
    fn targets_that_no_library_reads_are_encoded_first() {
        let payload = |path: &str, query: &str| -> LambdaRequest {
            let event = serde_json::json!({
                "version": "2.0", "routeKey": "GET /x", "rawPath": path, "rawQueryString": query, "headers": {},
                "requestContext": {
                    "accountId": "1", "apiId": "a", "domainName": "x.example", "domainPrefix": "x", "requestId": "r",
                    "routeKey": "GET /x", "stage": "$default", "time": "12/Mar/2020:19:03:58 +0000", "timeEpoch": 1,
                    "http": {"method": "GET", "path": path, "protocol": "HTTP/1.1", "sourceIp": "9.9.9.9",
                             "userAgent": "curl"},
                },
                "isBase64Encoded": false,
            });
            serde_json::from_value(event).unwrap()
        };
        for (path, query, seen) in [
            ("/a", "q=\"<b>\"", "/a?q=%22%3Cb%3E%22"),
            ("/\"한", "", "/%22%ED%95%9C"),
            ("/a%22", "b=%3C", "/a%22?b=%3C"),
        ] {
            let event = LambdaEvent::new(payload(path, query), lambda_http::Context::default());
            let request: lambda_http::Request = readable(event).payload.into();
            assert_eq!(local(request).uri().path_and_query().unwrap().as_str(), seen);
        }
    }

    #[tokio::test]
    async fn an_answers_bytes_are_the_handlers() {
        for content_type in ["text/plain", "text/html; charset=iso-8859-1", "application/json", "image/png"] {
            for bytes in [&b"words"[..], "ünï".as_bytes(), b"\xff\x00", b"caf\xe9", b""] {
                let answer = Response::builder().header("content-type", content_type);
                let answer = Answer(answer.body(Body::from(bytes)).unwrap()).into_response().await;
                assert_eq!(answer.headers()["content-type"], content_type);
                match answer.into_body() {
                    lambda_http::Body::Text(text) => assert_eq!(text.as_bytes(), bytes, "{content_type}"),
                    lambda_http::Body::Binary(binary) => {
                        assert!(binary == bytes && std::str::from_utf8(bytes).is_err(), "{content_type}");
                    }
                    _ => assert!(bytes.is_empty(), "{content_type}"),
                }
            }
        }
    }

    #[test]
    fn only_the_stage_goes() {
        assert_eq!(without_stage("/prod", Some("prod")), "/");
        assert_eq!(without_stage("/production/x", Some("prod")), "/production/x");
        assert_eq!(without_stage("/books", Some("prod")), "/books");
        assert_eq!(without_stage("/$default/x", Some("$default")), "/$default/x");
        assert_eq!(without_stage("/x", None), "/x");
    }
}
