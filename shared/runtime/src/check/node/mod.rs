//! JavaScript, as Node.js 22 reads it: a script (CommonJS), unless only a module makes sense of it.

mod depth;
mod handler;
mod text;
mod way;
mod words;

use domain::function::Module;
use oxc_allocator::Allocator;
use oxc_ast::ast::Program;
use oxc_parser::{ParseOptions, Parser};
use oxc_semantic::{Scoping, SemanticBuilder};
use oxc_span::SourceType;
use oxc_syntax::module_record::ModuleRecord;

use super::{CodeFault, at};

pub(super) fn check(source: &str) -> Result<Module, CodeFault> {
    // Node drops a byte order mark, and columns don't count it.
    let source = source.strip_prefix('\u{feff}').unwrap_or(source);
    depth::check(source)?;
    let script = parse(source, SourceType::cjs(), handler::of_script);
    if let Ok(found) = script {
        return handler::verdict(source, found).map(|()| Module::CommonJs);
    }
    match parse(source, SourceType::mjs(), handler::of_module) {
        Ok(found) => handler::verdict(source, found).map(|()| Module::Esm),
        // Wrong either way: of the two readings, the one that gets further is the one that was meant.
        Err(module) => Err(match script {
            Err(script) if (script.line, script.column) >= (module.line, module.column) => script,
            _ => module,
        }),
    }
}

/// A source that parsed.
struct Parsed<'p, 'a> {
    program: &'p Program<'a>,
    record: &'p ModuleRecord<'a>,
    scoping: &'p Scoping,
}

fn parse<T>(source: &str, kind: SourceType, then: impl Fn(Parsed<'_, '_>) -> T) -> Result<T, CodeFault> {
    let arena = Allocator::default();
    let options = ParseOptions { parse_regular_expression: true, ..ParseOptions::default() };
    let parsed = Parser::new(&arena, source, kind).with_options(options).parse();
    let fault = |diagnostics: &oxc_diagnostics::Diagnostics| {
        let place = |error: &&oxc_diagnostics::OxcDiagnostic| {
            error.labels.first().map_or(0, |label| label.offset() as usize)
        };
        let first = diagnostics.errors().min_by_key(place)?;
        let help = first.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
        Some(at(source, place(&first), format!("Syntax error: {}{help}", first.message)))
    };
    if let Some(fault) = fault(&parsed.diagnostics) {
        return Err(fault);
    }
    let built = SemanticBuilder::new().with_check_syntax_error(true).build(&parsed.program);
    if let Some(fault) = fault(&built.diagnostics) {
        return Err(fault);
    }
    let scoping = built.semantic.scoping();
    Ok(then(Parsed { program: &parsed.program, record: &parsed.module_record, scoping }))
}
