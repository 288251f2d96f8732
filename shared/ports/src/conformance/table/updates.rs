use serde_json::json;

use super::{assert_broken, get, item, put, write};
use crate::conformance::fresh;
use crate::{Change, Condition, Item, Key, Table, Write};

pub(super) async fn an_update_changes_what_it_says_and_no_more(table: &dyn Table) {
    for answered in [true, false] {
        let key = Key::new(fresh(), "META");
        let mut before = item(
            &key,
            json!({"kept": [1], "gone": "x", "n": 5, "m": 5, "text": "x", "a.b": 1, "status": "x"}),
        );
        before.gsi1 = Some(Key::new(fresh(), "A"));
        before.gsi2 = Some(Key::new(fresh(), "B"));
        before.ttl = Some(4_102_444_800);
        put(table, before.clone()).await;
        let changes = vec![
            Change::Set("text".into(), json!({"now": ["a", "map"]})),
            Change::Set("new".into(), "".into()),
            Change::Set("status".into(), "y".into()),
            Change::Remove("gone".into()),
            Change::Remove("was_never_there".into()),
            Change::Add("n".into(), 3),
            Change::Add("m".into(), -7),
            Change::Add("a.b".into(), 0),
        ];
        if answered {
            let after = table.update(key.clone(), changes.clone(), Condition::None).await.expect("update");
            assert_eq!(get(table, &key).await, Some(after), "what it answers is what is stored");
        } else {
            write(table, vec![Write::Update(key.clone(), changes.clone(), Condition::None)])
                .await
                .expect("update");
        }
        before.apply(changes).expect("both are integers");
        assert_eq!(get(table, &key).await, Some(before));
    }
}

pub(super) async fn an_update_makes_the_item(table: &dyn Table) {
    let key = Key::new(fresh(), "META");
    let place = Key::new(fresh(), "A");
    let changes = || {
        vec![
            Change::Set("text".into(), "x".into()),
            Change::Remove("gone".into()),
            Change::Add("n".into(), 3),
            Change::Gsi1(Some(place.clone())),
            Change::Gsi2(None),
        ]
    };
    let expected = |key: &Key| Item { gsi1: Some(place.clone()), ..item(key, json!({"text": "x", "n": 3})) };
    let made = table.update(key.clone(), changes(), Condition::None).await.expect("update");
    assert_eq!(made, expected(&key));
    assert_eq!(get(table, &key).await, Some(made));

    let key = Key::new(fresh(), "META");
    write(table, vec![Write::Update(key.clone(), changes(), Condition::Absent)]).await.expect("update");
    assert_eq!(get(table, &key).await, Some(expected(&key)));
}

pub(super) async fn an_update_without_changes_makes_the_item(table: &dyn Table) {
    let key = Key::new(fresh(), "META");
    let made = table.update(key.clone(), vec![], Condition::Absent).await.expect("update");
    assert_eq!(made, Item::new(key.clone()));
    assert_eq!(get(table, &key).await, Some(made));
}

pub(super) async fn adding_starts_from_zero(table: &dyn Table) {
    let key = Key::new(fresh(), "TOTAL");
    for (amount, sum) in [(0, 0), (5, 5), (-7, -2), (2, 0), ((1 << 53) + 1, (1_i64 << 53) + 1)] {
        let after = table.update(key.clone(), vec![Change::Add("h.1".into(), amount)], Condition::None).await;
        assert_eq!(after.expect("update"), item(&key, json!({"h.1": sum})), "adding {amount}");
    }
}

pub(super) async fn adding_to_what_is_no_integer_fails(table: &dyn Table) {
    for value in [json!("1"), json!(true), json!([1]), json!({}), json!(null)] {
        let key = Key::new(fresh(), "META");
        let before = item(&key, json!({"n": value, "m": 1}));
        put(table, before.clone()).await;
        let changes = vec![Change::Add("m".into(), 1), Change::Add("n".into(), 1)];
        assert_broken(
            table.update(key.clone(), changes, Condition::None).await.map(drop),
            &value.to_string(),
        );
        assert_eq!(get(table, &key).await, Some(before));
    }
}

pub(super) async fn expiry_is_set_and_cleared(table: &dyn Table) {
    let key = Key::new(fresh(), "META");
    for ttl in [Some(4_102_444_800), Some(4_102_444_801), None, Some(4_102_444_800)] {
        let after = table.update(key.clone(), vec![Change::Ttl(ttl)], Condition::None).await.expect("update");
        assert_eq!(after, Item { ttl, ..Item::new(key.clone()) });
        assert_eq!(get(table, &key).await, Some(after));
    }
    // Changes of other things leave it.
    let after =
        table.update(key.clone(), vec![Change::Add("n".into(), 1)], Condition::None).await.expect("update");
    assert_eq!(after.ttl, Some(4_102_444_800));
}
