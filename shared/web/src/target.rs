//! What stands between the method and the version of a request: its path and query.

use std::fmt::Write as _;

/// The target with those characters percent-encoded that should have been, and that other servers take as they are: quotes,
/// brackets, braces, and everything beyond ASCII. `None` where there are none of them.
///
/// Spaces and control characters stay, so that whoever parses it next refuses it: they may end a target for somebody else.
pub fn encoded(target: &[u8]) -> Option<Vec<u8>> {
    if !target.iter().any(|&byte| is_odd(byte)) {
        return None;
    }
    let mut text = String::with_capacity(target.len() + 32);
    for &byte in target {
        match is_odd(byte) {
            // A String takes all that is written.
            true => drop(write!(text, "%{byte:02X}")),
            false => text.push(char::from(byte)),
        }
    }
    Some(text.into_bytes())
}

fn is_odd(byte: u8) -> bool {
    matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' | 0x80..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_no_target_may_have_is_encoded() {
        for plain in ["/", "/a%22?b=c&d=%C3%A9", "*", "/~!$&'()*+,;=:@-._?/[]#", "/a b", "/\t\0\x7f"] {
            assert_eq!(encoded(plain.as_bytes()), None, "{plain}");
        }
        for (target, sent) in [
            (&b"/a?q=\"<b>\""[..], &b"/a?q=%22%3Cb%3E%22"[..]),
            ("/한?é".as_bytes(), b"/%ED%95%9C?%C3%A9"),
            (b"/{a}|b^c`d\\\xff", b"/%7Ba%7D%7Cb%5Ec%60d%5C%FF"),
        ] {
            assert_eq!(encoded(target).as_deref(), Some(sent));
        }
    }

    /// Each byte is either taken by the parser that comes next, perhaps encoded, or is a space or a control character.
    #[test]
    fn what_is_left_can_be_parsed() {
        for byte in 0..=u8::MAX {
            for target in [vec![b'/', byte], vec![b'/', b'?', byte]] {
                let sent = encoded(&target).unwrap_or(target);
                let taken = http::Uri::try_from(sent).is_ok();
                assert_eq!(taken, !(byte.is_ascii_control() || byte == b' '), "{byte:#x}");
            }
        }
    }
}
