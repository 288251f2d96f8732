//! Every rule that an input can break.

use domain::Rule;
use domain::fault::{Bound, Collection, Content, Scalar, Type};
use domain::function::CodeFault;

/// One of each [`Rule`], with each of its types, for tests of the words that an API has for them.
pub fn rules() -> Vec<Rule> {
    let code = || CodeFault { line: 1, column: 2, message: "expected ':'".to_owned() };
    let mut rules = vec![
        Rule::Required,
        Rule::Uuid { reason: "invalid length: found 3".to_owned() },
        Rule::Whole,
        Rule::IntegerSize,
        Rule::Minimum(Bound::Integer(1)),
        Rule::Minimum(Bound::Number(0.5)),
        Rule::Maximum(Bound::Integer(i64::MAX.into())),
        Rule::Maximum(Bound::Number(1.0)),
        Rule::MinLength(1),
        Rule::MinLength(2),
        Rule::MaxLength(1),
        Rule::MaxLength(5),
        Rule::OneOf(vec!["a".to_owned()]),
        Rule::OneOf(["a", "b", "c"].map(str::to_owned).into()),
        Rule::Pattern("begin with a slash".to_owned()),
        Rule::Json { position: 7 },
        Rule::JsonDepth { position: 7, max: 128 },
        Rule::Utf8,
        Rule::CodeUtf8 { position: 0 },
        Rule::CodeBase64 { reason: "the 1st character is none of it".to_owned() },
        Rule::NameCharacter('\0'),
        Rule::NameCharacter('\u{200b}'),
        Rule::ProseCharacter('\u{1b}'),
        Rule::VisibleName,
        Rule::Email,
        Rule::VariableName,
        Rule::UnreservedName,
        Rule::VariableValue,
        Rule::Code(code()),
        Rule::VersionCode { version: 3, fault: code() },
        Rule::Cursor,
        Rule::Readable,
    ];
    let types = [
        Type::Text,
        Type::Integer,
        Type::Number,
        Type::Boolean,
        Type::Uuid,
        Type::List,
        Type::Map,
        Type::Object,
    ];
    rules.extend(types.map(Rule::Type));
    rules.extend([Scalar::Integer, Scalar::Number, Scalar::Boolean].map(Rule::Parse));
    for of in [Collection::List, Collection::Map] {
        rules.push(Rule::MinItems { of, min: 1, count: 0 });
        rules.push(Rule::MaxItems { of, max: 2, count: 3 });
    }
    for of in [Content::Code, Content::Environment, Content::Password] {
        rules.push(Rule::MaxBytes { of, max: 1024, count: 1025 });
    }
    rules
}
