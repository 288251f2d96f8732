//! The characters of JavaScript, as far as [`super::depth`] reads them.

/// Bytes of a string with its quotes; `None` where it has no end.
pub(super) fn string_end(rest: &[u8], quote: u8) -> Option<usize> {
    let mut at = 1;
    loop {
        match *rest.get(at)? {
            byte if byte == quote => return Some(at + 1),
            b'\n' | b'\r' => return None,
            b'\\' if rest[at + 1..].starts_with(b"\r\n") => at += 3,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

pub(super) fn find(bytes: &[u8], what: &[u8; 2]) -> Option<usize> {
    bytes.get(2..)?.windows(2).position(|pair| pair == what).map(|at| at + 2)
}

pub(super) fn has_newline(bytes: &[u8]) -> bool {
    bytes
        .iter()
        .enumerate()
        .any(|(at, byte)| matches!(byte, b'\n' | b'\r') || (*byte == 0xe2 && is_line_separator(&bytes[at..])))
}

/// U+2028 and U+2029 end a line.
pub(super) fn is_line_separator(bytes: &[u8]) -> bool {
    bytes.starts_with("\u{2028}".as_bytes()) || bytes.starts_with("\u{2029}".as_bytes())
}

pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || c == '\u{feff}'
}
