//! Answers that the front door can't carry: compressed where the caller takes that, refused in words where not. API
//! Gateway would answer 500.

use std::fmt::Display;
use std::io::Write;

use axum::body::{Body, HttpBody};
use axum::response::Response;
use domain::Kind;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::future::BoxFuture;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, VARY};
use http::{HeaderMap, HeaderValue};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use web::Error;

/// The most bytes of an answer's body on its way to API Gateway: the 6 MB that Lambda carries, less what goes with it.
const MOST: usize = (6 * 1024 - 64) * 1024;
/// The most bytes that are gathered of an answer, to see whether they fit when they are compressed.
const GATHERED: usize = 64 * 1024 * 1024;

/// The answer to a request with these headers, if it can be carried; compressed where that makes it so.
pub(crate) fn fit(request: HeaderMap, response: Response) -> BoxFuture<'static, Result<Response, Error>> {
    Box::pin(async move { fit_into(response, takes_gzip(&request), MOST).await })
}

/// Whether a request takes gzip.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip") || name == "*");
        let refused = |part: &str| part.strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0));
        named && !parts.any(refused)
    })
}

/// The response, if it takes at most `most` bytes as a string in JSON; compressed if it does then.
async fn fit_into(response: Response, gzip: bool, most: usize) -> Result<Response, Error> {
    // No byte takes more than the six of `\u0000`.
    if response.body().size_hint().upper().is_some_and(|upper| upper.saturating_mul(6) <= most as u64) {
        return Ok(response);
    }
    let (mut parts, body) = response.into_parts();
    let bytes = match Limited::new(body, GATHERED).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            return Err(too_large(format!("over {GATHERED}"), most));
        }
        Err(error) => return Err(Error(domain::Error::internal(error))),
    };
    if carried(&bytes) <= most {
        return Ok(Response::from_parts(parts, bytes.into()));
    }
    if gzip && !parts.headers.contains_key(CONTENT_ENCODING) {
        let packed = packed(&bytes).map_err(|error| Error(domain::Error::internal(error)))?;
        if in_base64(packed.len()) <= most {
            parts.headers.remove(CONTENT_LENGTH);
            parts.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            parts.headers.append(VARY, HeaderValue::from_static("accept-encoding"));
            return Ok(Response::from_parts(parts, Body::from(packed)));
        }
    }
    Err(too_large(bytes.len(), most))
}

fn too_large(bytes: impl Display, most: usize) -> Error {
    let message = format!(
        "The answer has {bytes} bytes, which is more than can be sent ({most} bytes, overhead included). Send the request \
         with `Accept-Encoding: gzip` to get the answer compressed"
    );
    domain::Error::new(Kind::TooLarge, "ANSWER_TOO_LARGE", message).into()
}

/// How many bytes it takes on its way through Lambda, which gets text as such and the rest in Base64: see [`crate::gateway`].
fn carried(bytes: &[u8]) -> usize {
    let in_json = |byte: &u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..0x20 => 6,
        _ => 1,
    };
    match std::str::from_utf8(bytes) {
        Ok(_) => bytes.iter().map(in_json).sum(),
        Err(_) => in_base64(bytes.len()),
    }
}

fn in_base64(bytes: usize) -> usize {
    bytes.div_ceil(3) * 4
}

fn packed(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(bytes)?;
    packed.finish()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use axum::body::{Bytes, to_bytes};
    use http::header::CONTENT_TYPE;

    use super::*;

    const MOST: usize = 1000;

    fn response(kind: &'static str, bytes: &[u8]) -> Response {
        let mut response = Response::new(Body::from(bytes.to_vec()));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        response
    }

    async fn body(response: Response) -> Bytes {
        to_bytes(response.into_body(), usize::MAX).await.unwrap()
    }

    #[tokio::test]
    async fn what_fits_stays_as_it_is() {
        for (kind, bytes) in [
            ("application/json", vec![b'x'; MOST]),
            ("application/json", vec![b'"'; MOST / 2]),
            ("application/problem+json", vec![b'x'; MOST]),
            ("text/plain", vec![1; MOST / 6]),
            ("image/png", vec![0xff; MOST / 4 * 3]),
        ] {
            let fitted = fit_into(response(kind, &bytes), true, MOST).await.unwrap();
            assert!(!fitted.headers().contains_key(CONTENT_ENCODING), "{kind}");
            assert_eq!(body(fitted).await, bytes, "{kind}");
        }
    }

    #[tokio::test]
    async fn what_does_not_is_compressed_or_refused() {
        for (kind, bytes) in [
            ("application/json", vec![b'x'; MOST + 1]),
            ("application/json", vec![b'"'; MOST / 2 + 1]),
            ("image/png", vec![0xff; MOST]),
            // Text, whatever it is called.
            ("image/png", vec![1; MOST / 2]),
        ] {
            let refused = fit_into(response(kind, &bytes), false, MOST).await.unwrap_err();
            assert_eq!((refused.0.kind, refused.0.code), (Kind::TooLarge, "ANSWER_TOO_LARGE"));
            let fitted = fit_into(response(kind, &bytes), true, MOST).await.unwrap();
            assert_eq!(fitted.headers()[CONTENT_ENCODING], "gzip");
            let mut text = Vec::new();
            flate2::read::GzDecoder::new(&body(fitted).await[..]).read_to_end(&mut text).unwrap();
            assert_eq!(text, bytes);
        }
        // What no compression makes small: two bytes of each product of a generator.
        let noise = (0..2000_u32).scan(1_u32, |state, _| {
            *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            Some((*state >> 16).to_le_bytes()[0])
        });
        assert!(fit_into(response("image/png", &noise.collect::<Vec<_>>()), true, MOST).await.is_err());
    }

    #[test]
    fn callers_say_whether_they_take_gzip() {
        let takes = |text: &'static str| {
            takes_gzip(&HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(text))]))
        };
        for text in ["gzip", "br, GZIP;q=0.5", "*", "deflate,gzip;q=1.0"] {
            assert!(takes(text), "{text}");
        }
        for text in ["", "br", "gzip;q=0", "gzip; q=0.0", "xgzip"] {
            assert!(!takes(text), "{text}");
        }
    }
}
