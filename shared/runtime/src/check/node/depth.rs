//! Bounds how deep the tree of a JavaScript source can be, without parsing it.
//!
//! Only a parser knows whether a `/` divides or begins a regular expression. Where the tokens before it leave that open,
//! both are followed, so that whichever way the parser reads the source, that way was bounded. A way that can only end
//! in a syntax error is given up: the parser stops there too.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};

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

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Top,
    /// `unsure`: it follows a keyword, so that what follows it may be an operand (`if (a) /b/`) or not.
    Paren {
        unsure: bool,
    },
    Bracket,
    Brace,
    /// In the text of a template.
    Template,
    /// In `${…}`.
    Substitution,
}

/// What the last token was, as far as a slash cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Last {
    /// An operand must follow.
    Operator,
    /// A name must follow.
    Dot,
    /// An operand ended: an operator follows, or the next statement on another line.
    Operand,
    /// Either may follow.
    Unsure,
    /// As `Unsure`, and brackets that follow are the head of a statement, perhaps.
    Head,
}

/// What has just ended, if the next token doesn't go on with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Ended {
    Semicolon,
    Brace,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    Literal,
    Punctuation,
}

/// The states in which slashes were met: a way that comes by in the same one, and no heavier, need not be followed.
#[derive(Default)]
struct Seen {
    states: HashMap<(usize, Vec<Kind>, Last), Vec<Weight>>,
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

/// One way to read the source.
#[derive(Clone)]
struct Way {
    at: usize,
    kinds: Vec<Kind>,
    weights: Vec<Weight>,
    total: u32,
    last: Last,
    ended: Option<Ended>,
    newline: bool,
}

impl Way {
    fn new() -> Self {
        Self {
            at: 0,
            kinds: vec![Kind::Top],
            weights: vec![Weight::default()],
            total: 0,
            last: Last::Operator,
            ended: None,
            newline: true,
        }
    }

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

    fn kind(&self) -> Kind {
        self.kinds.last().copied().unwrap_or(Kind::Top)
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

    /// Counts a token, after taking back the weight of what ended before it.
    fn token(&mut self, token: Token<'_>) {
        let Some(weight) = self.weights.last_mut() else { return };
        let begins = match token {
            Token::Word(word) => !words::goes_on(word),
            Token::Literal => true,
            Token::Punctuation => false,
        };
        let has_ended = match self.ended.take() {
            // `if (a) b; else c` and `do a; while (b)` go on.
            Some(Ended::Semicolon) => !matches!(token, Token::Word("else" | "while")),
            Some(Ended::Brace) => begins,
            // A semicolon is inserted between operands on two lines.
            None => self.newline && self.last == Last::Operand && begins,
        };
        if has_ended {
            self.total -= weight.total();
            *weight = Weight::default();
        }
        self.newline = false;
        self.total += 1;
        match token {
            Token::Word("if" | "else" | "for" | "while" | "do" | "with") => weight.statement += 1,
            _ => weight.element += 1,
        }
    }

    fn open(&mut self, kind: Kind) {
        self.token(Token::Punctuation);
        self.kinds.push(kind);
        self.weights.push(Weight::default());
        self.last = Last::Operator;
        self.ended = None;
    }

    fn pop(&mut self) {
        self.kinds.pop();
        self.total -= self.weights.pop().map_or(0, Weight::total);
    }

    /// A closing bracket. One that doesn't fit is an error; it closes nothing, to be on the safe side.
    fn close(&mut self, byte: u8) {
        self.ended = None;
        self.newline = false;
        match (byte, self.kind()) {
            (b')', Kind::Paren { unsure }) => {
                self.pop();
                self.last = if unsure { Last::Unsure } else { Last::Operand };
            }
            (b']', Kind::Bracket) => {
                self.pop();
                self.last = Last::Operand;
            }
            (b'}', Kind::Brace) => {
                self.pop();
                self.last = Last::Unsure;
                self.ended = Some(Ended::Brace);
            }
            (b'}', Kind::Substitution) => self.pop(),
            _ => {
                self.token(Token::Punctuation);
                self.last = Last::Unsure;
            }
        }
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
                let state = (self.at, self.kinds.clone(), self.last);
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

/// Ways are ordered by how far behind they are.
impl Ord for Way {
    fn cmp(&self, other: &Self) -> Ordering {
        other.at.cmp(&self.at)
    }
}

impl PartialOrd for Way {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Way {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Way {}

/// Bytes of a string with its quotes; `None` where it has no end.
fn string_end(rest: &[u8], quote: u8) -> Option<usize> {
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

fn find(bytes: &[u8], what: &[u8; 2]) -> Option<usize> {
    bytes.get(2..)?.windows(2).position(|pair| pair == what).map(|at| at + 2)
}

fn has_newline(bytes: &[u8]) -> bool {
    bytes
        .iter()
        .enumerate()
        .any(|(at, byte)| matches!(byte, b'\n' | b'\r') || (*byte == 0xe2 && is_line_separator(&bytes[at..])))
}

/// U+2028 and U+2029 end a line.
fn is_line_separator(bytes: &[u8]) -> bool {
    bytes.starts_with("\u{2028}".as_bytes()) || bytes.starts_with("\u{2029}".as_bytes())
}

fn is_space(c: char) -> bool {
    c.is_whitespace() || c == '\u{feff}'
}
