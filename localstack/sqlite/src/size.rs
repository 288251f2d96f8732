//! DynamoDB's limits on an item, kept here too: what works on one machine must work on AWS.

use ports::{Item, TableError};
use serde_json::Value;

/// The most that an item may be, names and values together, in bytes.
const MAX_ITEM: usize = 400 * 1024;
/// How deep lists and maps may nest. DynamoDB's limit; deeper than 127 could not be read back here either.
const MAX_DEPTH: usize = 32;

/// What a number counts for: two digits to the byte, and one more.
pub(super) const NUMBER: usize = 11;

/// Fails where DynamoDB would not take the item.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html>
pub(super) fn check(item: &Item) -> Result<(), TableError> {
    let total = total(item)?;
    if total > MAX_ITEM {
        return Err(TableError::Broken(format!("an item of {total} bytes; the most is {MAX_ITEM}")));
    }
    Ok(())
}

/// Whether it would take it with so many bytes more.
pub(super) fn fits(item: &Item, more: usize) -> bool {
    total(item).is_ok_and(|total| total + more <= MAX_ITEM)
}

fn total(item: &Item) -> Result<usize, TableError> {
    let places = [Some(&item.key), item.gsi1.as_ref(), item.gsi2.as_ref()];
    let mut total = places.into_iter().flatten().map(|key| key.pk.len() + key.sk.len()).sum();
    for (name, value) in &item.attributes {
        let size = size(value, MAX_DEPTH)
            .map_err(|reason| TableError::Broken(format!("attribute {name} {reason}")))?;
        total += name.len() + size;
    }
    Ok(total)
}

/// How many bytes the value counts for, where it nests no deeper than `depth`.
fn size(value: &Value, depth: usize) -> Result<usize, &'static str> {
    let deeper = || depth.checked_sub(1).ok_or("nests too deep");
    Ok(match value {
        Value::Null | Value::Bool(_) => 1,
        Value::Number(_) => NUMBER,
        Value::String(text) => text.len(),
        Value::Array(values) => {
            let depth = deeper()?;
            3 + values.len() + values.iter().map(|value| size(value, depth)).sum::<Result<usize, _>>()?
        }
        Value::Object(map) => {
            let depth = deeper()?;
            let entry = |(name, value): (&String, _)| match name.len() {
                0 => Err("has an empty name in a map"),
                name => Ok(1 + name + size(value, depth)?),
            };
            3 + map.iter().map(entry).sum::<Result<usize, _>>()?
        }
    })
}
