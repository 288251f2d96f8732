//! What an expression holds, as far as it can be read without running it.

use oxc_ast::ast::{Expression, FormalParameters, ObjectExpression, ObjectPropertyKind, PropertyKey};

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

/// A property's name, where it is written out.
pub(super) fn name_of<'a>(key: &PropertyKey<'a>) -> Option<&'a str> {
    match key {
        PropertyKey::StaticIdentifier(name) => Some(name.name.as_str()),
        PropertyKey::StringLiteral(text) => Some(text.value.as_str()),
        _ => None,
    }
}

/// The parameters of a value that is a function.
pub(super) fn function<'e, 'a>(value: &'e Expression<'a>) -> Option<&'e FormalParameters<'a>> {
    match value.without_parentheses() {
        Expression::FunctionExpression(function) => Some(&function.params),
        Expression::ArrowFunctionExpression(arrow) => Some(&arrow.params),
        _ => None,
    }
}

/// How a function of these parameters is called. Any of JavaScript's can be called with anything.
pub(super) fn takes(parameters: &FormalParameters<'_>) -> Takes {
    let names: Vec<_> = parameters.items.iter().map(|item| item.pattern.get_identifier_name()).collect();
    let names: Vec<_> = names.iter().map(|name| name.as_deref()).collect();
    match names.as_slice() {
        [Some("event")] | [Some("event"), Some("context"), ..] if names.len() <= 3 => Takes::Event,
        [_] | [_, _] => Takes::AsMany,
        _ => Takes::Others,
    }
}
