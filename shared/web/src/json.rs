//! Reading JSON that a stranger wrote, and answering with our own.

use axum::response::{IntoResponse, Response};
use domain::{Fault, Part, Rule, limits};
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Error;

/// An answer of JSON. Unlike axum's it is written into memory that grows as a whole, and what can't be written is an error in
/// the API's words.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(text) => {
                let mut response = Response::new(text.into());
                response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                response
            }
            Err(error) => Error(domain::Error::internal(error)).into_response(),
        }
    }
}

/// Parses a request's body, or says where it stops being JSON.
pub(crate) fn parse(bytes: &[u8]) -> Result<Value, Fault> {
    read(checked_text(bytes)?)
}

/// Makes sure that a request's body is one JSON value, without building it. Returns it as text.
pub(crate) fn check(bytes: &[u8]) -> Result<&str, Fault> {
    let text = checked_text(bytes)?;
    read::<IgnoredAny>(text)?;
    Ok(text)
}

/// The bytes as text that nests no deeper than is taken. After this, recursion over it is bounded.
fn checked_text(bytes: &[u8]) -> Result<&str, Fault> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let position = String::from_utf8_lossy(valid).chars().count();
        Fault::new(Part::Body, Rule::Json { position })
    })?;
    match too_deep(bytes) {
        None => Ok(text),
        Some(offset) => {
            let rule = Rule::JsonDepth { position: position(text, offset), max: limits::JSON_DEPTH };
            Err(Fault::new(Part::Body, rule))
        }
    }
}

fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Fault> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    // Its own limit is one less than ours, and `checked_text` has counted already.
    deserializer.disable_recursion_limit();
    T::deserialize(&mut deserializer).and_then(|value| deserializer.end().map(|()| value)).map_err(|error| {
        let before: usize =
            text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
        let offset = before + error.column().saturating_sub(1);
        Fault::new(Part::Body, Rule::Json { position: position(text, offset) })
    })
}

/// How many characters are before this byte, as Python counts them.
fn position(text: &str, offset: usize) -> usize {
    text.char_indices().take_while(|(at, _)| *at < offset).count()
}

/// Where the nesting first goes beyond the limit, if it does.
fn too_deep(bytes: &[u8]) -> Option<usize> {
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for (at, byte) in bytes.iter().enumerate() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'[' | b'{' => {
                depth += 1;
                if depth > limits::JSON_DEPTH {
                    return Some(at);
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn nested(depth: usize) -> String {
        format!("{}{}", "[".repeat(depth), "]".repeat(depth))
    }

    #[test]
    fn nesting_ends_at_the_limit() {
        assert!(parse(nested(limits::JSON_DEPTH).as_bytes()).is_ok());
        assert!(check(nested(limits::JSON_DEPTH).as_bytes()).is_ok());
        for depth in [limits::JSON_DEPTH + 1, 10_000, 1_000_000] {
            let fault = parse(nested(depth).as_bytes()).unwrap_err();
            let max = limits::JSON_DEPTH;
            assert_eq!(fault, Fault::new(Part::Body, Rule::JsonDepth { position: max, max }));
            assert!(check(nested(depth).as_bytes()).is_err());
        }
        let brackets_in_text = format!("\"{}\\\"{}\"", "[".repeat(500), "{".repeat(500));
        assert!(parse(brackets_in_text.as_bytes()).is_ok());
    }

    #[test]
    fn faults_point_at_characters() {
        let at = |bytes: &[u8]| match parse(bytes).unwrap_err().rule {
            Rule::Json { position } => position,
            other => panic!("{other:?}"),
        };
        assert_eq!(at(b"{\"a\": x}"), 6);
        assert_eq!(at("{\"한글\": x}".as_bytes()), 7);
        assert_eq!(at("{\n\"é\": x}".as_bytes()), 7);
        assert_eq!(at(b"\"ab\xff\""), 3);
        assert_eq!(at(b"1 2"), 2);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
            let _ = check(&bytes);
        }

        #[test]
        fn almost_json_is_read_or_refused(text in r#"[\[\]{}",:\\u0-9a-df\n é-]{0,80}"#) {
            prop_assert_eq!(parse(text.as_bytes()).is_ok() || text.contains("\\u"),
                            check(text.as_bytes()).is_ok() || text.contains("\\u"));
        }
    }
}
