//! Base64 as people and their tools write it: in lines, with or without padding, of either alphabet.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

pub use base64::DecodeError;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The bytes that this text stands for.
pub fn decoded(text: &str) -> Result<Vec<u8>, DecodeError> {
    let usual = |byte| match byte {
        b'-' => b'+',
        b'_' => b'/',
        other => other,
    };
    let compact: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).map(usual).collect();
    BASE64.decode(compact)
}

/// The usual Base64 of these bytes: padded, in one line.
pub fn encoded(bytes: impl AsRef<[u8]>) -> String {
    BASE64.encode(bytes)
}
