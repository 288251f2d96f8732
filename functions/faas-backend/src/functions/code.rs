//! Code as it travels: Base64 of UTF-8.

use app::base64;
use domain::fault::Content;
use domain::{Fault, Field, Rule, limits};

/// The source that this text is the Base64 of.
pub(super) fn decoded(text: &str) -> Result<String, Fault> {
    let fault = |rule| Fault::new(Field::body("code"), rule);
    let bytes =
        base64::decoded(text).map_err(|error| fault(Rule::CodeBase64 { reason: error.to_string() }))?;
    if bytes.len() > limits::CODE {
        let (of, max, count) = (Content::Code, limits::CODE, bytes.len());
        return Err(fault(Rule::MaxBytes { of, max, count }));
    }
    String::from_utf8(bytes)
        .map_err(|error| fault(Rule::CodeUtf8 { position: error.utf8_error().valid_up_to() }))
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
        let broken = |text| decoded(text).map_err(|fault| fault.rule);
        for text in ["!", "YQ==YQ=="] {
            assert!(matches!(broken(text), Err(Rule::CodeBase64 { .. })), "{text}");
        }
        assert_eq!(broken("/w=="), Err(Rule::CodeUtf8 { position: 0 }));
        let large = "x".repeat(limits::CODE);
        assert_eq!(decoded(&encoded(&large)).as_deref(), Ok(&*large));
        let too_large = Rule::MaxBytes { of: Content::Code, max: limits::CODE, count: limits::CODE + 1 };
        assert_eq!(broken(&encoded(&(large + "x"))), Err(too_large));
    }
}
