//! What a worker prints, as it comes out of its pipe: lines, each with the level that the shim marked it with.

use domain::{Level, Logs, limits};

/// What marks a line of another level than `Info`; `d`, `i`, `w` or `e` follows. Raw writes carry no mark.
const MARK: [u8; 2] = [0x1e, 0x1f];

/// Makes [`Logs`] of bytes, in whatever pieces they come, keeping no more than [`limits::LOGS`] of them.
#[derive(Debug, Default)]
pub struct Printed {
    logs: Logs,
    line: Vec<u8>,
}

impl Printed {
    /// Takes what was read next.
    pub fn push(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            if self.logs.is_full() {
                return;
            }
            let (text, ended) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            // A line longer than all that is kept need not be held whole.
            let room = (limits::LOGS + 1).saturating_sub(self.line.len());
            self.line.extend_from_slice(&text[..text.len().min(room)]);
            if ended || self.line.len() > limits::LOGS {
                self.end_line(false);
            }
        }
    }

    /// Whether more would be dropped.
    pub fn is_full(&self) -> bool {
        self.logs.is_full()
    }

    /// The lines, a last one without its end too.
    pub fn finish(mut self) -> Logs {
        if !self.line.is_empty() {
            self.end_line(true);
        }
        self.logs
    }

    fn end_line(&mut self, last: bool) {
        let line = std::mem::take(&mut self.line);
        let mut rest = line.as_slice();
        // A marked line may come after the beginning of one that isn't: `print("a", end="")`, then a warning.
        while let Some(at) = rest.windows(3).position(|three| three[..2] == MARK && level(three[2]).is_some())
        {
            if at > 0 {
                self.add(&rest[..at]);
            }
            let marked = &rest[at + 2..];
            let end =
                marked.windows(2).skip(1).position(|two| two == MARK).map_or(marked.len(), |end| end + 1);
            self.logs.push(level(marked[0]).unwrap_or_default(), String::from_utf8_lossy(&marked[1..end]));
            rest = &marked[end..];
            if rest.is_empty() {
                return;
            }
        }
        if !(last && rest.is_empty()) {
            self.add(rest);
        }
        self.line = line;
        self.line.clear();
    }

    fn add(&mut self, text: &[u8]) {
        self.logs.push(Level::Info, String::from_utf8_lossy(text.strip_suffix(b"\r").unwrap_or(text)));
    }
}

fn level(byte: u8) -> Option<Level> {
    match byte {
        b'd' => Some(Level::Debug),
        b'i' => Some(Level::Info),
        b'w' => Some(Level::Warn),
        b'e' => Some(Level::Error),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&[u8]]) -> Vec<(Level, String)> {
        let mut printed = Printed::default();
        for piece in pieces {
            printed.push(piece);
        }
        printed.finish().lines().iter().map(|line| (line.level, line.text.clone())).collect()
    }

    #[test]
    fn lines_carry_their_level() {
        assert_eq!(
            lines(&[b"one\ntw", b"o\n\n\x1e\x1fwcareful\n\x1e", b"\x1feboom\nhalf\x1e\x1fdwhole\nlast"]),
            [
                (Level::Info, "one".into()),
                (Level::Info, "two".into()),
                (Level::Info, String::new()),
                (Level::Warn, "careful".into()),
                (Level::Error, "boom".into()),
                (Level::Info, "half".into()),
                (Level::Debug, "whole".into()),
                (Level::Info, "last".into()),
            ]
        );
        assert_eq!(
            lines(&[b"a\x1eb \x1e\x1fq\xff\r\n"]),
            [(Level::Info, "a\u{1e}b \u{1e}\u{1f}q\u{fffd}".into())]
        );
    }

    #[test]
    fn nothing_is_held_beyond_the_limit() {
        let mut printed = Printed::default();
        for _ in 0..1000 {
            printed.push(&[b'x'; 64 * 1024]);
        }
        assert!(printed.line.capacity() <= 2 * limits::LOGS);
        assert!(printed.is_full());
        assert!(printed.finish().text().len() <= limits::LOGS);
    }
}
