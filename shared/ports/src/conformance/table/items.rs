use serde_json::json;

use super::{assert_broken, get, item, put, put_all, write};
use crate::conformance::fresh;
use crate::{Change, Condition, Item, Key, Table, Write};

pub(super) async fn an_item_comes_back_as_it_was_put(table: &dyn Table) {
    let key = Key::new(fresh(), "META");
    assert_eq!(get(table, &key).await, None, "before the put");
    let mut full = item(&key, json!({"name": "a", "n": 1}));
    full.gsi1 = Some(Key::new(fresh(), "A"));
    full.gsi2 = Some(Key::new(fresh(), "B"));
    full.ttl = Some(4_102_444_800);
    put(table, full.clone()).await;
    assert_eq!(get(table, &key).await, Some(full));

    let bare = Item::new(Key::new(fresh(), "META"));
    put(table, bare.clone()).await;
    assert_eq!(get(table, &bare.key).await, Some(bare));
}

pub(super) async fn a_put_leaves_nothing_of_the_item_before(table: &dyn Table) {
    let key = Key::new(fresh(), "META");
    let mut first = item(&key, json!({"old": 1, "both": 1}));
    first.gsi1 = Some(Key::new(fresh(), "A"));
    first.ttl = Some(4_102_444_800);
    put(table, first).await;
    let second = item(&key, json!({"both": 2}));
    put(table, second.clone()).await;
    assert_eq!(get(table, &key).await, Some(second));
}

pub(super) async fn a_delete_removes_the_item(table: &dyn Table) {
    let (key, beside) = (Key::new(fresh(), "META"), fresh());
    let other = item(&Key::new(key.pk.clone(), beside), json!({"n": 1}));
    put_all(table, &[item(&key, json!({"n": 1})), other.clone()]).await;
    for _ in 0..2 {
        write(table, vec![Write::Delete(key.clone(), Condition::None)]).await.expect("delete");
        assert_eq!(get(table, &key).await, None);
    }
    assert_eq!(get(table, &other.key).await, Some(other));
}

pub(super) async fn attributes_keep_their_values(table: &dyn Table) {
    let deep =
        (0..30).fold(
            json!("bottom"),
            |inner, depth| if depth % 2 == 0 { json!([inner]) } else { json!({"d": inner}) },
        );
    let full = item(
        &Key::new(fresh(), "META"),
        json!({
            "text": "plain", "empty": "", "unicode": "한국어 é 𝒜 \u{10ffff} \u{e000} e\u{301}", "controls": "\u{0}\t\r\n\u{1f}\u{7f}",
            "quotes": "\"'\\/{}[]:#%$", "looks_like_a_number": "007", "looks_like_null": "null",
            "zero": 0, "minus": -1, "max": i64::MAX, "min": i64::MIN, "beyond_doubles": (1_i64 << 53) + 1,
            "yes": true, "no": false, "nothing": null,
            "list": [], "map": {}, "mixed": ["a", 1, null, true, [], {}, ["b"]],
            "nested": {" ": "blank", "한": {"a.b": [{"c": ""}]}}, "deep": deep,
            // Names with dots, words that mean something to a store, and names of keys.
            "a.b": 1, "h.0": 2, "h.10": 3, "name": "x", "status": "x", "size": 1, "type": "x", "key": "x", "hash": "x",
            "pk": "x", "sk": "x", "gsi1pk": "x", "gsi1sk": "x", "gsi2pk": "x", "body": "x",
        }),
    );
    put(table, full.clone()).await;
    assert_eq!(get(table, &full.key).await, Some(full.clone()), "as put");

    let key = Key::new(fresh(), "META");
    let changes =
        full.attributes.iter().map(|(name, value)| Change::Set(name.clone(), value.clone())).collect();
    let updated = table.update(key.clone(), changes, Condition::None).await.expect("update");
    assert_eq!(updated.attributes, full.attributes, "as the update answered");
    assert_eq!(get(table, &key).await, Some(updated), "as updated");
}

pub(super) async fn keys_are_told_apart_by_their_bytes(table: &dyn Table) {
    let space = fresh();
    let names = [
        "a", "A", "a ", " a", "é", "e\u{301}", "ａ", "𝒜", "a#b", "a%", "a_", "a'b", "a\"b", "a\\b", "0",
        "00", "0.0",
    ];
    let keys =
        names.map(|name| [Key::new(format!("{space}{name}"), "S"), Key::new(space.clone(), name)]).concat();
    let items: Vec<_> = keys.iter().enumerate().map(|(n, key)| item(key, json!({"n": n}))).collect();
    put_all(table, &items).await;
    for item in items {
        assert_eq!(get(table, &item.key).await, Some(item.clone()), "{:?}", item.key);
    }
}

pub(super) async fn items_may_be_large_but_not_too_large(table: &dyn Table) {
    let large = item(&Key::new(fresh(), "META"), json!({"text": "\n한\"x".repeat(50_000), "n": 1}));
    put(table, large.clone()).await;
    assert_eq!(get(table, &large.key).await, Some(large.clone()), "300 KB");

    let half = "x".repeat(250_000);
    let too_large = item(&Key::new(fresh(), "META"), json!({"a": half.clone(), "b": half.clone()}));
    assert_broken(write(table, vec![Write::Put(too_large.clone(), Condition::None)]).await, "500 KB");
    assert_eq!(get(table, &too_large.key).await, None);

    let grow =
        table.update(large.key.clone(), vec![Change::Set("more".into(), half.into())], Condition::None).await;
    assert_broken(grow.map(drop), "growing to 550 KB");
    assert_eq!(get(table, &large.key).await, Some(large));
}

pub(super) async fn get_many_answers_in_order(table: &dyn Table) {
    let space = fresh();
    let items: Vec<_> = (0..3).map(|n| item(&Key::new(&space, n.to_string()), json!({"n": n}))).collect();
    put_all(table, &items).await;
    let keys = ["2", "none", "0", "2", "1", "none"].map(|sk| Key::new(&space, sk));
    let expected =
        [Some(2), None, Some(0), Some(2), Some(1), None].map(|n| n.map(|n: usize| items[n].clone()));
    assert_eq!(table.get_many(&keys).await.expect("get_many"), expected);
    assert_eq!(table.get_many(&[]).await.expect("get_many of nothing"), []);
}

pub(super) async fn get_many_takes_any_number_of_keys(table: &dyn Table) {
    let space = fresh();
    let items: Vec<_> = (0..150).map(|n| item(&Key::new(&space, n.to_string()), json!({"n": n}))).collect();
    put_all(table, &items).await;
    // Repeats and keys without an item among them.
    let keys: Vec<_> = (0..400).map(|n| Key::new(&space, ((n * 7) % 200).to_string())).collect();
    let expected: Vec<_> = (0..400).map(|n| items.get((n * 7) % 200).cloned()).collect();
    assert_eq!(table.get_many(&keys).await.expect("get_many"), expected);
}

pub(super) async fn get_many_takes_any_number_of_bytes(table: &dyn Table) {
    let space = fresh();
    // 19 MB: DynamoDB answers 16 MB at once.
    let items: Vec<_> = (0..50)
        .map(|n| item(&Key::new(&space, n.to_string()), json!({"text": "x".repeat(380_000)})))
        .collect();
    for item in &items {
        put(table, item.clone()).await;
    }
    let keys: Vec<_> = items.iter().map(|item| item.key.clone()).collect();
    let got = table.get_many(&keys).await.expect("get_many");
    let lengths = |items: &[Item]| {
        items.iter().map(|item| item.attributes["text"].as_str().map(str::len)).collect::<Vec<_>>()
    };
    let got: Vec<Item> = got.into_iter().map(|item| item.expect("it was put")).collect();
    assert_eq!(got.iter().map(|item| &item.key).collect::<Vec<_>>(), keys.iter().collect::<Vec<_>>());
    assert_eq!(lengths(&got), lengths(&items));
}
