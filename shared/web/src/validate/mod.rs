//! Validation by the same schema that OpenAPI shows: a body type derives `ToSchema`, parameters derive `IntoParams`, and
//! what they say (required, length, pattern, range, enum, format) is checked here, all of it at once, before serde reads
//! the value into the type.

mod check;
mod schema;
#[cfg(test)]
mod tests;

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use domain::{Fault, Language, Part, Rule};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

pub use schema::{FORM, SAYS};

use check::{Mode, Walk};
use schema::Schema;

/// A request body: what derives `Deserialize` and `ToSchema`, and says which rules no schema can.
///
/// ```
/// #[derive(serde::Deserialize, utoipa::ToSchema)]
/// struct Rename {
///     #[schema(min_length = 1, max_length = 100, extensions(("x-form" = json!("name"))))]
///     name: String,
/// }
///
/// impl web::Input for Rename {}
/// ```
pub trait Input: DeserializeOwned + ToSchema + 'static {
    /// Faults that no schema can tell of. Runs even where other fields are at fault, so that all faults are found at once.
    fn extra(fields: &Fields<'_>) -> Vec<Fault> {
        let _ = fields;
        Vec::new()
    }

    /// A function's code in it, which is then checked beside the other faults, where there are any. Where there are none,
    /// whoever saves it checks it.
    fn code(fields: &Fields<'_>) -> Option<(Language, String)> {
        let _ = fields;
        None
    }
}

/// The fields of a body that no fault was found in.
pub struct Fields<'a> {
    map: &'a Map<String, Value>,
    faults: &'a [Fault],
}

impl<'a> Fields<'a> {
    /// Whether the schema found nothing wrong.
    pub fn are_good(&self) -> bool {
        self.faults.is_empty()
    }

    /// A field, if it is there, not null, and no fault was found in it.
    pub fn get(&self, name: &str) -> Option<&'a Value> {
        let is_at_fault = |fault: &Fault| fault.field.name_in_body() == Some(name);
        self.map.get(name).filter(|value| !value.is_null() && !self.faults.iter().any(is_at_fault))
    }

    /// Whether a field is not there, or null.
    pub fn is_absent(&self, name: &str) -> bool {
        self.map.get(name).is_none_or(Value::is_null)
    }

    /// A field of text, under the same conditions.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.get(name)?.as_str()
    }
}

/// Checks a body and reads it into its type.
pub fn body<T: Input>(mut value: Value) -> Result<T, Vec<Fault>> {
    // FastAPI takes a body of `null` for no body.
    if value.is_null() {
        return Err(vec![missing_body()]);
    }
    let mut walk = Walk::new(Mode::Json, Part::Body);
    walk.value(&mut value, &schema_of::<T>(Schema::of::<T>));
    let mut faults = walk.faults();
    if let Value::Object(map) = &value {
        let extra = T::extra(&Fields { map, faults: &faults });
        faults.extend(extra);
    }
    read(Part::Body, value, faults)
}

/// The [code](Input::code) in a body that these faults were found in.
pub(crate) fn code_in<T: Input>(value: &Value, faults: &[Fault]) -> Option<(Language, String)> {
    value.as_object().and_then(|map| T::code(&Fields { map, faults }))
}

/// A required body that isn't there.
pub(crate) fn missing_body() -> Fault {
    Fault::new(Part::Body, Rule::Required)
}

/// Checks the parameters of a path or a query (`part`) and reads them into their type. Of a name given twice, the last
/// counts; names that the type doesn't know are ignored.
pub fn params<T>(part: Part, pairs: impl IntoIterator<Item = (String, String)>) -> Result<T, Vec<Fault>>
where
    T: DeserializeOwned + IntoParams + 'static,
{
    let mut value = pairs.into_iter().map(|(name, text)| (name, Value::String(text))).collect();
    let mut walk = Walk::new(Mode::Text, part);
    walk.value(&mut value, &schema_of::<T>(Schema::of_params::<T>));
    read(part, value, walk.faults())
}

fn read<T: DeserializeOwned>(part: Part, value: Value, faults: Vec<Fault>) -> Result<T, Vec<Fault>> {
    if !faults.is_empty() {
        return Err(faults);
    }
    serde_json::from_value(value).map_err(|error| {
        // A schema that promises more than its type reads is a defect of ours; the caller's value is still what can't
        // be taken. The text of the error may hold the value, so it goes to the log only.
        tracing::error!(target: "web::validate", r#type = std::any::type_name::<T>(), %error, "schema and type differ");
        vec![Fault::new(part, Rule::Readable)]
    })
}

/// The schema of a type, compiled when it is first asked for.
fn schema_of<T: 'static>(compile: fn() -> Schema) -> Arc<Schema> {
    static SCHEMAS: RwLock<Option<HashMap<TypeId, Arc<Schema>>>> = RwLock::new(None);
    let id = TypeId::of::<T>();
    let known =
        SCHEMAS.read().unwrap_or_else(PoisonError::into_inner).as_ref().and_then(|all| all.get(&id).cloned());
    known.unwrap_or_else(|| {
        let schema = Arc::new(compile());
        SCHEMAS
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert_default()
            .insert(id, schema.clone());
        schema
    })
}
