//! DynamoDB's limits on an item, kept here too: what works on one machine must work on AWS.

use ports::{Item, TableError};
use serde_json::Value;

/// The most that an item may be, names and values together, in bytes.
const MAX_ITEM: usize = 400 * 1024;
/// How deep lists and maps may nest. DynamoDB's limit; deeper than 127 could not be read back here either.
const MAX_DEPTH: usize = 32;

/// Fails where DynamoDB would not take the item.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html>
pub(super) fn check(item: &Item) -> Result<(), TableError> {
    let places = [Some(&item.key), item.gsi1.as_ref(), item.gsi2.as_ref()];
    let keys: usize = places.into_iter().flatten().map(|key| key.pk.len() + key.sk.len()).sum();
    let mut total = keys;
    for (name, value) in &item.attributes {
        total += name.len()
            + size(value, MAX_DEPTH).ok_or_else(|| {
                TableError::Broken(format!("attribute {name} nests deeper than {MAX_DEPTH}"))
            })?;
    }
    if total > MAX_ITEM {
        return Err(TableError::Broken(format!("an item of {total} bytes; the most is {MAX_ITEM}")));
    }
    Ok(())
}

/// How many bytes the value counts for; `None` where it nests deeper than `depth`.
fn size(value: &Value, depth: usize) -> Option<usize> {
    Some(match value {
        Value::Null | Value::Bool(_) => 1,
        // Two digits to the byte, and one more.
        Value::Number(_) => 11,
        Value::String(text) => text.len(),
        Value::Array(values) => {
            let depth = depth.checked_sub(1)?;
            values.iter().try_fold(3, |sum, value| Some(sum + 1 + size(value, depth)?))?
        }
        Value::Object(map) => {
            let depth = depth.checked_sub(1)?;
            map.iter().try_fold(3, |sum, (name, value)| Some(sum + 1 + name.len() + size(value, depth)?))?
        }
    })
}
