//! What a script's own statements export.

use oxc_ast::ast::{
    AssignmentExpression, AssignmentTarget, Expression, MemberExpression, ObjectExpression,
    ObjectPropertyKind, PropertyKey, Statement,
};
use oxc_span::GetSpan;

use super::handler::{function, takes};
use crate::check::choice::Takes;

/// What a value is, as far as it can be read off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Holds<'a> {
    /// A function.
    Function,
    /// Whatever has this name.
    Named(&'a str),
    /// An object. `handler`: it has such a property. `open`: what it has is not all known.
    Object { handler: bool, open: bool },
    /// Only running the code can tell.
    Perhaps,
    /// Nothing that can be called.
    Data,
}

impl<'a> Holds<'a> {
    pub(super) fn of(value: &Expression<'a>) -> Self {
        match value.without_parentheses() {
            Expression::ObjectExpression(object) => of_object(object),
            Expression::FunctionExpression(_) | Expression::ArrowFunctionExpression(_) => Self::Function,
            Expression::Identifier(name) => Self::Named(name.name.as_str()),
            Expression::AssignmentExpression(inner) => Self::of(&inner.right),
            Expression::ClassExpression(_) | Expression::ArrayExpression(_) => Self::Data,
            literal if literal.is_literal() => Self::Data,
            _ => Self::Perhaps,
        }
    }
}

fn of_object<'a>(object: &ObjectExpression<'a>) -> Holds<'a> {
    let (mut handler, mut open) = (false, false);
    for property in &object.properties {
        match property {
            ObjectPropertyKind::SpreadProperty(_) => open = true,
            ObjectPropertyKind::ObjectProperty(property) => match name_of(&property.key) {
                Some(name) => handler |= name == "handler",
                None => open = true,
            },
        }
    }
    Holds::Object { handler, open }
}

/// What is exported under a name.
#[derive(Clone, Debug)]
pub(super) enum Value<'a> {
    /// Something whose parameters are known, or nothing is.
    Takes(Takes),
    /// Whatever has this name.
    Named(&'a str),
}

impl<'a> Value<'a> {
    fn of(value: &Expression<'a>) -> Option<Self> {
        match (function(value), Holds::of(value)) {
            (Some(parameters), _) => Some(Self::Takes(takes(parameters))),
            (None, Holds::Named(name)) => Some(Self::Named(name)),
            (None, Holds::Perhaps) => Some(Self::Takes(Takes::Unknown)),
            _ => None,
        }
    }
}

/// What a script's own statements export.
#[derive(Default)]
pub(super) struct Exports<'a> {
    /// Names, where they are given, and what has them.
    pub(super) names: Vec<(&'a str, usize, Value<'a>)>,
    /// What is exported as a whole, the last time.
    pub(super) whole: Option<Holds<'a>>,
    /// Something is exported that only running the code can tell.
    pub(super) dynamic: bool,
    /// How many uses of `exports` and `module` are accounted for.
    pub(super) plain: usize,
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

impl<'a> Exports<'a> {
    pub(super) fn statements(&mut self, body: &[Statement<'a>]) {
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

    fn expression(&mut self, expression: &Expression<'a>) {
        match expression.without_parentheses() {
            Expression::AssignmentExpression(assignment) => self.assignment(assignment),
            Expression::SequenceExpression(sequence) => {
                sequence.expressions.iter().for_each(|expression| self.expression(expression));
            }
            _ => {}
        }
    }

    fn assignment(&mut self, assignment: &AssignmentExpression<'a>) {
        match place(&assignment.left) {
            Place::Name(name) => {
                self.plain += 1;
                let offset = assignment.span().start as usize;
                match Value::of(&assignment.right) {
                    Some(value) => self.names.push((name, offset, value)),
                    // Whatever it is, it was meant.
                    None if name == "handler" => {
                        self.names.push((name, offset, Value::Takes(Takes::Unknown)));
                    }
                    None => {}
                }
            }
            Place::Whole => {
                self.plain += 1;
                let holds = Holds::of(&assignment.right);
                self.dynamic |=
                    matches!(holds, Holds::Perhaps | Holds::Object { handler: false, open: true });
                if let Expression::ObjectExpression(object) = assignment.right.without_parentheses() {
                    self.properties(object);
                }
                self.whole = Some(holds);
            }
            Place::Other => {}
        }
        // `module.exports = exports = …`
        self.expression(&assignment.right);
    }

    fn properties(&mut self, object: &ObjectExpression<'a>) {
        for property in &object.properties {
            let ObjectPropertyKind::ObjectProperty(property) = property else { continue };
            let Some(name) = name_of(&property.key) else { continue };
            let value = match Value::of(&property.value) {
                Some(value) => value,
                None if name == "handler" => Value::Takes(Takes::Unknown),
                None => continue,
            };
            self.names.push((name, property.span.start as usize, value));
        }
    }
}

/// A property's name, where it is written out.
fn name_of<'a>(key: &PropertyKey<'a>) -> Option<&'a str> {
    match key {
        PropertyKey::StaticIdentifier(name) => Some(name.name.as_str()),
        PropertyKey::StringLiteral(text) => Some(text.value.as_str()),
        _ => None,
    }
}

fn place<'a>(target: &AssignmentTarget<'a>) -> Place<'a> {
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
