use serde_json::json;

use super::{get, item, put};
use crate::conformance::fresh;
use crate::{Key, Table};

pub(super) async fn an_item_comes_back_as_it_was_put(table: &dyn Table) {
    let key = Key::new(fresh(), "META");
    assert_eq!(get(table, &key).await, None, "before the put");
    let mut full = item(&key, json!({"name": "a", "n": 1}));
    full.gsi1 = Some(Key::new(fresh(), "A"));
    full.gsi2 = Some(Key::new(fresh(), "B"));
    full.ttl = Some(4_102_444_800);
    put(table, full.clone()).await;
    assert_eq!(get(table, &key).await, Some(full));
}
