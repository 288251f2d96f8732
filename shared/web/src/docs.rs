//! `/openapi.json`, `/docs` (Swagger UI) and `/redoc`. The pages load nothing from another host, and their policy says so.

use axum::Router;
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_FRAME_OPTIONS,
};
use utoipa::openapi::OpenApi;

/// Every path that [`router`] serves.
pub const PATHS: [&str; 7] = [
    "/openapi.json",
    "/docs",
    "/docs/start.js",
    "/docs/swagger-ui-5.35.0.js",
    "/docs/swagger-ui-5.35.0.css",
    "/docs/redoc-2.5.4-1.js",
    "/redoc",
];

/// Styles are written by the scripts as they go; scripts come from here only, and so does what they fetch.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      font-src 'self' data:; connect-src 'self'; worker-src blob:; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

const SWAGGER_UI: &str = include_str!("../assets/docs.html");
const START: &str = include_str!("../assets/start.js");
const REDOC: &str = include_str!("../assets/redoc.html");
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";

/// Serves the document and the pages about it.
///
/// # Panics
/// Where the document can't be written as JSON, which no document made of code can't.
pub(crate) fn router(doc: &OpenApi) -> Router {
    let json = Bytes::from(doc.to_json().expect("a document made of code is plain JSON"));
    let page = |html: &'static str| {
        get(move || async move {
            let headers = [
                (CONTENT_SECURITY_POLICY, POLICY),
                (REFERRER_POLICY, "no-referrer"),
                (X_FRAME_OPTIONS, "DENY"),
                (CACHE_CONTROL, "no-cache"),
            ];
            (headers, Html(html))
        })
    };
    let [openapi, docs, start, swagger_js, swagger_css, redoc_js, redoc] = PATHS;
    Router::new()
        .route(
            openapi,
            get(move || async move {
                ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-cache")], json).into_response()
            }),
        )
        .route(docs, page(SWAGGER_UI))
        .route(redoc, page(REDOC))
        .route(start, get(|| async { ([(CONTENT_TYPE, JAVASCRIPT), (CACHE_CONTROL, "no-cache")], START) }))
        .route(swagger_js, asset(JAVASCRIPT, include_bytes!("../assets/swagger-ui-5.35.0.js.gz")))
        .route(swagger_css, asset(CSS, include_bytes!("../assets/swagger-ui-5.35.0.css.gz")))
        .route(redoc_js, asset(JAVASCRIPT, include_bytes!("../assets/redoc-2.5.4-1.js.gz")))
}

/// A file whose name has its version, so that it never changes. Every browser takes gzip.
fn asset(content_type: &'static str, gzip: &'static [u8]) -> axum::routing::MethodRouter {
    get(move || async move {
        let headers = [
            (CONTENT_TYPE, content_type),
            (CONTENT_ENCODING, "gzip"),
            (CACHE_CONTROL, "public, max-age=31536000, immutable"),
        ];
        (headers, Bytes::from_static(gzip))
    })
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;
    use regex_lite::Regex;

    use super::*;

    fn unpacked(gzip: &[u8]) -> String {
        let mut text = String::new();
        GzDecoder::new(gzip).read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn pages_and_their_scripts_load_nothing_from_another_host() {
        let elsewhere = r#"["'`(]?\s*(?:https?:)?//[a-z0-9]"#;
        let loads = [
            format!(r#"\b(?:src|srcset|poster|srcObject)["']?\s*[:=]\s*{elsewhere}"#),
            format!(r#"(?:url|fetch|importScripts|import|Worker)\(\s*{elsewhere}"#),
            format!("@import\\s*{elsewhere}"),
            format!(r#"<link[^>]*href=\s*{elsewhere}"#),
        ];
        let parts = [
            ("docs.html", SWAGGER_UI.to_owned()),
            ("redoc.html", REDOC.to_owned()),
            ("start.js", START.to_owned()),
            ("swagger-ui.js", unpacked(include_bytes!("../assets/swagger-ui-5.35.0.js.gz"))),
            ("swagger-ui.css", unpacked(include_bytes!("../assets/swagger-ui-5.35.0.css.gz"))),
            ("redoc.js", unpacked(include_bytes!("../assets/redoc-2.5.4-1.js.gz"))),
        ];
        for load in loads {
            let load = Regex::new(&load).unwrap();
            for (name, text) in &parts {
                let found: Vec<_> = load.find_iter(text).map(|found| found.as_str()).collect();
                assert!(found.is_empty(), "{name}: {found:?}");
            }
        }
        let found = Regex::new(r#"\bsrc["']?\s*[:=]\s*["'](?:https?:)?//"#).unwrap();
        assert!(found.is_match(r#"{src:"https://cdn.example/x.svg"}"#), "the search finds what it is for");
    }

    #[test]
    fn their_policy_names_no_other_host() {
        for rule in POLICY.split(';') {
            for source in rule.split_whitespace().skip(1) {
                assert!(
                    matches!(source, "'none'" | "'self'" | "'unsafe-inline'" | "data:" | "blob:"),
                    "{rule}"
                );
            }
        }
        assert!(POLICY.contains("default-src 'none'"));
    }

    #[test]
    fn a_token_outlives_a_reload() {
        assert!(START.contains("persistAuthorization: true"));
    }
}
