//! Checking a value by a [`Schema`].

use domain::fault::{Bound, Collection, Scalar, Type};
use domain::{Fault, Field, Part, Rule, Step};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::schema::{self, Schema};

/// Where the values come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// JSON: an integer is a number.
    Json,
    /// A path or a query: everything is text, and an integer is text that reads as one.
    Text,
}

/// A walk through a value: where it is, and what it found.
pub(super) struct Walk {
    mode: Mode,
    part: Part,
    steps: Vec<Step>,
    faults: Vec<Fault>,
}

impl Walk {
    pub(super) fn new(mode: Mode, part: Part) -> Self {
        Self { mode, part, steps: Vec::new(), faults: Vec::new() }
    }

    pub(super) fn faults(self) -> Vec<Fault> {
        self.faults
    }

    /// Notes that the value breaks this rule.
    fn breaks(&mut self, rule: Rule) {
        self.faults.push(Fault::new(Field::Request(self.part, self.steps.clone()), rule));
    }

    fn at(&mut self, step: Step, value: &mut Value, schema: &Schema) {
        self.steps.push(step);
        self.value(value, schema);
        self.steps.pop();
    }

    /// Checks the value, and brings it into the form that its type deserializes from: texts trimmed, optional fields
    /// that are null taken out, numbers in text made numbers.
    pub(super) fn value(&mut self, value: &mut Value, schema: &Schema) {
        match schema {
            Schema::Any => {}
            Schema::Nullable(_) if value.is_null() => {}
            Schema::Nullable(schema) => self.value(value, schema),
            Schema::Text { .. } => self.text(value, schema),
            Schema::Uuid => match value.as_str().map(Uuid::parse_str) {
                Some(Ok(_)) => {}
                Some(Err(error)) => self.breaks(Rule::Uuid { reason: error.to_string() }),
                None => self.breaks(Rule::Type(Type::Uuid)),
            },
            Schema::Integer { min, max } => self.integer(value, *min, *max),
            Schema::Number { min, max } => self.number(value, *min, *max),
            Schema::Bool => self.boolean(value),
            Schema::Enum(names) => {
                if !value.as_str().is_some_and(|text| names.iter().any(|name| name == text)) {
                    self.breaks(Rule::OneOf(names.clone()));
                }
            }
            Schema::List { items, min, max } => match value {
                Value::Array(list) => {
                    self.count(Collection::List, list.len(), *min, *max);
                    for (index, item) in list.iter_mut().enumerate() {
                        self.at(Step::Index(index), item, items);
                    }
                }
                _ => self.breaks(Rule::Type(Type::List)),
            },
            Schema::Map { values, min, max } => match value {
                Value::Object(map) => {
                    self.count(Collection::Map, map.len(), *min, *max);
                    for (name, value) in map.iter_mut() {
                        self.at(Step::Name(name.clone()), value, values);
                    }
                }
                _ => self.breaks(Rule::Type(Type::Map)),
            },
            Schema::Object(fields) => match value {
                Value::Object(map) => self.object(map, fields),
                _ => self.breaks(Rule::Type(Type::Object)),
            },
        }
    }

    fn object(&mut self, map: &mut Map<String, Value>, fields: &[schema::Field]) {
        for schema::Field { name, schema, required } in fields {
            match map.get_mut(name) {
                Some(Value::Null) if !required => {
                    map.remove(name);
                }
                Some(value) => self.at(Step::Name(name.clone()), value, schema),
                None if *required => {
                    self.steps.push(Step::Name(name.clone()));
                    self.breaks(Rule::Required);
                    self.steps.pop();
                }
                None => {}
            }
        }
    }

    fn text(&mut self, value: &mut Value, schema: &Schema) {
        let (Schema::Text { min, max, pattern, form }, Value::String(text)) = (schema, value) else {
            return self.breaks(Rule::Type(Type::Text));
        };
        if let Some(form) = form {
            let kept = form.apply(text);
            if kept != *text {
                *text = kept.into_owned();
            }
        }
        let characters = if min.is_some() || max.is_some() { text.chars().count() } else { 0 };
        if let Some(min) = min.filter(|min| characters < *min) {
            self.breaks(Rule::MinLength(min));
        } else if let Some(max) = max.filter(|max| characters > *max) {
            self.breaks(Rule::MaxLength(max));
        } else if let Some(pattern) = pattern.as_ref().filter(|pattern| !pattern.regex.is_match(text)) {
            self.breaks(Rule::Pattern(pattern.says.clone()));
        } else if let Some(rule) = form.and_then(|form| form.broken(text)) {
            self.breaks(rule);
        }
    }

    fn integer(&mut self, value: &mut Value, min: i128, max: i128) {
        let whole = match value {
            Value::String(text) if self.mode == Mode::Text => match parse_integer(text) {
                Some(Ok(number)) => number,
                Some(Err(())) => return self.breaks(Rule::IntegerSize),
                None => return self.breaks(Rule::Parse(Scalar::Integer)),
            },
            // In JSON a number is no string, whatever stands in it; Pydantic's lax mode would take some.
            Value::String(text) if parse_integer(text).is_none() => {
                return self.breaks(Rule::Parse(Scalar::Integer));
            }
            Value::Number(number) => match (number.as_i128(), number.as_f64()) {
                (Some(number), _) => number,
                (None, Some(float)) if float.fract() != 0.0 => return self.breaks(Rule::Whole),
                // JSON knows no difference between 24 and 24.0. Beyond 2^53 a float no longer says which integer.
                (None, Some(float)) if float.abs() <= 9_007_199_254_740_992.0 => float as i128,
                _ => return self.breaks(Rule::IntegerSize),
            },
            _ => return self.breaks(Rule::Type(Type::Integer)),
        };
        if whole < min {
            self.breaks(Rule::Minimum(Bound::Integer(min)));
        } else if whole > max {
            self.breaks(Rule::Maximum(Bound::Integer(max)));
        } else if let Ok(whole) = i64::try_from(whole) {
            *value = whole.into();
        }
    }

    fn number(&mut self, value: &mut Value, min: Option<f64>, max: Option<f64>) {
        if let (Mode::Text, Value::String(text)) = (self.mode, &*value) {
            match text.parse::<f64>().ok().and_then(serde_json::Number::from_f64) {
                Some(number) => *value = number.into(),
                None => return self.breaks(Rule::Parse(Scalar::Number)),
            }
        }
        let Some(number) = value.as_f64() else { return self.breaks(Rule::Type(Type::Number)) };
        if let Some(min) = min.filter(|min| number < *min) {
            self.breaks(Rule::Minimum(Bound::Number(min)));
        } else if let Some(max) = max.filter(|max| number > *max) {
            self.breaks(Rule::Maximum(Bound::Number(max)));
        }
    }

    fn boolean(&mut self, value: &mut Value) {
        match value {
            Value::Bool(_) => {}
            Value::String(text) if self.mode == Mode::Text => {
                *value = match text.to_ascii_lowercase().as_str() {
                    "true" | "1" | "t" | "yes" | "y" | "on" => true.into(),
                    "false" | "0" | "f" | "no" | "n" | "off" => false.into(),
                    _ => return self.breaks(Rule::Parse(Scalar::Boolean)),
                };
            }
            Value::String(_) | Value::Number(_) => self.breaks(Rule::Parse(Scalar::Boolean)),
            _ => self.breaks(Rule::Type(Type::Boolean)),
        }
    }

    fn count(&mut self, of: Collection, count: usize, min: Option<usize>, max: Option<usize>) {
        if let Some(min) = min.filter(|min| count < *min) {
            self.breaks(Rule::MinItems { of, min, count });
        } else if let Some(max) = max.filter(|max| count > *max) {
            self.breaks(Rule::MaxItems { of, max, count });
        }
    }
}

/// The integer that the text is; `Err` where it is one that doesn't fit; `None` where it is none.
fn parse_integer(text: &str) -> Option<Result<i128, ()>> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let is_integer = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_integer.then(|| text.parse().map_err(|_| ()))
}
