//! What a Python module offers for a handler.

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Alias, ExceptHandler, Expr, Parameters, Stmt};
use ruff_text_size::{Ranged, TextSize};

use domain::function::{CodeFault, Handler};

use crate::check::choice::{Candidate, Offer, Takes};

const EXPECTED: &str = "There is no handler. Define one: def handler(event): …";

pub(super) fn find(source: &str, body: &[Stmt]) -> Result<Handler, CodeFault> {
    let mut offer = Offer { dynamic: source.contains("handler") && is_dynamic(body), ..Offer::default() };
    Found(&mut offer).block(body);
    offer.choose(source, EXPECTED)
}

/// What the module's own statements bind.
struct Found<'o, 'a>(&'o mut Offer<'a>);

impl<'a> Found<'_, 'a> {
    fn block(&mut self, body: &'a [Stmt]) {
        for statement in body {
            self.statement(statement);
        }
    }

    fn bind(&mut self, name: &'a str, at: TextSize, takes: Takes) {
        self.0.candidates.push(Candidate { name, offset: at.to_usize(), takes, local: false });
    }

    fn statement(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::FunctionDef(function) => {
                let takes = match takes(Some(&function.parameters)) {
                    // A decorator may change what it takes.
                    Takes::Not(_) if !function.decorator_list.is_empty() => Takes::Unknown,
                    takes => takes,
                };
                self.bind(&function.name, function.name.start(), takes);
            }
            Stmt::ClassDef(class) => self.bind(&class.name, class.name.start(), Takes::Unknown),
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
                let takes = match value {
                    Some(Expr::Lambda(lambda)) => takes(lambda.parameters.as_deref()),
                    // Not a function, whatever it is called.
                    Some(value) if name.id != "handler" && is_data(value) => return,
                    _ => Takes::Unknown,
                };
                self.bind(&name.id, name.start(), takes);
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
            if alias.name.as_str() == "*" {
                self.0.vague = true;
            } else {
                self.bind(bound, bound.start(), Takes::Unknown);
            }
        }
    }
}

fn is_data(value: &Expr) -> bool {
    value.is_literal_expr()
        || matches!(
            value,
            Expr::List(_) | Expr::Dict(_) | Expr::Set(_) | Expr::Tuple(_) | Expr::FString(_) | Expr::BinOp(_)
        )
}

/// How a function of these parameters can be called.
fn takes(parameters: Option<&Parameters>) -> Takes {
    let none = "The handler takes no parameters; it is called with the event: def handler(event): …";
    let Some(parameters) = parameters else { return Takes::Not(none.to_owned()) };
    let positional = || parameters.posonlyargs.iter().chain(&parameters.args);
    let required = positional().filter(|parameter| parameter.default.is_none()).count();
    if required > 2 {
        return Takes::Not(format!(
            "The handler needs {required} parameters; it is called with two: def handler(event, context): …"
        ));
    }
    if let Some(keyword) = parameters.kwonlyargs.iter().find(|parameter| parameter.default.is_none()) {
        let name = &keyword.parameter.name;
        return Takes::Not(format!(
            "The handler needs `{name}` by name; it is called by position. Give it a default"
        ));
    }
    let mut names = positional().map(|parameter| parameter.parameter.name.as_str());
    match (names.next(), names.next()) {
        (Some("event"), None | Some("context")) => Takes::Event,
        (None, _) if parameters.vararg.is_none() => Takes::Not(none.to_owned()),
        _ => Takes::AsMany,
    }
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
