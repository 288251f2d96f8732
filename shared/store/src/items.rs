//! Entities to items and back.

use domain::{Error, Result};
use ports::{Attributes, Item, Key};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// An entity's attributes.
pub(crate) fn attributes<T: Serialize>(entity: &T) -> Result<Attributes> {
    match serde_json::to_value(entity).map_err(Error::internal)? {
        Value::Object(attributes) => Ok(attributes),
        other => Err(Error::internal(format!("an entity that is no object: {other}"))),
    }
}

/// An entity at a key, in no index.
pub(crate) fn item<T: Serialize>(key: Key, entity: &T) -> Result<Item> {
    Ok(Item { attributes: attributes(entity)?, ..Item::new(key) })
}

/// The entity of an item.
pub(crate) fn read<T: DeserializeOwned>(item: Item) -> Result<T> {
    let Key { pk, sk } = &item.key;
    let place = format!("{pk} {sk}");
    serde_json::from_value(Value::Object(item.attributes))
        .map_err(|error| Error::internal(format!("the record at {place} can't be read: {error}")))
}

/// A string attribute.
pub(crate) fn text(item: &Item, name: &str) -> Result<String> {
    let value = item.attributes.get(name).and_then(Value::as_str);
    value.map(str::to_owned).ok_or_else(|| Error::internal(format!("{:?} has no {name}", item.key)))
}
