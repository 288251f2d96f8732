//! What a parser makes of JavaScript.

mod exports;
mod handler;
mod value;

use domain::function::{CodeFault, Module};
use oxc_allocator::Allocator;
use oxc_ast::ast::Program;
use oxc_parser::{ParseOptions, Parser};
use oxc_semantic::{Scoping, SemanticBuilder};
use oxc_span::SourceType;
use oxc_syntax::module_record::ModuleRecord;

use super::{Reading, at};

pub(super) fn read(source: &str, module: Module) -> Reading {
    let (kind, find): (_, fn(&str, Parsed<'_, '_>) -> _) = match module {
        Module::Esm => (SourceType::mjs(), handler::of_module),
        _ => (SourceType::cjs(), handler::of_script),
    };
    let arena = Allocator::default();
    let options = ParseOptions { parse_regular_expression: true, ..ParseOptions::default() };
    let parsed = Parser::new(&arena, source, kind).with_options(options).parse();
    let mut fault = first_fault(source, &parsed.diagnostics);
    if parsed.panicked {
        return Reading { module, fault, newer: None, handler: None };
    }
    let built = SemanticBuilder::new().with_check_syntax_error(true).build(&parsed.program);
    fault = fault.or_else(|| first_fault(source, &built.diagnostics));
    let scoping = built.semantic.scoping();
    let found = find(source, Parsed { program: &parsed.program, record: &parsed.module_record, scoping });
    Reading { module, fault, newer: None, handler: Some(found) }
}

/// A source that was understood, all or some of it.
struct Parsed<'p, 'a> {
    program: &'p Program<'a>,
    record: &'p ModuleRecord<'a>,
    scoping: &'p Scoping,
}

fn first_fault(source: &str, diagnostics: &oxc_diagnostics::Diagnostics) -> Option<CodeFault> {
    let place = |error: &&oxc_diagnostics::OxcDiagnostic| {
        error.labels.first().map_or(0, |label| label.offset() as usize)
    };
    let first = diagnostics.errors().min_by_key(place)?;
    Some(at(source, place(&first), format!("SyntaxError: {}", first.message)))
}
