//! What [`Table`] promises, case by case.

use serde_json::Value;

use super::{Case, cases};
use crate::{Condition, Durability, Item, Key, Table, TableError, Write};

mod items;

pub(super) fn cases<'a>() -> Vec<Case<'a, &'a dyn Table>> {
    cases! {
        items { an_item_comes_back_as_it_was_put }
    }
}

/// An item with these attributes (a JSON object).
fn item(key: &Key, attributes: Value) -> Item {
    let Value::Object(attributes) = attributes else { panic!("attributes are an object: {attributes}") };
    Item { attributes, ..Item::new(key.clone()) }
}

/// Puts the item whatever is there.
async fn put(table: &dyn Table, item: Item) {
    write(table, vec![Write::Put(item, Condition::None)]).await.expect("an unconditional put");
}

async fn write(table: &dyn Table, writes: Vec<Write>) -> Result<(), TableError> {
    table.write(writes, Durability::Crash).await
}

async fn get(table: &dyn Table, key: &Key) -> Option<Item> {
    table.get(key).await.expect("get")
}
