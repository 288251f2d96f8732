//! Whether a module defines `handler`, and whether it can be called with an event.

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Alias, ExceptHandler, Expr, Parameters, Stmt};
use ruff_text_size::{Ranged, TextSize};

use crate::check::{CodeFault, at};

const EXPECTED: &str = "There is no handler. Define one: def handler(event): …";

/// Names that people use elsewhere for what is `handler` here.
const NEAR_MISSES: [&str; 6] = ["lambda_handler", "main", "handle", "function_handler", "entrypoint", "app"];

pub(super) fn check(source: &str, body: &[Stmt]) -> Result<(), CodeFault> {
    let mut found = Found::default();
    found.block(body);
    match found.handler {
        Some(Some((parameters, start))) => match unfit(parameters) {
            Some(message) => Err(at(source, start.to_usize(), message)),
            None => Ok(()),
        },
        Some(None) => Ok(()),
        None if is_dynamic(body) => Ok(()),
        None => Err(match found.near_miss {
            Some(name) => {
                at(source, 0, format!("{EXPECTED}. Rename `{name}` to `handler`, or add `handler = {name}`"))
            }
            None => at(source, 0, EXPECTED),
        }),
    }
}

/// A function's parameters, and where they begin.
type Signature<'a> = (Option<&'a Parameters>, TextSize);

/// What the module's own statements bind.
#[derive(Default)]
struct Found<'a> {
    /// The last `handler`; with its signature where that is known.
    handler: Option<Option<Signature<'a>>>,
    near_miss: Option<&'a str>,
}

impl<'a> Found<'a> {
    fn block(&mut self, body: &'a [Stmt]) {
        for statement in body {
            self.statement(statement);
        }
    }

    fn bind(&mut self, name: &str, signature: Option<Signature<'a>>) {
        if name == "handler" {
            self.handler = Some(signature);
        }
    }

    fn callable(&mut self, name: &'a str) {
        let is_near = name.eq_ignore_ascii_case("handler") || NEAR_MISSES.contains(&name);
        if is_near && self.near_miss.is_none() {
            self.near_miss = Some(name);
        }
    }

    fn statement(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::FunctionDef(function) => {
                // A decorator may change what it takes.
                let is_plain = function.decorator_list.is_empty();
                let signature = (Some(&*function.parameters), function.name.start());
                self.bind(&function.name, is_plain.then_some(signature));
                self.callable(&function.name);
            }
            Stmt::ClassDef(class) => self.bind(&class.name, None),
            Stmt::Assign(assign) => {
                for target in &assign.targets {
                    self.target(target, Some(&assign.value));
                }
            }
            Stmt::AnnAssign(assign) if assign.value.is_some() => {
                self.target(&assign.target, assign.value.as_deref());
            }
            Stmt::Expr(statement) => {
                if let Expr::Named(named) = &*statement.value {
                    self.target(&named.target, Some(&named.value));
                }
            }
            Stmt::Import(import) => self.import(&import.names),
            Stmt::ImportFrom(import) => self.import(&import.names),
            Stmt::If(branch) => {
                self.block(&branch.body);
                branch.elif_else_clauses.iter().for_each(|clause| self.block(&clause.body));
            }
            Stmt::Try(attempt) => {
                self.block(&attempt.body);
                for ExceptHandler::ExceptHandler(handler) in &attempt.handlers {
                    self.block(&handler.body);
                }
                self.block(&attempt.orelse);
                self.block(&attempt.finalbody);
            }
            Stmt::With(with) => {
                for target in with.items.iter().filter_map(|item| item.optional_vars.as_deref()) {
                    self.target(target, None);
                }
                self.block(&with.body);
            }
            Stmt::For(each) => {
                self.target(&each.target, None);
                self.block(&each.body);
                self.block(&each.orelse);
            }
            Stmt::While(repeat) => {
                self.block(&repeat.body);
                self.block(&repeat.orelse);
            }
            Stmt::Match(choice) => choice.cases.iter().for_each(|case| self.block(&case.body)),
            _ => {}
        }
    }

    fn target(&mut self, target: &'a Expr, value: Option<&'a Expr>) {
        match target {
            Expr::Name(name) => {
                let signature = match value {
                    Some(Expr::Lambda(lambda)) => Some((lambda.parameters.as_deref(), name.start())),
                    _ => None,
                };
                self.bind(&name.id, signature);
            }
            Expr::Tuple(tuple) => tuple.elts.iter().for_each(|target| self.target(target, None)),
            Expr::List(list) => list.elts.iter().for_each(|target| self.target(target, None)),
            Expr::Starred(starred) => self.target(&starred.value, None),
            _ => {}
        }
    }

    fn import(&mut self, names: &'a [Alias]) {
        for alias in names {
            let bound = alias.asname.as_ref().unwrap_or(&alias.name);
            // What a star brings is not known here.
            let name = if alias.name.as_str() == "*" { "handler" } else { bound.as_str() };
            self.bind(name, None);
        }
    }
}

/// What is wrong with a handler's parameters, if it can't be called with an event, or an event and a context.
fn unfit(parameters: Option<&Parameters>) -> Option<String> {
    let none = "The handler takes no parameters; it is called with the event: def handler(event): …";
    let Some(parameters) = parameters else { return Some(none.to_owned()) };
    let positional = || parameters.posonlyargs.iter().chain(&parameters.args);
    let required = positional().filter(|parameter| parameter.default.is_none()).count();
    if required > 2 {
        return Some(format!(
            "The handler needs {required} parameters; it is called with two: def handler(event, context): …"
        ));
    }
    if let Some(keyword) = parameters.kwonlyargs.iter().find(|parameter| parameter.default.is_none()) {
        let name = &keyword.parameter.name;
        return Some(format!(
            "The handler needs `{name}` by name; it is called by position. Give it a default"
        ));
    }
    (positional().next().is_none() && parameters.vararg.is_none()).then(|| none.to_owned())
}

/// Whether names may be bound in ways that can't be read off the statements.
fn is_dynamic(body: &[Stmt]) -> bool {
    let mut search = Search(false);
    search.visit_body(body);
    search.0
}

struct Search(bool);

impl<'a> Visitor<'a> for Search {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        if let Stmt::Global(global) = statement {
            self.0 |= global.names.iter().any(|name| name.as_str() == "handler");
        }
        visitor::walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        if let Expr::Name(name) = expression {
            self.0 |= matches!(name.id.as_str(), "globals" | "exec" | "vars" | "locals");
        }
        visitor::walk_expr(self, expression);
    }
}
