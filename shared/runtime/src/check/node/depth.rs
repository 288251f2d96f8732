//! Bounds how deep the tree of a JavaScript source can be, without parsing it.
//!
//! Only a parser knows whether a `/` divides or begins a regular expression. Where the tokens before it leave that open,
//! both are followed, so that whichever way the parser reads the source, that way was bounded. A way that can only end
//! in a syntax error is given up: the parser stops there too.

use std::collections::{BinaryHeap, HashMap};

use super::text::{find, has_newline, is_line_separator, is_space, string_end};
use super::way::{Ended, Kind, Last, Token, Way};
use super::words;
use crate::check::{CodeFault, MAX_NESTING, MAX_WEIGHT, TOO_DEEP, Weight, at};

/// How many bytes all ways together may read, per byte of the source.
const WORK: usize = 16;
/// How many ways may wait to be followed.
const MAX_WAYS: usize = 64;
/// How many open brackets all that was seen may have, together.
const MAX_SEEN: usize = 2_000_000;

pub(super) fn check(source: &str) -> Result<(), CodeFault> {
    let mut ways = BinaryHeap::from([Way::new()]);
    let mut seen = Seen::default();
    let mut work = 0;
    // The one that is furthest behind first, so that ways that come to the same meet.
    while let Some(mut way) = ways.pop() {
        let begun = way.at;
        let step = way.follow(source, &mut seen);
        let position = way.at;
        work += position - begun;
        match step {
            Step::TooDeep => return Err(at(source, position, TOO_DEEP)),
            Step::Over => {}
            Step::Fork(other) => ways.extend([Some(way), other].into_iter().flatten()),
        }
        if work > WORK * source.len() + 4096 || ways.len() > MAX_WAYS || seen.open > MAX_SEEN {
            return Err(at(source, position, AMBIGUOUS));
        }
    }
    Ok(())
}

const AMBIGUOUS: &str =
    "Too many of the slashes before this may be either a division or a regular expression";

/// All of a way that matters for where it goes on.
type State = (usize, Vec<Kind>, Last, Option<Ended>, bool);

/// The states in which slashes were met: a way that comes by in the same one, and no heavier, need not be followed.
#[derive(Default)]
struct Seen {
    states: HashMap<State, Vec<Weight>>,
    /// How many brackets were open in all of them.
    open: usize,
}

/// What came of following a way.
enum Step {
    /// It came to its end.
    Over,
    TooDeep,
    /// It goes on; and so does another one, unless that was seen to have no end.
    Fork(Option<Way>),
}

impl Way {
    /// Follows the way to its end, or to where it forks.
    fn follow(&mut self, source: &str, seen: &mut Seen) -> Step {
        let bytes = source.as_bytes();
        if self.at == 0 && bytes.starts_with(b"#!") {
            self.skip_line(bytes);
        }
        loop {
            if self.kinds.len() > MAX_NESTING + 1 || self.total > MAX_WEIGHT {
                return Step::TooDeep;
            }
            if self.kind() == Kind::Template {
                if !self.template(bytes) {
                    return Step::Over;
                }
                continue;
            }
            let Some(&byte) = bytes.get(self.at) else { return Step::Over };
            let rest = &bytes[self.at..];
            match byte {
                b'\n' | b'\r' => {
                    self.newline = true;
                    self.at += 1;
                }
                b' ' | b'\t' | 0x0b | 0x0c => self.at += 1,
                b'/' if rest.starts_with(b"//") => self.skip_line(bytes),
                b'/' if rest.starts_with(b"/*") => match find(rest, b"*/") {
                    Some(length) => {
                        self.newline |= has_newline(&rest[..length]);
                        self.at += length + 2;
                    }
                    None => return Step::Over,
                },
                b'/' => {
                    if let Some(step) = self.slash(bytes, seen) {
                        return step;
                    }
                }
                // Comments in sloppy scripts, operators elsewhere.
                b'<' if rest.starts_with(b"<!--") => return self.maybe_comment(bytes),
                b'-' if self.newline && rest.starts_with(b"-->") => return self.maybe_comment(bytes),
                b'"' | b'\'' => {
                    self.token(Token::Literal);
                    self.last = Last::Operand;
                    match string_end(rest, byte) {
                        Some(length) => self.at += length,
                        None => return Step::Over,
                    }
                }
                b'`' => {
                    self.open(Kind::Template);
                    self.at += 1;
                }
                _ => self.plain(source, byte),
            }
        }
    }

    /// What needs no look ahead: words, numbers, brackets, operators.
    fn plain(&mut self, source: &str, byte: u8) {
        let rest = &source.as_bytes()[self.at..];
        match byte {
            b'(' => self.open(Kind::Paren { unsure: self.last == Last::Head }),
            b'[' => self.open(Kind::Bracket),
            b'{' => self.open(Kind::Brace),
            b')' | b']' | b'}' => self.close(byte),
            b',' => {
                self.token(Token::Punctuation);
                let weight = self.weights.last_mut().map(|weight| std::mem::take(&mut weight.element));
                self.total -= weight.unwrap_or(0);
                self.last = Last::Operator;
            }
            b';' => {
                self.token(Token::Punctuation);
                self.ended = Some(Ended::Semicolon);
                self.last = Last::Operator;
            }
            b'.' if rest.starts_with(b"...") => {
                self.token(Token::Punctuation);
                self.at += 2;
                self.last = Last::Operator;
            }
            b'.' => {
                self.token(Token::Punctuation);
                self.last = Last::Dot;
            }
            b'+' | b'-' if rest.get(1) == Some(&byte) => {
                self.token(Token::Punctuation);
                self.at += 1;
                self.last = Last::Unsure;
            }
            b'!' | b'~' | b'+' | b'-' | b'@' => {
                self.token(Token::Punctuation);
                self.last = Last::Operator;
            }
            // None of these can stand twice in a row and mean two things, so that a run of one counts once.
            b'=' | b'&' | b'|' | b'<' | b'>' | b'^' | b'%' | b'*' | b'?' | b':' => {
                self.token(Token::Punctuation);
                let run = rest.iter().take_while(|next| **next == byte).count();
                self.at += run - 1;
                self.last = Last::Operator;
            }
            _ => return self.word(source),
        }
        self.at += 1;
    }

    /// A name, a keyword or a number; or whitespace that isn't ASCII.
    fn word(&mut self, source: &str) {
        let rest = &source[self.at..];
        let first = rest.chars().next().unwrap_or(' ');
        if is_space(first) {
            self.newline |= matches!(first, '\u{2028}' | '\u{2029}');
            self.at += first.len_utf8();
            return;
        }
        let is_part = |c: char| {
            c.is_ascii_alphanumeric()
                || matches!(c, '_' | '$' | '#' | '\\')
                || (!c.is_ascii() && !is_space(c))
        };
        let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        // A character that can stand nowhere: an error, and a token to be on the safe side.
        let length = if length == 0 { first.len_utf8() } else { length };
        let word = &rest[..length];
        let is_name = self.last == Last::Dot;
        self.token(if is_name || first.is_ascii_digit() { Token::Literal } else { Token::Word(word) });
        self.last = match word {
            _ if is_name => Last::Operand,
            "if" | "while" | "for" | "with" | "await" => Last::Head,
            _ if words::wants_operand(word) => Last::Operator,
            _ if words::is_keyword(word) || word.contains('\\') => Last::Unsure,
            _ => Last::Operand,
        };
        self.at += length;
    }

    /// The text of a template, up to its end or the next substitution. False at the end of the source.
    fn template(&mut self, bytes: &[u8]) -> bool {
        while let Some(&byte) = bytes.get(self.at) {
            self.at += 1;
            match byte {
                b'\\' => self.at += 1,
                b'`' => {
                    self.pop();
                    self.last = Last::Operand;
                    self.newline = false;
                    return true;
                }
                b'$' if bytes.get(self.at) == Some(&b'{') => {
                    self.at += 1;
                    // Substitutions stand side by side.
                    if let Some(weight) = self.weights.last_mut() {
                        self.total -= weight.total();
                        *weight = Weight::default();
                    }
                    self.open(Kind::Substitution);
                    return true;
                }
                _ => {}
            }
        }
        false
    }

    /// A slash that begins no comment. `None` where this way just goes on.
    fn slash(&mut self, bytes: &[u8], seen: &mut Seen) -> Option<Step> {
        let mut fork = None;
        match self.last {
            Last::Operator | Last::Dot => return if self.regex(bytes) { None } else { Some(Step::Over) },
            Last::Operand if !self.newline => {}
            Last::Operand | Last::Unsure | Last::Head => {
                let state = (self.at, self.kinds.clone(), self.last, self.ended, self.newline);
                match seen.states.get_mut(&state) {
                    Some(known) => {
                        let no_heavier = |(mine, known): (&Weight, &Weight)| {
                            mine.element <= known.element && mine.statement <= known.statement
                        };
                        if self.weights.iter().zip(&*known).all(no_heavier) {
                            return Some(Step::Over);
                        }
                        for (mine, known) in self.weights.iter_mut().zip(known) {
                            mine.element = mine.element.max(known.element);
                            mine.statement = mine.statement.max(known.statement);
                            *known = *mine;
                        }
                        self.total = self.weights.iter().map(|weight| weight.total()).sum();
                    }
                    None => {
                        seen.open += state.1.len();
                        seen.states.insert(state, self.weights.clone());
                    }
                }
                let mut other = self.clone();
                fork = Some(Step::Fork(other.regex(bytes).then_some(other)));
            }
        }
        self.token(Token::Punctuation);
        self.last = Last::Operator;
        self.at += 1;
        fork
    }

    /// A regular expression. False where it has no end.
    fn regex(&mut self, bytes: &[u8]) -> bool {
        self.token(Token::Literal);
        let (mut at, mut in_class) = (self.at + 1, false);
        while let Some(&byte) = bytes.get(at) {
            at += 1;
            match byte {
                b'\n' | b'\r' => return false,
                0xe2 if is_line_separator(&bytes[at - 1..]) => return false,
                b'\\' => at += usize::from(!matches!(bytes.get(at), Some(b'\n' | b'\r'))),
                b'[' => in_class = true,
                b']' => in_class = false,
                b'/' if !in_class => {
                    let flags = bytes[at..].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
                    self.at = at + flags;
                    self.last = Last::Operand;
                    return true;
                }
                _ => {}
            }
        }
        false
    }

    fn maybe_comment(&mut self, bytes: &[u8]) -> Step {
        let mut other = self.clone();
        other.skip_line(bytes);
        self.token(Token::Punctuation);
        self.last = Last::Operator;
        self.at += 1;
        // `<!--` holds a `--`, `-->` is one: whether it is a prefix or a postfix is open.
        self.newline = false;
        Step::Fork(Some(other))
    }

    fn skip_line(&mut self, bytes: &[u8]) {
        while let Some(&byte) = bytes.get(self.at) {
            if matches!(byte, b'\n' | b'\r') || (byte == 0xe2 && is_line_separator(&bytes[self.at..])) {
                break;
            }
            self.at += 1;
        }
    }
}
