//! Whether a script or a module exports `handler`.

use oxc_ast::ast::{
    AssignmentExpression, AssignmentTarget, ExportDefaultDeclarationKind, Expression, MemberExpression,
    ObjectExpression, ObjectPropertyKind, Statement,
};

use super::Parsed;
use crate::check::{CodeFault, at};

/// Names that people use elsewhere for what is `handler` here.
const NEAR_MISSES: [&str; 7] =
    ["Handler", "handle", "main", "lambdaHandler", "lambda_handler", "functionHandler", "run"];

/// What was found.
pub(super) enum Found {
    /// A handler; or exports that only running the code can tell.
    Handler,
    /// None. What is missing, and how to put it right.
    Missing(String),
}

pub(super) fn verdict(source: &str, found: Found) -> Result<(), CodeFault> {
    match found {
        Found::Handler => Ok(()),
        Found::Missing(message) => Err(at(source, 0, message)),
    }
}

/// Of a script: `exports.handler = …`, `module.exports = {handler}`, or a `handler` at the top.
pub(super) fn of_script(parsed: Parsed<'_, '_>) -> Found {
    if top_level(&parsed, "handler") {
        return Found::Handler;
    }
    let mut exports = Exports::default();
    exports.statements(&parsed.program.body);
    let is_exports = |name: &str| matches!(name, "exports" | "module");
    let uses = parsed.scoping.root_unresolved_references();
    let uses: usize =
        uses.iter().filter(|(name, _)| is_exports(name.as_str())).map(|(_, all)| all.len()).sum();
    // A use of `exports` or `module` that is none of the plain forms may export anything.
    if exports.handler || exports.dynamic || uses > exports.plain {
        return Found::Handler;
    }
    let expected = "There is no handler. Export one: exports.handler = async (event, context) => { … }";
    Found::Missing(match near_miss(&parsed) {
        _ if exports.itself => {
            "There is no handler: module.exports is a function itself. Write module.exports = { handler: … }"
                .into()
        }
        Some(name) => format!("{expected}. Rename `{name}` to `handler`, or add `exports.handler = {name}`"),
        None => expected.into(),
    })
}

/// Of a module: an export of that name, or a default export that has it.
pub(super) fn of_module(parsed: Parsed<'_, '_>) -> Found {
    let record = parsed.record;
    let named = record.exported_bindings.iter().any(|(name, _)| name.as_str() == "handler");
    // What a star brings is not known here.
    if named || !record.star_export_entries.is_empty() {
        return Found::Handler;
    }
    let default = parsed.program.body.iter().find_map(|statement| match statement {
        Statement::ExportDefaultDeclaration(default) => Some(&default.declaration),
        _ => None,
    });
    let is_function = match default {
        None => false,
        Some(ExportDefaultDeclarationKind::FunctionDeclaration(_)) => true,
        Some(ExportDefaultDeclarationKind::ClassDeclaration(_)) => true,
        Some(other) => match other.as_expression().map(value_has_handler) {
            Some(Holds::Yes | Holds::Perhaps) => return Found::Handler,
            Some(Holds::No { itself }) => itself,
            None => false,
        },
    };
    let expected = "There is no handler. Export one: export async function handler(event, context) { … }";
    Found::Missing(match near_miss(&parsed) {
        _ if top_level(&parsed, "handler") => {
            "`handler` is not exported. Write `export` before it, or add `export { handler };`".into()
        }
        _ if is_function => {
            "There is no export named `handler`, only a default one. Write `export async function handler` in place of \
             `export default`"
                .into()
        }
        Some(name) => format!("{expected}. Or add `export {{ {name} as handler }};`"),
        None => expected.into(),
    })
}

fn top_level(parsed: &Parsed<'_, '_>, name: &str) -> bool {
    let scoping = parsed.scoping;
    scoping.iter_bindings_in(scoping.root_scope_id()).any(|symbol| scoping.symbol_name(symbol) == name)
}

fn near_miss(parsed: &Parsed<'_, '_>) -> Option<&'static str> {
    NEAR_MISSES.into_iter().find(|name| top_level(parsed, name))
}

/// Whether a value has a property `handler`.
enum Holds {
    Yes,
    /// Only running the code can tell.
    Perhaps,
    /// `itself`: it is a function, and was perhaps meant to be the handler.
    No {
        itself: bool,
    },
}

fn value_has_handler(value: &Expression<'_>) -> Holds {
    match value.without_parentheses() {
        Expression::ObjectExpression(object) => object_has_handler(object),
        Expression::FunctionExpression(_)
        | Expression::ArrowFunctionExpression(_)
        | Expression::ClassExpression(_) => Holds::No { itself: true },
        Expression::AssignmentExpression(inner) => value_has_handler(&inner.right),
        literal if literal.is_literal() => Holds::No { itself: false },
        _ => Holds::Perhaps,
    }
}

fn object_has_handler(object: &ObjectExpression<'_>) -> Holds {
    let mut holds = Holds::No { itself: false };
    for property in &object.properties {
        match property {
            ObjectPropertyKind::SpreadProperty(_) => holds = Holds::Perhaps,
            ObjectPropertyKind::ObjectProperty(property) => match property.key.static_name() {
                Some(name) if name == "handler" => return Holds::Yes,
                Some(_) => {}
                None => holds = Holds::Perhaps,
            },
        }
    }
    holds
}

/// What a script's own statements export.
#[derive(Default)]
struct Exports {
    handler: bool,
    /// Something is exported that only running the code can tell.
    dynamic: bool,
    /// `module.exports` is a function.
    itself: bool,
    /// How many uses of `exports` and `module` are accounted for.
    plain: usize,
}

/// What an assignment assigns to.
enum Place<'a> {
    /// `exports.name`, `module.exports.name`.
    Name(&'a str),
    /// `module.exports`, `exports`.
    Whole,
    /// Something else.
    Other,
}

impl Exports {
    fn statements(&mut self, body: &[Statement<'_>]) {
        for statement in body {
            match statement {
                Statement::ExpressionStatement(statement) => self.expression(&statement.expression),
                Statement::BlockStatement(block) => self.statements(&block.body),
                Statement::IfStatement(branch) => {
                    self.statements(std::slice::from_ref(&branch.consequent));
                    self.statements(branch.alternate.as_slice());
                }
                Statement::TryStatement(attempt) => self.statements(&attempt.block.body),
                _ => {}
            }
        }
    }

    fn expression(&mut self, expression: &Expression<'_>) {
        match expression.without_parentheses() {
            Expression::AssignmentExpression(assignment) => self.assignment(assignment),
            Expression::SequenceExpression(sequence) => {
                sequence.expressions.iter().for_each(|expression| self.expression(expression));
            }
            _ => {}
        }
    }

    fn assignment(&mut self, assignment: &AssignmentExpression<'_>) {
        match place(&assignment.left) {
            Place::Name(name) => {
                self.plain += 1;
                self.handler |= name == "handler";
            }
            Place::Whole => {
                self.plain += 1;
                match value_has_handler(&assignment.right) {
                    Holds::Yes => self.handler = true,
                    Holds::Perhaps => self.dynamic = true,
                    Holds::No { itself } => self.itself |= itself,
                }
            }
            Place::Other => {}
        }
        // `module.exports = exports = …`
        self.expression(&assignment.right);
    }
}

fn place<'a>(target: &'a AssignmentTarget<'_>) -> Place<'a> {
    if let AssignmentTarget::AssignmentTargetIdentifier(name) = target {
        return if name.name == "exports" { Place::Whole } else { Place::Other };
    }
    let Some(member) = target.as_member_expression() else { return Place::Other };
    match member.static_property_name() {
        Some("exports") if member.object().is_specific_id("module") => Place::Whole,
        Some(name) if is_exports(member) => Place::Name(name),
        _ => Place::Other,
    }
}

/// Whether it is a member of `exports`, `module.exports` or the top-level `this`, which is the same.
fn is_exports(member: &MemberExpression<'_>) -> bool {
    match member.object().get_inner_expression() {
        Expression::Identifier(name) => name.name == "exports",
        Expression::ThisExpression(_) => true,
        object => object.is_specific_member_access("module", "exports"),
    }
}
