//! What a script or a module offers for a handler.

use domain::function::{CodeFault, Handler};
use oxc_ast::ast::{Declaration, ExportDefaultDeclarationKind, Statement, VariableDeclaration};
use oxc_span::GetSpan;
use oxc_syntax::module_record::ExportExportName;

use super::Parsed;
use super::exports::{Exports, Value};
use super::value::{Holds, function, takes};
use crate::check::choice::{Candidate, Offer, Takes};

const OF_SCRIPT: &str = "There is no handler. Export one: exports.handler = async (event, context) => { … }";
const OF_MODULE: &str =
    "There is no handler. Export one: export async function handler(event, context) { … }";

/// Of a script: `exports.handler = …`, `module.exports = {handler}`, `module.exports = …`, or a function at the top.
pub(super) fn of_script<'a>(source: &str, parsed: Parsed<'_, 'a>) -> Result<Handler, CodeFault> {
    let mut offer = Offer { candidates: at_the_top(&parsed, false), ..Offer::default() };
    let mut exports = Exports::default();
    exports.statements(&parsed.program.body);
    let is_exports = |name: &str| matches!(name, "exports" | "module");
    let uses = parsed.scoping.root_unresolved_references();
    let uses: usize =
        uses.iter().filter(|(name, _)| is_exports(name.as_str())).map(|(_, all)| all.len()).sum();
    // A use of `exports` or `module` that is none of the plain forms may export anything.
    offer.dynamic = exports.dynamic || uses > exports.plain;
    let is_function = |name: &str| {
        let named = offer.candidates.iter().rev().find(|candidate| candidate.name == name);
        named.map(|candidate| candidate.takes.clone()).filter(|takes| *takes != Takes::Unknown)
    };
    match exports.whole {
        Some(Holds::Function) => offer.whole = true,
        Some(Holds::Named(name)) if is_function(name).is_some() => offer.whole = true,
        Some(Holds::Named(_)) => offer.dynamic = true,
        _ => {}
    }
    let exported = exports.names.into_iter().map(|(name, offset, value)| {
        let takes = match value {
            Value::Named(other) => is_function(other).unwrap_or(Takes::Unknown),
            Value::Takes(takes) => takes,
        };
        Candidate { name, offset, takes, local: false }
    });
    let exported: Vec<_> = exported.collect();
    offer.candidates.extend(exported);
    offer.choose(source, OF_SCRIPT)
}

/// Of a module: what it exports, or a function at the top.
pub(super) fn of_module<'a>(source: &str, parsed: Parsed<'_, 'a>) -> Result<Handler, CodeFault> {
    let mut offer = Offer { candidates: at_the_top(&parsed, true), ..Offer::default() };
    let takes = |name: &str| {
        let named = offer.candidates.iter().rev().find(|candidate| candidate.name == name);
        named.map_or(Takes::Unknown, |candidate| candidate.takes.clone())
    };
    let mut exported = Vec::new();
    let mut export = |name: &'a str, offset: u32, takes| {
        exported.push(Candidate { name, offset: offset as usize, takes, local: false });
    };
    let record = parsed.record;
    for entry in record.local_export_entries.iter().chain(&record.indirect_export_entries) {
        if let ExportExportName::Name(name) = &entry.export_name {
            let local = entry.local_name.name();
            export(name.name.as_str(), name.span.start, local.map_or(Takes::Unknown, |local| takes(&local)));
        }
    }
    // What a star brings is not known here.
    offer.vague = !record.star_export_entries.is_empty();
    let default = parsed.program.body.iter().find_map(|statement| match statement {
        Statement::ExportDefaultDeclaration(default) => Some(&default.declaration),
        _ => None,
    });
    match default {
        None | Some(ExportDefaultDeclarationKind::ClassDeclaration(_)) => {}
        Some(ExportDefaultDeclarationKind::FunctionDeclaration(_)) => offer.whole = true,
        Some(other) => match other.as_expression().map(Holds::of) {
            Some(Holds::Function) => offer.whole = true,
            Some(Holds::Named(name)) if takes(name) != Takes::Unknown => offer.whole = true,
            Some(Holds::Object { handler: true, .. }) => export("handler", 0, Takes::Unknown),
            Some(Holds::Named(_) | Holds::Perhaps | Holds::Object { open: true, .. }) => offer.dynamic = true,
            _ => {}
        },
    }
    offer.candidates.extend(exported);
    offer.choose(source, OF_MODULE)
}

/// What is declared at the top.
fn at_the_top<'a>(parsed: &Parsed<'_, 'a>, local: bool) -> Vec<Candidate<'a>> {
    let mut found = Vec::new();
    // Whatever declares it, and wherever: `var`s, classes, imports.
    let scoping = parsed.scoping;
    for symbol in scoping.iter_bindings_in(scoping.root_scope_id()) {
        if scoping.symbol_name(symbol) == "handler" {
            let offset = scoping.symbol_span(symbol).start as usize;
            found.push(Candidate { name: "handler", offset, takes: Takes::Unknown, local });
        }
    }
    for statement in &parsed.program.body {
        match statement {
            Statement::ExportDeclaration(export) => declared(&export.declaration, local, &mut found),
            other => {
                other
                    .as_declaration()
                    .into_iter()
                    .for_each(|declaration| declared(declaration, local, &mut found));
            }
        }
    }
    found
}

fn declared<'a>(declaration: &Declaration<'a>, local: bool, found: &mut Vec<Candidate<'a>>) {
    match declaration {
        Declaration::FunctionDeclaration(function) => {
            if let Some(id) = &function.id {
                let (name, offset) = (id.name.as_str(), id.span.start as usize);
                found.push(Candidate { name, offset, takes: takes(&function.params), local });
            }
        }
        Declaration::VariableDeclaration(declaration) => variables(declaration, local, found),
        _ => {}
    }
}

fn variables<'a>(declaration: &VariableDeclaration<'a>, local: bool, found: &mut Vec<Candidate<'a>>) {
    for declarator in &declaration.declarations {
        let Some(id) = declarator.id.get_binding_identifier() else { continue };
        let Some(init) = &declarator.init else { continue };
        let takes = match (function(init), Holds::of(init)) {
            (Some(parameters), _) => takes(parameters),
            (None, Holds::Named(_) | Holds::Perhaps) => Takes::Unknown,
            _ => continue,
        };
        let (name, offset) = (id.name.as_str(), id.span().start as usize);
        found.push(Candidate { name, offset, takes, local });
    }
}
