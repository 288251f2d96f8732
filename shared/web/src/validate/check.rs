//! Checking a value by a [`Rule`]. The words are Pydantic v2's, so that clients of FastAPI services feel at home.

use domain::{Fault, Loc};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::rule::{Field, Rule};

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
    loc: Vec<Loc>,
    faults: Vec<Fault>,
}

impl Walk {
    pub(super) fn new(mode: Mode, root: &str) -> Self {
        Self { mode, loc: vec![root.into()], faults: Vec::new() }
    }

    pub(super) fn faults(self) -> Vec<Fault> {
        self.faults
    }

    fn fault(&mut self, kind: &'static str, msg: impl Into<String>) {
        self.faults.push(Fault { loc: self.loc.clone(), msg: msg.into(), kind });
    }

    fn at(&mut self, step: Loc, value: &mut Value, rule: &Rule) {
        self.loc.push(step);
        self.value(value, rule);
        self.loc.pop();
    }

    /// Checks the value, and brings it into the form that its type deserializes from: texts trimmed, optional fields
    /// that are null taken out, numbers in text made numbers.
    pub(super) fn value(&mut self, value: &mut Value, rule: &Rule) {
        match rule {
            Rule::Any => {}
            Rule::Nullable(_) if value.is_null() => {}
            Rule::Nullable(rule) => self.value(value, rule),
            Rule::Text { .. } => self.text(value, rule),
            Rule::Uuid => match value.as_str().map(Uuid::parse_str) {
                Some(Ok(_)) => {}
                Some(Err(error)) => {
                    self.fault("uuid_parsing", format!("Input should be a valid UUID, {error}"));
                }
                None => self.fault("uuid_type", "UUID input should be a string, bytes or UUID object"),
            },
            Rule::Integer { min, max } => self.integer(value, *min, *max),
            Rule::Number { min, max } => self.number(value, *min, *max),
            Rule::Bool => self.boolean(value),
            Rule::Enum(names) => {
                if !value.as_str().is_some_and(|text| names.iter().any(|name| name == text)) {
                    self.fault("enum", format!("Input should be {}", either(names)));
                }
            }
            Rule::List { items, min, max } => match value {
                Value::Array(list) => {
                    self.count("List", list.len(), *min, *max);
                    for (index, item) in list.iter_mut().enumerate() {
                        self.at(Loc::Index(index), item, items);
                    }
                }
                _ => self.fault("list_type", "Input should be a valid list"),
            },
            Rule::Map { values, min, max } => match value {
                Value::Object(map) => {
                    self.count("Dictionary", map.len(), *min, *max);
                    for (name, value) in map.iter_mut() {
                        self.at(Loc::Field(name.clone()), value, values);
                    }
                }
                _ => self.fault("dict_type", "Input should be a valid dictionary"),
            },
            Rule::Object(fields) => match value {
                Value::Object(map) => self.object(map, fields),
                _ => self.fault(
                    "model_attributes_type",
                    "Input should be a valid dictionary or object to extract fields from",
                ),
            },
        }
    }

    fn object(&mut self, map: &mut Map<String, Value>, fields: &[Field]) {
        for Field { name, rule, required } in fields {
            match map.get_mut(name) {
                Some(Value::Null) if !required => {
                    map.remove(name);
                }
                Some(value) => self.at(Loc::Field(name.clone()), value, rule),
                None if *required => {
                    self.loc.push(Loc::Field(name.clone()));
                    self.fault("missing", "Field required");
                    self.loc.pop();
                }
                None => {}
            }
        }
    }

    fn text(&mut self, value: &mut Value, rule: &Rule) {
        let (Rule::Text { min, max, pattern, form }, Value::String(text)) = (rule, value) else {
            return self.fault("string_type", "Input should be a valid string");
        };
        if let Some(form) = form {
            let kept = form.apply(text);
            if kept != *text {
                *text = kept.into_owned();
            }
        }
        let characters = if min.is_some() || max.is_some() { text.chars().count() } else { 0 };
        if let Some(min) = min.filter(|min| characters < *min) {
            let unit = plural(min, "character");
            self.fault("string_too_short", format!("String should have at least {min} {unit}"));
        } else if let Some(max) = max.filter(|max| characters > *max) {
            let unit = plural(max, "character");
            self.fault("string_too_long", format!("String should have at most {max} {unit}"));
        } else if let Some(pattern) = pattern.as_ref().filter(|pattern| !pattern.regex.is_match(text)) {
            self.fault("string_pattern_mismatch", format!("String should {}", pattern.says));
        } else if let Some(fault) = form.and_then(|form| form.fault(text)) {
            self.fault("value_error", fault);
        }
    }

    fn integer(&mut self, value: &mut Value, min: i128, max: i128) {
        let whole = match value {
            Value::String(text) if self.mode == Mode::Text => match parse_integer(text) {
                Some(Ok(number)) => number,
                Some(Err(())) => return self.integer_size(),
                None => return self.integer_parsing(),
            },
            // In JSON a number is no string, whatever stands in it; Pydantic's lax mode would take some.
            Value::String(text) if parse_integer(text).is_none() => return self.integer_parsing(),
            Value::Number(number) => match (number.as_i128(), number.as_f64()) {
                (Some(number), _) => number,
                (None, Some(float)) if float.fract() != 0.0 => {
                    return self.fault(
                        "int_from_float",
                        "Input should be a valid integer, got a number with a fractional part",
                    );
                }
                // JSON knows no difference between 24 and 24.0. Beyond 2^53 a float no longer says which integer.
                (None, Some(float)) if float.abs() <= 9_007_199_254_740_992.0 => float as i128,
                _ => return self.integer_size(),
            },
            _ => return self.fault("int_type", "Input should be a valid integer"),
        };
        if whole < min {
            self.fault("greater_than_equal", format!("Input should be greater than or equal to {min}"));
        } else if whole > max {
            self.fault("less_than_equal", format!("Input should be less than or equal to {max}"));
        } else if let Ok(whole) = i64::try_from(whole) {
            *value = whole.into();
        }
    }

    fn integer_parsing(&mut self) {
        self.fault("int_parsing", "Input should be a valid integer, unable to parse string as an integer");
    }

    fn integer_size(&mut self) {
        self.fault("int_parsing_size", "Unable to parse input string as an integer, exceeded maximum size");
    }

    fn number(&mut self, value: &mut Value, min: Option<f64>, max: Option<f64>) {
        if let (Mode::Text, Value::String(text)) = (self.mode, &*value) {
            let parsed = text.parse::<f64>().ok().and_then(serde_json::Number::from_f64);
            match parsed {
                Some(number) => *value = number.into(),
                None => {
                    return self.fault(
                        "float_parsing",
                        "Input should be a valid number, unable to parse string as a number",
                    );
                }
            }
        }
        match value.as_f64() {
            None => self.fault("float_type", "Input should be a valid number"),
            Some(number) => {
                if let Some(min) = min.filter(|min| number < *min) {
                    self.fault(
                        "greater_than_equal",
                        format!("Input should be greater than or equal to {min}"),
                    );
                } else if let Some(max) = max.filter(|max| number > *max) {
                    self.fault("less_than_equal", format!("Input should be less than or equal to {max}"));
                }
            }
        }
    }

    fn boolean(&mut self, value: &mut Value) {
        match value {
            Value::Bool(_) => {}
            Value::String(text) if self.mode == Mode::Text => {
                *value = match text.to_ascii_lowercase().as_str() {
                    "true" | "1" | "t" | "yes" | "y" | "on" => true.into(),
                    "false" | "0" | "f" | "no" | "n" | "off" => false.into(),
                    _ => return self.boolean_parsing(),
                };
            }
            Value::String(_) | Value::Number(_) => self.boolean_parsing(),
            _ => self.fault("bool_type", "Input should be a valid boolean"),
        }
    }

    fn boolean_parsing(&mut self) {
        self.fault("bool_parsing", "Input should be a valid boolean, unable to interpret input");
    }

    fn count(&mut self, what: &str, count: usize, min: Option<usize>, max: Option<usize>) {
        if let Some(min) = min.filter(|min| count < *min) {
            let unit = plural(min, "item");
            let msg = format!("{what} should have at least {min} {unit} after validation, not {count}");
            self.fault("too_short", msg);
        } else if let Some(max) = max.filter(|max| count > *max) {
            let unit = plural(max, "item");
            let msg = format!("{what} should have at most {max} {unit} after validation, not {count}");
            self.fault("too_long", msg);
        }
    }
}

/// The integer that the text is; `Err` where it is one that doesn't fit; `None` where it is none.
fn parse_integer(text: &str) -> Option<Result<i128, ()>> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let is_integer = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_integer.then(|| text.parse().map_err(|_| ()))
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
