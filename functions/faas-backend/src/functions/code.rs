//! Code as it travels: Base64 of UTF-8.

use app::base64;
use domain::{Fault, limits};

/// The source that this text is the Base64 of.
pub(super) fn decoded(text: &str) -> Result<String, Fault> {
    let fault = |kind, msg: &str| Fault::new(["body", "code"], kind, msg);
    let bytes = base64::decoded(text)
        .map_err(|error| fault("base64", &format!("Code should be Base64 of the source: {error}")))?;
    if bytes.len() > limits::CODE {
        let msg = format!("Code should have at most {} bytes, and has {}", limits::CODE, bytes.len());
        return Err(fault("string_too_long", &msg));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        fault("string_unicode", &format!("Code should be UTF-8; byte {at} of it is not"))
    })
}

/// The Base64 of a source.
pub(super) fn encoded(source: &str) -> String {
    base64::encoded(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_both_ways() {
        for source in ["", "a", "ab", "abc", "def handler(event): return '한글'\n", "a = '~~~???'"] {
            let text = encoded(source);
            assert_eq!(decoded(&text).as_deref(), Ok(source));
            assert_eq!(decoded(text.trim_end_matches('=')).as_deref(), Ok(source));
            let of_urls = text.replace('+', "-").replace('/', "_");
            assert_eq!(decoded(&of_urls).as_deref(), Ok(source));
            let wrapped: String = text.chars().flat_map(|c| [c, '\r', '\n']).collect();
            assert_eq!(decoded(&wrapped).as_deref(), Ok(source));
        }
    }

    #[test]
    fn what_is_no_base64_or_no_text_is_told_so() {
        for (text, kind) in [("!", "base64"), ("YQ==YQ==", "base64"), ("/w==", "string_unicode")] {
            assert_eq!(decoded(text).map_err(|fault| fault.kind), Err(kind), "{text}");
        }
        let large = "x".repeat(limits::CODE);
        assert_eq!(decoded(&encoded(&large)).as_deref(), Ok(&*large));
        assert_eq!(decoded(&encoded(&(large + "x"))).map_err(|fault| fault.kind), Err("string_too_long"));
    }
}
