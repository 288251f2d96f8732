//! What a script's own statements export.

use oxc_ast::ast::{
    AssignmentExpression, AssignmentTarget, Expression, MemberExpression, ObjectExpression,
    ObjectPropertyKind, Statement,
};
use oxc_span::GetSpan;

use super::value::{Holds, function, name_of, takes};
use crate::check::choice::Takes;

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
