//! What a parser makes of Python.

mod handler;

use domain::function::{CodeFault, Module};
use ruff_python_ast::PythonVersion;
use ruff_python_parser::{Mode, ParseOptions, parse_unchecked};
use ruff_text_size::Ranged;

use super::{Reading, at};

pub(super) fn read(source: &str, version: (u8, u8)) -> Reading {
    let version = PythonVersion { major: version.0, minor: version.1 };
    let options = ParseOptions::from(Mode::Module).with_target_version(version);
    let parsed = parse_unchecked(source, options);
    let error = parsed.errors().iter().min_by_key(|error| error.location.start());
    let fault = error.map(|error| place(source, error.location.start(), &error.error));
    let newer = parsed.unsupported_syntax_errors().first();
    let newer = newer.map(|error| place(source, error.range().start(), error));
    let handler = parsed.try_into_module().map(|module| handler::find(source, module.suite()));
    Reading { module: Module::Python, fault, newer, handler }
}

fn place(source: &str, offset: ruff_text_size::TextSize, what: &impl std::fmt::Display) -> CodeFault {
    at(source, offset.to_usize(), format!("SyntaxError: {what}"))
}
