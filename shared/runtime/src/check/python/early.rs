//! What CPython refuses when it compiles a module that parses: `return` outside of a function, and the like.

use std::cell::RefCell;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Comprehension, Expr, Parameters, PythonVersion, Stmt};
use ruff_python_parser::semantic_errors::{
    LazyImportContext, SemanticSyntaxChecker, SemanticSyntaxContext, SemanticSyntaxError,
};
use ruff_text_size::{Ranged, TextRange};

use super::VERSION;
use crate::check::{CodeFault, at};

pub(super) fn check(source: &str, body: &[Stmt]) -> Result<(), CodeFault> {
    let mut early = Early {
        source,
        checker: SemanticSyntaxChecker::new(),
        scopes: vec![Scope::new(Kind::Module)],
        errors: RefCell::default(),
    };
    early.visit_body(body);
    match early.errors.into_inner().iter().min_by_key(|error| error.range.start()) {
        None => Ok(()),
        Some(error) => Err(at(source, error.range().start().to_usize(), format!("Syntax error: {error}"))),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Module,
    Class,
    Function {
        is_async: bool,
    },
    Lambda,
    /// A list, set or dict comprehension; or a generator expression, which runs on its own time.
    Comprehension {
        is_async: bool,
        is_generator: bool,
    },
}

struct Scope<'a> {
    kind: Kind,
    parameters: Option<&'a Parameters>,
    /// How many loops are open in it.
    loops: usize,
}

impl Scope<'_> {
    fn new(kind: Kind) -> Self {
        Self { kind, parameters: None, loops: 0 }
    }
}

struct Early<'a> {
    source: &'a str,
    checker: SemanticSyntaxChecker,
    scopes: Vec<Scope<'a>>,
    errors: RefCell<Vec<SemanticSyntaxError>>,
}

impl<'a> Early<'a> {
    fn kinds(&self) -> impl Iterator<Item = Kind> {
        self.scopes.iter().rev().map(|scope| scope.kind)
    }

    fn current(&self) -> Kind {
        self.kinds().next().unwrap_or(Kind::Module)
    }

    fn checked(&mut self, check: impl FnOnce(&mut SemanticSyntaxChecker, &Self)) {
        let mut checker = std::mem::take(&mut self.checker);
        check(&mut checker, self);
        self.checker = checker;
    }

    fn within(&mut self, scope: Scope<'a>, visit: impl FnOnce(&mut Self)) {
        self.scopes.push(scope);
        visit(self);
        self.scopes.pop();
    }

    fn repeated(&mut self, body: &'a [Stmt]) {
        self.scopes.last_mut().iter_mut().for_each(|scope| scope.loops += 1);
        self.visit_body(body);
        self.scopes.last_mut().iter_mut().for_each(|scope| scope.loops -= 1);
    }

    /// The first iterable is evaluated outside, the rest within.
    fn comprehension(
        &mut self,
        generators: &'a [Comprehension],
        is_generator: bool,
        elements: &[Option<&'a Expr>],
    ) {
        let Some((first, rest)) = generators.split_first() else { return };
        self.visit_expr(&first.iter);
        let is_async = generators.iter().any(|generator| generator.is_async);
        self.within(Scope::new(Kind::Comprehension { is_async, is_generator }), |early| {
            early.visit_expr(&first.target);
            first.ifs.iter().for_each(|condition| early.visit_expr(condition));
            rest.iter().for_each(|generator| early.visit_comprehension(generator));
            elements.iter().flatten().for_each(|element| early.visit_expr(element));
        });
    }
}

impl<'a> Visitor<'a> for Early<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        self.checked(|checker, context| checker.visit_stmt(statement, context));
        match statement {
            Stmt::FunctionDef(function) => {
                function.decorator_list.iter().for_each(|decorator| self.visit_decorator(decorator));
                self.visit_parameters(&function.parameters);
                function.returns.iter().for_each(|returns| self.visit_annotation(returns));
                let kind = Kind::Function { is_async: function.is_async };
                let scope = Scope { parameters: Some(&function.parameters), ..Scope::new(kind) };
                self.within(scope, |early| early.visit_body(&function.body));
            }
            Stmt::ClassDef(class) => {
                class.decorator_list.iter().for_each(|decorator| self.visit_decorator(decorator));
                class.arguments.iter().for_each(|arguments| self.visit_arguments(arguments));
                self.within(Scope::new(Kind::Class), |early| early.visit_body(&class.body));
            }
            Stmt::For(each) => {
                self.visit_expr(&each.iter);
                self.visit_expr(&each.target);
                self.repeated(&each.body);
                self.visit_body(&each.orelse);
            }
            Stmt::While(repeat) => {
                self.visit_expr(&repeat.test);
                self.repeated(&repeat.body);
                self.visit_body(&repeat.orelse);
            }
            _ => visitor::walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        self.checked(|checker, context| checker.visit_expr(expression, context));
        match expression {
            Expr::Lambda(lambda) => {
                lambda.parameters.iter().for_each(|parameters| self.visit_parameters(parameters));
                let scope = Scope { parameters: lambda.parameters.as_deref(), ..Scope::new(Kind::Lambda) };
                self.within(scope, |early| early.visit_expr(&lambda.body));
            }
            Expr::ListComp(list) => self.comprehension(&list.generators, false, &[Some(&list.elt)]),
            Expr::SetComp(set) => self.comprehension(&set.generators, false, &[Some(&set.elt)]),
            Expr::Generator(generator) => {
                self.comprehension(&generator.generators, true, &[Some(&generator.elt)]);
            }
            Expr::DictComp(dict) => {
                let elements = [dict.key.as_deref(), Some(&*dict.value)];
                self.comprehension(&dict.generators, false, &elements);
            }
            _ => visitor::walk_expr(self, expression),
        }
    }
}

impl SemanticSyntaxContext for Early<'_> {
    fn future_annotations_or_stub(&self) -> bool {
        false
    }

    fn lazy_import_context(&self) -> Option<LazyImportContext> {
        None
    }

    fn python_version(&self) -> PythonVersion {
        VERSION
    }

    fn source(&self) -> &str {
        self.source
    }

    // Which names are bound where is not followed here: what depends on it is found when the code runs.
    fn global(&self, _: &str) -> Option<TextRange> {
        None
    }

    fn has_nonlocal_binding(&self, _: &str) -> bool {
        true
    }

    fn in_async_context(&self) -> bool {
        let decides = |kind| match kind {
            Kind::Class | Kind::Lambda => Some(false),
            Kind::Function { is_async } => Some(is_async),
            Kind::Module | Kind::Comprehension { .. } => None,
        };
        self.kinds().find_map(decides).unwrap_or(false)
    }

    fn in_await_allowed_context(&self) -> bool {
        let decides = |kind| match kind {
            Kind::Class => Some(false),
            Kind::Function { .. } | Kind::Lambda | Kind::Comprehension { is_generator: true, .. } => {
                Some(true)
            }
            Kind::Module | Kind::Comprehension { .. } => None,
        };
        self.kinds().find_map(decides).unwrap_or(false)
    }

    fn in_yield_allowed_context(&self) -> bool {
        let decides = |kind| match kind {
            Kind::Class | Kind::Comprehension { .. } => Some(false),
            Kind::Function { .. } | Kind::Lambda => Some(true),
            Kind::Module => None,
        };
        self.kinds().find_map(decides).unwrap_or(false)
    }

    fn in_sync_comprehension(&self) -> bool {
        self.kinds().any(|kind| kind == Kind::Comprehension { is_async: false, is_generator: false })
    }

    fn in_class_body_comprehension(&self) -> bool {
        let mut outside = self.kinds().skip_while(|kind| matches!(kind, Kind::Comprehension { .. }));
        matches!(self.current(), Kind::Comprehension { .. }) && outside.next() == Some(Kind::Class)
    }

    fn in_module_scope(&self) -> bool {
        self.current() == Kind::Module
    }

    fn in_function_scope(&self) -> bool {
        matches!(self.current(), Kind::Function { .. })
    }

    fn in_generator_context(&self) -> bool {
        self.kinds().any(|kind| matches!(kind, Kind::Comprehension { is_generator: true, .. }))
    }

    fn in_notebook(&self) -> bool {
        false
    }

    fn report_semantic_error(&self, error: SemanticSyntaxError) {
        self.errors.borrow_mut().push(error);
    }

    fn in_loop_context(&self) -> bool {
        self.scopes.last().is_some_and(|scope| scope.loops > 0)
    }

    fn is_bound_parameter(&self, name: &str) -> bool {
        self.scopes.last().and_then(|scope| scope.parameters).is_some_and(|all| all.includes(name))
    }
}
