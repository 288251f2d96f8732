//! One way to read a source: what is open, what came last, and how heavy it is by now.

use std::cmp::Ordering;

use super::words;
use crate::check::Weight;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
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
pub(super) enum Last {
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
pub(super) enum Ended {
    Semicolon,
    Brace,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    Word(&'a str),
    Literal,
    Punctuation,
}

/// One way to read the source.
#[derive(Clone)]
pub(super) struct Way {
    pub(super) at: usize,
    pub(super) kinds: Vec<Kind>,
    pub(super) weights: Vec<Weight>,
    pub(super) total: u32,
    pub(super) last: Last,
    pub(super) ended: Option<Ended>,
    pub(super) newline: bool,
}

impl Way {
    pub(super) fn new() -> Self {
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

    pub(super) fn kind(&self) -> Kind {
        self.kinds.last().copied().unwrap_or(Kind::Top)
    }

    /// Counts a token, after taking back the weight of what ended before it.
    pub(super) fn token(&mut self, token: Token<'_>) {
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

    pub(super) fn open(&mut self, kind: Kind) {
        self.token(Token::Punctuation);
        self.kinds.push(kind);
        self.weights.push(Weight::default());
        self.last = Last::Operator;
        self.ended = None;
    }

    pub(super) fn pop(&mut self) {
        self.kinds.pop();
        self.total -= self.weights.pop().map_or(0, Weight::total);
    }

    /// A closing bracket. One that doesn't fit is an error; it closes nothing, to be on the safe side.
    pub(super) fn close(&mut self, byte: u8) {
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
