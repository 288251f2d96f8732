//! A check of what a worker says its handler returned. The shims encode with care, but they run beside code that is not
//! to be trusted, so nothing goes on from here that has not been looked at.

use domain::limits;
use serde_json::value::RawValue;

/// How deep a result may nest. More than a request's, which the platform reads whole; a result it only passes on.
pub const MAX_DEPTH: usize = limits::JSON_DEPTH;

/// The bytes as JSON text that every reader takes: UTF-8, one value, no deeper than [`MAX_DEPTH`], no half surrogates,
/// at most [`limits::OUTPUT`] bytes. The error is for the function's owner.
pub fn check(bytes: Vec<u8>) -> Result<String, String> {
    if bytes.len() > limits::OUTPUT {
        return Err(format!(
            "The handler's result is too large: {} bytes of JSON, and the limit is {}. Return less, or return it in parts.",
            bytes.len(),
            limits::OUTPUT
        ));
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| "The handler's result is not JSON: it is not UTF-8.".to_owned())?;
    serde_json::from_str::<&RawValue>(&text)
        .map_err(|error| format!("The handler's result is not JSON: {error}."))?;
    look_through(text.as_bytes())?;
    Ok(text)
}

/// What the grammar doesn't say. Takes text that is JSON.
fn look_through(text: &[u8]) -> Result<(), String> {
    let mut depth = 0usize;
    let mut i = 0;
    while let Some(&byte) = text.get(i) {
        match byte {
            b'{' | b'[' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(format!(
                        "The handler's result is nested more than {MAX_DEPTH} deep. Return something flatter."
                    ));
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => i = end_of_string(text, i + 1)?,
            _ => {}
        }
        i += 1;
    }
    Ok(())
}

/// Where the string ends that goes on at `i`.
fn end_of_string(text: &[u8], mut i: usize) -> Result<usize, String> {
    while let Some(&byte) = text.get(i) {
        match byte {
            b'"' => break,
            b'\\' => match unit(text, i) {
                Some(0xd800..0xdc00) if matches!(unit(text, i + 6), Some(0xdc00..0xe000)) => i += 12,
                Some(0xd800..0xe000) => {
                    return Err("The handler's result holds half of a surrogate pair in a string. \
                                Clean the text before you return it."
                        .to_owned());
                }
                Some(_) => i += 6,
                None => i += 2,
            },
            _ => i += 1,
        }
    }
    Ok(i)
}

/// The UTF-16 unit of the `\uXXXX` at `i`, if there is one.
fn unit(text: &[u8], i: usize) -> Option<u16> {
    let hex = text.get(i..i + 6)?.strip_prefix(b"\\u")?;
    u16::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_passes_as_it_is() {
        for text in [
            "null",
            r#"{"a":[1,2.50,"x\"]}\\"],"b":123456789012345678901234567890}"#,
            r#""\ud83d\ude00 \u00e9""#,
        ] {
            assert_eq!(check(text.into()).as_deref(), Ok(text));
        }
        let deep = format!("{}{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH));
        assert!(check(deep.into()).is_ok());
    }

    #[test]
    fn what_readers_choke_on_is_refused() {
        let deep = "[".repeat(200_000) + &"]".repeat(200_000);
        for (bytes, why) in [
            (&b"NaN"[..], "not JSON"),
            (b"", "not JSON"),
            (b"{} {}", "not JSON"),
            (b"\"\xff\"", "not UTF-8"),
            (br#""\ud83d""#, "surrogate"),
            (br#"["\ude00\ud83d"]"#, "surrogate"),
            (br#"["\ud83d\u0041"]"#, "surrogate"),
            (deep.as_bytes(), "deep"),
            (&vec![b' '; limits::OUTPUT + 1], "too large"),
        ] {
            let error = check(bytes.to_vec()).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
