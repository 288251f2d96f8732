//! What JSON Schema says, as far as the documents use it.

use serde_json::{Map, Value, json};
use testkit::unique;

use crate::ids::Ids;

/// Where a schema refers to another one of the document, that one.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(place) => {
            document.pointer(place.trim_start_matches('#')).expect("what a document refers to is in it")
        }
        None => schema,
    }
}

/// The schemas of which a value has to fit one, `null` left out.
fn choices(schema: &Value) -> Option<Vec<&Value>> {
    let all = schema.get("oneOf").or(schema.get("anyOf"))?.as_array()?;
    Some(all.iter().filter(|choice| choice["type"] != "null").collect())
}

/// A value that the schema takes: its example, or the least that it requires. A `name` is given too, so that an update
/// changes something.
///
/// Where that is no good body for a route, its file says a better value: `#[schema(examples(…))]` at the field.
pub(crate) fn sample(document: &Value, schema: &Value, ids: &Ids) -> Value {
    let schema = resolved(document, schema);
    if let Some(choices) = choices(schema) {
        return sample(document, choices[0], ids);
    }
    if let Some(value) = schema["examples"].get(0).or(schema["enum"].get(0)) {
        return value.clone();
    }
    let kind = schema["type"].as_str().or_else(|| schema["type"].get(0)?.as_str());
    match kind {
        Some("object") => object(document, schema, ids),
        Some("array") => json!([sample(document, &schema["items"], ids)]),
        Some("string") => unique("every-").into(),
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or(1.into()),
        Some("boolean") => true.into(),
        // Any JSON.
        _ => json!({"a": 1}),
    }
}

fn object(document: &Value, schema: &Value, ids: &Ids) -> Value {
    let mut object = Map::new();
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        if name == "name" || required.contains(&Value::from(name.as_str())) {
            let id = ids.of_field(name).map(Value::from);
            object.insert(name.clone(), id.unwrap_or_else(|| sample(document, field, ids)));
        }
    }
    object.into()
}

/// Whether a value has every field that the schema requires.
pub(crate) fn has_what_it_requires(document: &Value, schema: &Value, value: &Value) -> bool {
    let schema = resolved(document, schema);
    if let Some(choices) = choices(schema) {
        return value.is_null() || choices.iter().any(|choice| has_what_it_requires(document, choice, value));
    }
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    required.into_iter().all(|name| {
        let field = value.get(name);
        field.is_some_and(|field| has_what_it_requires(document, &schema["properties"][name], field))
    })
}
