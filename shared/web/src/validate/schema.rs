//! A schema of OpenAPI, compiled so that values can be checked by it.

use std::collections::BTreeMap;

use domain::text::Form;
use regex_lite::Regex;
use serde_json::Value;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::{self, RefOr, Required};
use utoipa::{IntoParams, ToSchema};

/// On a string's schema: the [`Form`] that it is brought into before it is measured, and kept in.
pub const FORM: &str = "x-form";
/// On a string's schema with a pattern: what the pattern asks for, in words that follow "String should ".
pub const SAYS: &str = "x-says";

/// What a value must be.
#[derive(Debug)]
pub(super) enum Schema {
    /// Anything at all.
    Any,
    /// Text, measured in characters.
    Text { min: Option<usize>, max: Option<usize>, pattern: Option<Pattern>, form: Option<Form> },
    /// A UUID in text.
    Uuid,
    /// A whole number.
    Integer { min: i128, max: i128 },
    /// A number.
    Number { min: Option<f64>, max: Option<f64> },
    /// True or false.
    Bool,
    /// One of these texts.
    Enum(Vec<String>),
    /// A list.
    List { items: Box<Schema>, min: Option<usize>, max: Option<usize> },
    /// Values by any name.
    Map { values: Box<Schema>, min: Option<usize>, max: Option<usize> },
    /// Values by these names; others are ignored.
    Object(Vec<Field>),
    /// That, or null.
    Nullable(Box<Schema>),
}

/// A pattern, and what it asks for in words.
#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) regex: Regex,
    pub(super) says: String,
}

/// A field of an object.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) schema: Schema,
    pub(super) required: bool,
}

type Named = BTreeMap<String, Value>;

impl Schema {
    /// Of a type that derives `ToSchema`.
    ///
    /// # Panics
    /// Where the schema uses a form that isn't checked here. The first request to the route shows it, so any test does.
    pub(super) fn of<T: ToSchema>() -> Self {
        let mut schemas = Vec::new();
        T::schemas(&mut schemas);
        let named = schemas.into_iter().map(|(name, schema)| (name, plain(&schema))).collect();
        Self::compile(&plain(&T::schema()), &named)
    }

    /// Of a type that derives `IntoParams`: an object with a field per parameter.
    ///
    /// # Panics
    /// As [`of`](Self::of); and where a parameter's schema is a `$ref` (write `#[param(inline)]`).
    pub(super) fn of_params<T: IntoParams>() -> Self {
        let field = |parameter: Parameter| Field {
            schema: parameter
                .schema
                .map_or(Self::Any, |schema| Self::compile(&plain(&schema), &Named::new())),
            required: parameter.required == Required::True,
            name: parameter.name,
        };
        // Of a path every parameter is required, whatever its type; those are there or the route would not match.
        Self::Object(T::into_params(|| Some(ParameterIn::Query)).into_iter().map(field).collect())
    }

    fn compile(schema: &Value, named: &Named) -> Self {
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            let name = reference.rsplit('/').next().unwrap_or(reference);
            let target = named.get(name).unwrap_or_else(|| panic!("no schema {name}: {reference}"));
            return Self::compile(target, named);
        }
        if let Some(choices) = schema.get("oneOf").or(schema.get("anyOf")).and_then(Value::as_array) {
            let is_null = |choice: &&Value| choice.get("type").is_some_and(|name| name == "null");
            let mut others = choices.iter().filter(|choice| !is_null(choice));
            return match (others.next(), others.next()) {
                (Some(only), None) => Self::Nullable(Box::new(Self::compile(only, named))),
                _ => panic!("a choice of schemas is not checked: {schema}"),
            };
        }
        assert!(schema.get("allOf").is_none(), "allOf is not checked: {schema}");
        let types: Vec<&str> = match schema.get("type") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            _ => return Self::Any,
        };
        let rule = match types.iter().find(|name| **name != "null") {
            Some(&"string") => Self::text(schema),
            Some(&"integer") => Self::integer(schema),
            Some(&"number") => {
                Self::Number { min: number(schema, "minimum"), max: number(schema, "maximum") }
            }
            Some(&"boolean") => Self::Bool,
            Some(&"array") => Self::List {
                items: Box::new(schema.get("items").map_or(Self::Any, |items| Self::compile(items, named))),
                min: size(schema, "minItems"),
                max: size(schema, "maxItems"),
            },
            Some(&"object") => Self::object(schema, named),
            _ => Self::Any,
        };
        if types.contains(&"null") { Self::Nullable(Box::new(rule)) } else { rule }
    }

    fn text(schema: &Value) -> Self {
        if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            return Self::Enum(values.iter().filter_map(Value::as_str).map(str::to_owned).collect());
        }
        if schema.get("format").is_some_and(|format| format == "uuid") {
            return Self::Uuid;
        }
        let word = |name| schema.get(name).and_then(Value::as_str);
        let compiled = |pattern| Pattern {
            regex: Regex::new(pattern).expect("the patterns are ours, and every route is tested"),
            says: word(SAYS).unwrap_or_else(|| panic!("a pattern needs {SAYS}: {schema}")).to_owned(),
        };
        let form =
            |name| Form::named(name).unwrap_or_else(|| panic!("there is no form of that name: {schema}"));
        Self::Text {
            min: size(schema, "minLength"),
            max: size(schema, "maxLength"),
            pattern: word("pattern").map(compiled),
            form: word(FORM).map(form),
        }
    }

    /// Without a bound of its own, an integer must fit the Rust type that it is read into.
    fn integer(schema: &Value) -> Self {
        let (low, high) = match schema.get("format").and_then(Value::as_str) {
            Some("int32") => (i32::MIN.into(), i32::MAX.into()),
            _ => (i64::MIN.into(), i64::MAX.into()),
        };
        let bound = |name| schema.get(name).and_then(Value::as_i64).map(i128::from);
        Self::Integer { min: bound("minimum").unwrap_or(low), max: bound("maximum").unwrap_or(high) }
    }

    fn object(schema: &Value, named: &Named) -> Self {
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
            let values = match schema.get("additionalProperties") {
                Some(values @ Value::Object(_)) => Self::compile(values, named),
                _ => Self::Any,
            };
            let (min, max) = (size(schema, "minProperties"), size(schema, "maxProperties"));
            return Self::Map { values: Box::new(values), min, max };
        };
        let required = schema.get("required").and_then(Value::as_array);
        let field = |(name, property): (&String, &Value)| Field {
            name: name.clone(),
            schema: Self::compile(property, named),
            required: required.is_some_and(|names| names.iter().any(|required| required == name)),
        };
        Self::Object(properties.iter().map(field).collect())
    }
}

fn plain(schema: &RefOr<openapi::Schema>) -> Value {
    serde_json::to_value(schema).expect("a schema is plain JSON")
}

fn size(schema: &Value, name: &str) -> Option<usize> {
    schema.get(name)?.as_u64()?.try_into().ok()
}

fn number(schema: &Value, name: &str) -> Option<f64> {
    schema.get(name)?.as_f64()
}
