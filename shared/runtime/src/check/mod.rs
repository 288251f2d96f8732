//! Code is checked when it is saved: that it parses, and that it has a handler. A typo is a fault with line and column
//! then, and never a deployed function that fails.
//!
//! The code is hostile. The parsers are recursive, and so is what walks and drops the trees that they make; so how deep a
//! source can take them is bounded first, by scanners that don't recurse, and the rest happens on a stack that is large
//! enough for that many levels. All of it is linear in the source.

mod node;
mod python;
#[cfg(test)]
mod tests;

use domain::Language;
use domain::function::Module;
use domain::limits;

/// What is wrong with the code, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct CodeFault {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// For people: what is wrong, and what to do where that isn't plain.
    pub message: String,
}

/// How many brackets may be open at once.
const MAX_NESTING: usize = 200;
/// How many tokens the open constructs may have between them; see the scanners. It bounds the depth of the tree.
const MAX_WEIGHT: u32 = 10_000;
/// For that depth, in bytes: eight times what the worst constructs at their limits take in a debug build. Only what is
/// used of it takes memory.
const STACK: usize = 128 * 1024 * 1024;

/// Checks a source, and says how it is to be loaded. Takes about a millisecond per 20 KB: call it where blocking is fine.
///
/// # Errors
/// Code that doesn't parse, and code without a `handler` in one of the forms that `decisions.md` lists.
pub fn check(language: Language, source: &str) -> Result<Module, CodeFault> {
    if source.len() > limits::CODE {
        let message = format!("The code is larger than {} bytes", limits::CODE);
        return Err(CodeFault { line: 1, column: 1, message });
    }
    std::thread::scope(|scope| {
        let work = || match language {
            Language::Python => python::check(source).map(|()| Module::Python),
            Language::Nodejs => node::check(source),
        };
        let thread = std::thread::Builder::new().name("check".into()).stack_size(STACK);
        // A parser that panics has a defect; code that shows one is refused, for it can't be vouched for.
        let unchecked =
            "The code could not be checked; try a smaller piece of it to find what is not understood";
        match thread.spawn_scoped(scope, work).map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(checked)) => checked,
            Ok(Err(_)) | Err(_) => Err(at(source, 0, unchecked)),
        }
    })
}

/// A fault at a byte of the source.
fn at(source: &str, offset: usize, message: impl Into<String>) -> CodeFault {
    let offset = (0..=offset.min(source.len())).rev().find(|&at| source.is_char_boundary(at)).unwrap_or(0);
    let before = &source[..offset];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before[line_start..].chars().filter(|&c| c != '\u{feff}').count() + 1;
    CodeFault { line: before.matches('\n').count() + 1, column, message: message.into() }
}

/// A construct that is open at some point of a source. Each token adds to the weight of the innermost construct, until
/// something in it ends there (a statement, an element of a list), so that the weights of all open constructs together
/// are at least the depth of the tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Weight {
    /// What the end of an element takes back.
    element: u32,
    /// What only the end of a statement takes back.
    statement: u32,
}

impl Weight {
    fn total(self) -> u32 {
        self.element + self.statement
    }
}

/// What a source is told that nests deeper than anything sane.
const TOO_DEEP: &str = "The code is nested too deeply here, or goes on too long without an end; split it up";
