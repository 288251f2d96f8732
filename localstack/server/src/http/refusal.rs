//! What a client reads whose request could not be read.

use axum::body::Body;
use bytes::Bytes;
use domain::{Error, Kind};
use futures::FutureExt;
use http_body_util::BodyExt;
use tracing::info;
use web::RequestId;

/// Why a request could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// It breaks HTTP's rules.
    Malformed,
    /// Its target is too long.
    LongTarget,
    /// Its head is too large, or has too many headers.
    LargeHead,
    /// Its head did not come in time.
    TooSlow,
    /// Its head ended before it was complete.
    CutShort,
    /// It is HTTP/2.
    Http2,
}

/// Whether these bytes are what hyper answers by itself: an answer of ours has a request id.
pub(super) fn is_hypers(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    bytes.len() < 256
        && text.starts_with("HTTP/1.1 4")
        && text.ends_with("\r\n\r\n")
        && text.contains("content-length: 0\r\n")
        && !text.contains("x-request-id: ")
}

impl Reason {
    /// Of what hyper answers by itself.
    pub(super) fn of_hypers(answer: &[u8]) -> Self {
        match answer.get(9..12) {
            Some(b"414") => Self::LongTarget,
            Some(b"431") => Self::LargeHead,
            _ => Self::Malformed,
        }
    }

    fn status(self) -> &'static str {
        match self {
            Self::Malformed | Self::CutShort => "400 Bad Request",
            Self::TooSlow => "408 Request Timeout",
            Self::LongTarget => "414 URI Too Long",
            Self::LargeHead => "431 Request Header Fields Too Large",
            Self::Http2 => "505 HTTP Version Not Supported",
        }
    }

    fn error(self) -> Error {
        let (code, message) = match self {
            Self::Malformed => (
                "MALFORMED_REQUEST",
                "The request is not valid HTTP/1.1. Check the request line (spaces in a URL are written %20), the header \
                 lines and Content-Length, and that the URL begins with http:// and not with https://",
            ),
            Self::CutShort => {
                ("MALFORMED_REQUEST", "The request ended before the empty line that ends its headers")
            }
            Self::TooSlow => ("REQUEST_TIMEOUT", "The request's headers did not arrive within 15 seconds"),
            Self::LongTarget => ("URI_TOO_LONG", "The request's URL is longer than 65534 bytes"),
            Self::LargeHead => (
                "HEADERS_TOO_LARGE",
                "The request's headers are larger than 64 KB, or there are more than 100",
            ),
            Self::Http2 => ("HTTP_VERSION", "This server speaks HTTP/1.1. Send the request as HTTP/1.1"),
        };
        Error::new(Kind::BadRequest, code, message)
    }
}

/// The whole answer, in the words of the site. Logs it, as every answer is.
pub(super) fn answer(reason: Reason) -> Bytes {
    let (id, error) = (RequestId::random(), reason.error());
    let status = reason.status();
    info!(target: "web", request_id = id.as_str(), status, code = error.code, "a request could not be read");
    let body: Body = (catalogue::STYLE.render)(&error, id.as_str()).into_body();
    let body =
        body.collect().now_or_never().and_then(Result::ok).map(|body| body.to_bytes()).unwrap_or_default();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\
         x-request-id: {}\r\nx-content-type-options: nosniff\r\ncache-control: no-store\r\n\r\n",
        body.len(),
        id.as_str()
    );
    [head.as_bytes(), &body].concat().into()
}
