//! Items as DynamoDB holds them: keys, index places and expiry under fixed names, attributes beside them.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use ports::{Attributes, Item, Key, TableError};
use serde_json::Value;

/// Attribute by attribute, as the SDK has it.
pub(super) type Wire = HashMap<String, AttributeValue>;

/// The attributes that hold a key: of the table, of the first and of the second index.
pub(super) const PRIMARY: (&str, &str) = ("PK", "SK");
pub(super) const GSI1: (&str, &str) = ("GSI1PK", "GSI1SK");
pub(super) const GSI2: (&str, &str) = ("GSI2PK", "GSI2SK");
/// The attribute that holds the expiry, as the table's TTL setting names it.
pub(super) const TTL: &str = "ttl";

/// A key under its names.
pub(super) fn key_to_wire(key: &Key, (pk, sk): (&str, &str)) -> Result<Wire, TableError> {
    if key.pk.is_empty() || key.sk.is_empty() {
        return Err(TableError::Broken(format!("a key has an empty part: {key:?}")));
    }
    Ok([
        (pk.to_owned(), AttributeValue::S(key.pk.clone())),
        (sk.to_owned(), AttributeValue::S(key.sk.clone())),
    ]
    .into())
}

/// Takes a key out from under its names.
pub(super) fn key_from_wire(wire: &mut Wire, (pk, sk): (&str, &str)) -> Result<Option<Key>, TableError> {
    match (wire.remove(pk), wire.remove(sk)) {
        (None, None) => Ok(None),
        (Some(AttributeValue::S(pk)), Some(AttributeValue::S(sk))) => Ok(Some(Key { pk, sk })),
        _ => Err(TableError::Broken(format!("half of {pk} and {sk}, or not as strings"))),
    }
}

/// An item, whole.
pub(super) fn to_wire(item: Item) -> Result<Wire, TableError> {
    let mut wire = key_to_wire(&item.key, PRIMARY)?;
    if let Some(place) = &item.gsi1 {
        wire.extend(key_to_wire(place, GSI1)?);
    }
    if let Some(place) = &item.gsi2 {
        wire.extend(key_to_wire(place, GSI2)?);
    }
    if let Some(ttl) = item.ttl {
        wire.insert(TTL.to_owned(), AttributeValue::N(ttl.to_string()));
    }
    for (name, value) in item.attributes {
        check_name(&name)?;
        wire.insert(name, value_to_wire(value)?);
    }
    Ok(wire)
}

/// An item, whole.
pub(super) fn from_wire(mut wire: Wire) -> Result<Item, TableError> {
    let key = key_from_wire(&mut wire, PRIMARY)?
        .ok_or_else(|| TableError::Broken("an item without its key".into()))?;
    let broken =
        |what: &dyn std::fmt::Display| TableError::Broken(format!("item {}/{}: {what}", key.pk, key.sk));
    let gsi1 = key_from_wire(&mut wire, GSI1)?;
    let gsi2 = key_from_wire(&mut wire, GSI2)?;
    let ttl = match wire.remove(TTL) {
        None => None,
        Some(AttributeValue::N(text)) => Some(text.parse().map_err(|error| broken(&error))?),
        Some(_) => return Err(broken(&"its ttl is no number")),
    };
    let mut attributes = Attributes::new();
    for (name, value) in wire {
        let value =
            serde_dynamo::aws_sdk_dynamodb_1::from_attribute_value(value).map_err(|error| broken(&error))?;
        attributes.insert(name, value);
    }
    Ok(Item { key, gsi1, gsi2, ttl, attributes })
}

/// A value. Numbers must be integers: DynamoDB would give 1.0 back as 1, and refuse 1e200.
pub(super) fn value_to_wire(value: Value) -> Result<AttributeValue, TableError> {
    if !numbers_are_integers(&value) {
        return Err(TableError::Broken(format!("a number that is no integer, in {value}")));
    }
    serde_dynamo::aws_sdk_dynamodb_1::to_attribute_value(value)
        .map_err(|error| TableError::Broken(error.to_string()))
}

fn numbers_are_integers(value: &Value) -> bool {
    match value {
        Value::Number(number) => !number.is_f64(),
        Value::Array(values) => values.iter().all(numbers_are_integers),
        Value::Object(map) => map.values().all(numbers_are_integers),
        _ => true,
    }
}

/// Refuses what could be taken for a key or the expiry.
pub(super) fn check_name(name: &str) -> Result<(), TableError> {
    let mut bytes = name.bytes();
    let fits = bytes.next().is_some_and(|b| b.is_ascii_lowercase())
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'.'))
        && name != TTL;
    if fits { Ok(()) } else { Err(TableError::Broken(format!("no name for an attribute: {name:?}"))) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn item(attributes: Value) -> Item {
        let Value::Object(attributes) = attributes else { panic!("an object") };
        Item {
            gsi1: Some(Key::new("a", "b")),
            gsi2: Some(Key::new("c", "d")),
            ttl: Some(1_700_000_000),
            attributes,
            ..Item::new(Key::new("P", "S"))
        }
    }

    #[test]
    fn items_come_back_as_they_were() {
        let item = item(json!({
            "empty": "", "none": null, "yes": true, "list": [], "map": {}, "nested": {" ": [{"PK": [null, ""]}]},
            "least": i64::MIN, "most": i64::MAX, "unsigned": u64::MAX, "h.3": 1, "text": "\u{0}é\u{1f600}",
        }));
        assert_eq!(from_wire(to_wire(item.clone()).unwrap()).unwrap(), item);
        let bare = Item::new(Key::new("P", "S"));
        assert_eq!(from_wire(to_wire(bare.clone()).unwrap()).unwrap(), bare);
    }

    #[test]
    fn attributes_can_not_pass_for_keys() {
        for name in ["PK", "SK", "GSI1PK", "GSI2SK", "ttl", "", "Upper", "1st", "_a", "a-b", "a b"] {
            assert!(to_wire(item(json!({ name: "x" }))).is_err(), "{name:?} was taken");
        }
        assert!(to_wire(item(json!({"ttl2": 1, "a_b.c9": 1}))).is_ok());
    }

    #[test]
    fn fractions_and_empty_keys_are_refused() {
        assert!(to_wire(item(json!({"a": [{"b": 0.5}]}))).is_err());
        assert!(to_wire(Item::new(Key::new("", "S"))).is_err());
        assert!(to_wire(Item { gsi1: Some(Key::new("a", "")), ..Item::new(Key::new("P", "S")) }).is_err());
    }
}
