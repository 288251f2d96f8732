//! The words of Pydantic v2 for what is wrong with an input, as services made with FastAPI answer them: those API
//! documents whose origin is such a service use them, and their clients know them.

use domain::Rule;
use domain::fault::{Collection, Content, Scalar, Type};

/// What a fault that breaks this rule is called: Pydantic's `type` for programs, and its `msg` for people.
pub fn words(rule: &Rule) -> (&'static str, String) {
    let (kind, message) = match rule {
        Rule::Required => ("missing", "Field required"),
        Rule::Type(of) => match of {
            Type::Text => ("string_type", "Input should be a valid string"),
            Type::Integer => ("int_type", "Input should be a valid integer"),
            Type::Number => ("float_type", "Input should be a valid number"),
            Type::Boolean => ("bool_type", "Input should be a valid boolean"),
            Type::Uuid => ("uuid_type", "UUID input should be a string, bytes or UUID object"),
            Type::List => ("list_type", "Input should be a valid list"),
            Type::Map => ("dict_type", "Input should be a valid dictionary"),
            Type::Object => (
                "model_attributes_type",
                "Input should be a valid dictionary or object to extract fields from",
            ),
        },
        Rule::Parse(of) => match of {
            Scalar::Integer => {
                ("int_parsing", "Input should be a valid integer, unable to parse string as an integer")
            }
            Scalar::Number => {
                ("float_parsing", "Input should be a valid number, unable to parse string as a number")
            }
            Scalar::Boolean => ("bool_parsing", "Input should be a valid boolean, unable to interpret input"),
        },
        Rule::Uuid { reason } => return ("uuid_parsing", format!("Input should be a valid UUID, {reason}")),
        Rule::Whole => {
            ("int_from_float", "Input should be a valid integer, got a number with a fractional part")
        }
        Rule::IntegerSize => {
            ("int_parsing_size", "Unable to parse input string as an integer, exceeded maximum size")
        }
        Rule::Minimum(min) => {
            return ("greater_than_equal", format!("Input should be greater than or equal to {min}"));
        }
        Rule::Maximum(max) => {
            return ("less_than_equal", format!("Input should be less than or equal to {max}"));
        }
        Rule::MinLength(min) => {
            return (
                "string_too_short",
                format!("String should have at least {min} {}", plural(*min, "character")),
            );
        }
        Rule::MaxLength(max) => {
            return (
                "string_too_long",
                format!("String should have at most {max} {}", plural(*max, "character")),
            );
        }
        Rule::MinItems { of, min, count } => {
            let (of, unit) = (named(*of), plural(*min, "item"));
            return (
                "too_short",
                format!("{of} should have at least {min} {unit} after validation, not {count}"),
            );
        }
        Rule::MaxItems { of, max, count } => {
            let (of, unit) = (named(*of), plural(*max, "item"));
            return (
                "too_long",
                format!("{of} should have at most {max} {unit} after validation, not {count}"),
            );
        }
        Rule::MaxBytes { of, max, count } => {
            return match of {
                Content::Code => {
                    ("string_too_long", format!("Code should have at most {max} bytes, and has {count}"))
                }
                Content::Password => ("string_too_long", format!("A password may have at most {max} bytes")),
                Content::Environment => {
                    (VALUE, format!("The variables have {count} bytes together; at most {max} are allowed"))
                }
            };
        }
        Rule::OneOf(names) => return ("enum", format!("Input should be {}", either(names))),
        Rule::Pattern(says) => return ("string_pattern_mismatch", format!("String should {says}")),
        Rule::Json { .. } => ("json_invalid", "JSON decode error"),
        Rule::JsonDepth { max, .. } => {
            return ("json_invalid", format!("JSON decode error: nested more than {max} levels deep"));
        }
        Rule::Utf8 => ("string_unicode", "Input should be valid UTF-8 text"),
        Rule::CodeUtf8 { position } => {
            return ("string_unicode", format!("Code should be UTF-8; byte {position} of it is not"));
        }
        Rule::CodeBase64 { reason } => {
            return ("base64", format!("Code should be Base64 of the source: {reason}"));
        }
        Rule::NameCharacter(c) => return (VALUE, format!("{} is not allowed in a name", described(*c))),
        Rule::ProseCharacter(c) => return (VALUE, format!("{} is not allowed here", described(*c))),
        Rule::VisibleName => (VALUE, "A name needs at least one visible character"),
        Rule::Email => (VALUE, "An email address has one `@`, and a domain with a dot after it"),
        Rule::VariableName => (
            VALUE,
            "The name of a variable may have only letters, digits and `_`, and must not begin with a digit",
        ),
        Rule::UnreservedName => (VALUE, "This name is reserved by AWS Lambda; choose another"),
        Rule::VariableValue => (VALUE, "The value of a variable can't have a NUL character"),
        Rule::Code(fault) => return (VALUE, fault.to_string()),
        Rule::VersionCode { version, fault } => {
            return (VALUE, format!("Version {version} can't run: {fault}"));
        }
        Rule::Cursor => (VALUE, "Input should be a cursor that this list gave"),
        Rule::Readable => (VALUE, "Value error, the input can't be read"),
    };
    (kind, message.to_owned())
}

/// Pydantic's `type` of what a validator of one's own refuses.
const VALUE: &str = "value_error";

fn named(of: Collection) -> &'static str {
    match of {
        Collection::List => "List",
        Collection::Map => "Dictionary",
    }
}

fn plural(count: usize, unit: &str) -> String {
    if count == 1 { unit.to_owned() } else { format!("{unit}s") }
}

/// `'a'`, `'a' or 'b'`, `'a', 'b' or 'c'`.
fn either(names: &[String]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("'{name}'")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

fn described(c: char) -> String {
    let kind = if c.is_control() { "A control character" } else { "An invisible or unassigned character" };
    format!("{kind} (U+{:04X})", u32::from(c))
}

#[cfg(test)]
mod tests {
    use domain::fault::Bound;

    use super::*;

    /// What clients of these documents have been answered since their first day. Matched without a wildcard, so that a new
    /// rule needs words here, too.
    fn expected(rule: &Rule) -> (&'static str, &'static str) {
        match rule {
            Rule::Required => ("missing", "Field required"),
            Rule::Type(Type::Text) => ("string_type", "Input should be a valid string"),
            Rule::Type(Type::Integer) => ("int_type", "Input should be a valid integer"),
            Rule::Type(Type::Number) => ("float_type", "Input should be a valid number"),
            Rule::Type(Type::Boolean) => ("bool_type", "Input should be a valid boolean"),
            Rule::Type(Type::Uuid) => ("uuid_type", "UUID input should be a string, bytes or UUID object"),
            Rule::Type(Type::List) => ("list_type", "Input should be a valid list"),
            Rule::Type(Type::Map) => ("dict_type", "Input should be a valid dictionary"),
            Rule::Type(Type::Object) => (
                "model_attributes_type",
                "Input should be a valid dictionary or object to extract fields from",
            ),
            Rule::Parse(Scalar::Integer) => {
                ("int_parsing", "Input should be a valid integer, unable to parse string as an integer")
            }
            Rule::Parse(Scalar::Number) => {
                ("float_parsing", "Input should be a valid number, unable to parse string as a number")
            }
            Rule::Parse(Scalar::Boolean) => {
                ("bool_parsing", "Input should be a valid boolean, unable to interpret input")
            }
            Rule::Uuid { .. } => ("uuid_parsing", "Input should be a valid UUID, invalid length: found 3"),
            Rule::Whole => {
                ("int_from_float", "Input should be a valid integer, got a number with a fractional part")
            }
            Rule::IntegerSize => {
                ("int_parsing_size", "Unable to parse input string as an integer, exceeded maximum size")
            }
            Rule::Minimum(Bound::Integer(_)) => {
                ("greater_than_equal", "Input should be greater than or equal to 1")
            }
            Rule::Minimum(Bound::Number(_)) => {
                ("greater_than_equal", "Input should be greater than or equal to 0.5")
            }
            Rule::Maximum(Bound::Integer(_)) => {
                ("less_than_equal", "Input should be less than or equal to 9223372036854775807")
            }
            Rule::Maximum(Bound::Number(_)) => ("less_than_equal", "Input should be less than or equal to 1"),
            Rule::MinLength(1) => ("string_too_short", "String should have at least 1 character"),
            Rule::MinLength(_) => ("string_too_short", "String should have at least 2 characters"),
            Rule::MaxLength(1) => ("string_too_long", "String should have at most 1 character"),
            Rule::MaxLength(_) => ("string_too_long", "String should have at most 5 characters"),
            Rule::MinItems { of: Collection::List, .. } => {
                ("too_short", "List should have at least 1 item after validation, not 0")
            }
            Rule::MinItems { of: Collection::Map, .. } => {
                ("too_short", "Dictionary should have at least 1 item after validation, not 0")
            }
            Rule::MaxItems { of: Collection::List, .. } => {
                ("too_long", "List should have at most 2 items after validation, not 3")
            }
            Rule::MaxItems { of: Collection::Map, .. } => {
                ("too_long", "Dictionary should have at most 2 items after validation, not 3")
            }
            Rule::MaxBytes { of: Content::Code, .. } => {
                ("string_too_long", "Code should have at most 1024 bytes, and has 1025")
            }
            Rule::MaxBytes { of: Content::Environment, .. } => {
                ("value_error", "The variables have 1025 bytes together; at most 1024 are allowed")
            }
            Rule::MaxBytes { of: Content::Password, .. } => {
                ("string_too_long", "A password may have at most 1024 bytes")
            }
            Rule::OneOf(names) if names.len() == 1 => ("enum", "Input should be 'a'"),
            Rule::OneOf(_) => ("enum", "Input should be 'a', 'b' or 'c'"),
            Rule::Pattern(_) => ("string_pattern_mismatch", "String should begin with a slash"),
            Rule::Json { .. } => ("json_invalid", "JSON decode error"),
            Rule::JsonDepth { .. } => ("json_invalid", "JSON decode error: nested more than 128 levels deep"),
            Rule::Utf8 => ("string_unicode", "Input should be valid UTF-8 text"),
            Rule::CodeUtf8 { .. } => ("string_unicode", "Code should be UTF-8; byte 0 of it is not"),
            Rule::CodeBase64 { .. } => {
                ("base64", "Code should be Base64 of the source: the 1st character is none of it")
            }
            Rule::NameCharacter('\0') => {
                ("value_error", "A control character (U+0000) is not allowed in a name")
            }
            Rule::NameCharacter(_) => {
                ("value_error", "An invisible or unassigned character (U+200B) is not allowed in a name")
            }
            Rule::ProseCharacter(_) => ("value_error", "A control character (U+001B) is not allowed here"),
            Rule::VisibleName => ("value_error", "A name needs at least one visible character"),
            Rule::Email => ("value_error", "An email address has one `@`, and a domain with a dot after it"),
            Rule::VariableName => (
                "value_error",
                "The name of a variable may have only letters, digits and `_`, and must not begin with a digit",
            ),
            Rule::UnreservedName => ("value_error", "This name is reserved by AWS Lambda; choose another"),
            Rule::VariableValue => ("value_error", "The value of a variable can't have a NUL character"),
            Rule::Code(_) => ("value_error", "line 1, column 2: expected ':'"),
            Rule::VersionCode { .. } => {
                ("value_error", "Version 3 can't run: line 1, column 2: expected ':'")
            }
            Rule::Cursor => ("value_error", "Input should be a cursor that this list gave"),
            Rule::Readable => ("value_error", "Value error, the input can't be read"),
        }
    }

    #[test]
    fn every_rule_has_pydantics_words() {
        for rule in testkit::rules() {
            let (kind, message) = words(&rule);
            assert_eq!((kind, message.as_str()), expected(&rule), "{rule:?}");
        }
    }
}
