//! Python, as CPython 3.13 reads it.

mod depth;
mod early;
mod handler;

use ruff_python_ast::PythonVersion;
use ruff_python_parser::{Mode, ParseOptions, parse_unchecked};
use ruff_text_size::Ranged;

use super::{CodeFault, at};

/// The newest CPython that functions run on. Syntax that is newer is a fault.
const VERSION: PythonVersion = PythonVersion::PY313;

pub(super) fn check(source: &str) -> Result<(), CodeFault> {
    if let Some(offset) = source.find('\0') {
        return Err(at(source, offset, "Python code can't contain null characters"));
    }
    depth::check(source)?;
    let options = ParseOptions::from(Mode::Module).with_target_version(VERSION);
    let parsed = parse_unchecked(source, options);
    if let Some(error) = parsed.errors().iter().min_by_key(|error| error.location.start()) {
        return Err(at(source, error.location.start().to_usize(), format!("Syntax error: {}", error.error)));
    }
    if let Some(error) = parsed.unsupported_syntax_errors().first() {
        return Err(at(source, error.range().start().to_usize(), format!("Syntax error: {error}")));
    }
    match parsed.try_into_module() {
        Some(module) => {
            early::check(source, module.suite())?;
            handler::check(source, module.suite())
        }
        None => Err(at(source, 0, "The code is not a module")),
    }
}
