//! Code is checked when it is saved: that the interpreter that will run it compiles it, and that it has a handler. What
//! could never run is a fault with line and column then, and never a deployed function that fails.
//!
//! The interpreter's word counts. A parser finds the handler, and the place of what the interpreter gives no place for.
//!
//! The code is hostile, and parsers are recursive: this one works in a process of its own ([`Parser`]), and one that dies
//! of a source says only that the source can't be read.

mod choice;
mod node;
mod parser;
mod python;
#[cfg(test)]
mod tests;

use domain::Language;
use domain::function::{Checked, CodeFault, Handler, Module};
use serde::{Deserialize, Serialize};

pub use parser::{Parser, answer_if_asked};

/// What the parser makes of a source that is read in one way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// In which.
    pub module: Module,
    /// The first thing that it doesn't understand.
    pub fault: Option<CodeFault>,
    /// Something that it understands, and this version of the language doesn't have.
    pub newer: Option<CodeFault>,
    /// The handler, or why there is none. Absent where too little was understood to tell.
    pub handler: Option<Result<Handler, CodeFault>>,
}

/// What the interpreter says.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Compiled {
    /// How it took the source.
    pub module: Module,
    /// Why it doesn't compile, if it doesn't.
    #[serde(default)]
    pub fault: Option<Refusal>,
}

/// An error of the interpreter. It has seen hostile code, so none of it is trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Refusal {
    /// Its type and text.
    pub message: String,
    /// From 1.
    #[serde(default)]
    pub line: Option<usize>,
    /// From 1, in characters.
    #[serde(default)]
    pub column: Option<usize>,
}

/// An interpreter, as people are told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// Of this language.
    pub language: Language,
    /// As in 3.
    pub major: u8,
    /// As in 13.
    pub minor: u8,
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.language {
            Language::Python => write!(f, "Python {}.{}", self.major, self.minor),
            Language::Nodejs => write!(f, "Node.js {}", self.major),
        }
    }
}

/// What is said of a source that the interpreter takes and the parser dies of.
const TOO_DEEP: &str =
    "The code is nested too deeply, or takes too long to read, for its handler to be found. Split it up";
/// The most characters of an error's text.
const MESSAGE: usize = 500;

/// Reads a source in each way that it can be meant. Recurses as deep as the source nests.
fn read(version: Version, source: &str) -> Vec<Reading> {
    match version.language {
        Language::Python => vec![python::read(source, (version.major, version.minor))],
        Language::Nodejs => [Module::CommonJs, Module::Esm].map(|module| node::read(source, module)).into(),
    }
}

/// The source as interpreters get it: without a byte order mark, which all of them would drop.
pub fn without_mark(source: &str) -> &str {
    source.strip_prefix('\u{feff}').unwrap_or(source)
}

/// What comes of both. `readings` is `None` where the parser died of the source.
///
/// # Errors
/// What is wrong with the code.
pub fn judge(
    source: &str,
    version: Version,
    compiled: Compiled,
    readings: Option<&[Reading]>,
) -> Result<Checked, CodeFault> {
    let Compiled { module, fault } = compiled;
    let reading = readings.and_then(|readings| readings.iter().find(|reading| reading.module == module));
    if let Some(refusal) = fault {
        return Err(refused(source, version, refusal, reading));
    }
    let Some(reading) = reading else { return Err(at(source, 0, TOO_DEEP)) };
    // Where the parser knows less of the language than the interpreter, the usual name is expected.
    let handler = reading.handler.clone().unwrap_or_else(|| Ok(Handler::default()))?;
    Ok(Checked { module, handler })
}

/// What is wrong with deployed code, if the interpreter refuses it.
pub fn fault(source: &str, version: Version, compiled: Compiled) -> Option<CodeFault> {
    compiled.fault.map(|refusal| refused(source, version, refusal, None))
}

/// What is likely to come of it, where the interpreter can't be asked yet.
///
/// # Errors
/// Code that the parser understands, and that has no handler.
pub fn guess(source: &str, readings: Option<&[Reading]>) -> Result<Checked, CodeFault> {
    let Some(readings) = readings else { return Err(at(source, 0, TOO_DEEP)) };
    let understood = readings.iter().find(|reading| reading.fault.is_none());
    if let Some(reading) = understood {
        let handler = reading.handler.clone().unwrap_or_else(|| Ok(Handler::default()))?;
        return Ok(Checked { module: reading.module, handler });
    }
    // Of two readings the one that gets further is the one that was meant; but what is no script because it imports or
    // exports is a module, as Node.js itself decides.
    let is_module = readings.iter().any(|reading| stops_at_module_syntax(source, reading));
    let place = |reading: &&Reading| {
        let place = reading.fault.as_ref().map(|fault| (fault.line, fault.column));
        (is_module && reading.module == Module::Esm, place)
    };
    let furthest = readings.iter().rev().max_by_key(place);
    let reading = furthest.ok_or_else(|| at(source, 0, TOO_DEEP))?;
    let handler = reading.handler.clone().and_then(Result::ok).unwrap_or_default();
    Ok(Checked { module: reading.module, handler })
}

/// Whether this is a script up to where it imports or exports.
fn stops_at_module_syntax(source: &str, reading: &Reading) -> bool {
    let Some(fault) = reading.fault.as_ref().filter(|_| reading.module == Module::CommonJs) else {
        return false;
    };
    let line = source.split('\n').nth(fault.line - 1).unwrap_or_default();
    let rest = line.chars().skip(fault.column - 1);
    let word: String = rest.take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '$')).collect();
    matches!(word.as_str(), "import" | "export")
}

/// A refusal of the interpreter, for people.
fn refused(source: &str, version: Version, refusal: Refusal, reading: Option<&Reading>) -> CodeFault {
    let understood = reading.is_some_and(|reading| reading.fault.is_none());
    if let Some(newer) = reading.and_then(|reading| reading.newer.clone()).filter(|_| understood) {
        let message = format!("{}; this server runs {version}", newer.message);
        return CodeFault { message, ..newer };
    }
    let is_syntax = |message: &str| {
        ["SyntaxError: Unexpected", "SyntaxError: Invalid"].iter().any(|start| message.starts_with(start))
    };
    let mut message: String =
        refusal.message.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MESSAGE).collect();
    if version.language == Language::Nodejs && understood && is_syntax(&message) {
        message = format!("{message}. {version}, which this server runs, does not know this syntax");
    }
    let place = reading.and_then(|reading| reading.fault.as_ref()).map(|fault| (fault.line, fault.column));
    let lines = source.lines().count() + 1;
    let (line, column) = match (refusal.line, place) {
        (Some(line), _) if (1..=lines).contains(&line) => (line, refusal.column.unwrap_or(1).max(1)),
        (_, Some(place)) => place,
        _ => (1, 1),
    };
    CodeFault { line, column, message }
}

/// A fault at a byte of the source.
fn at(source: &str, offset: usize, message: impl Into<String>) -> CodeFault {
    let offset = (0..=offset.min(source.len())).rev().find(|&at| source.is_char_boundary(at)).unwrap_or(0);
    let before = &source[..offset];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before[line_start..].chars().count() + 1;
    CodeFault { line: before.matches('\n').count() + 1, column, message: message.into() }
}
