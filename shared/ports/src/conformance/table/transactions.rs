use serde_json::json;

use super::{assert_broken, failed_condition, get, item, put, put_all, write};
use crate::conformance::fresh;
use crate::{Change, Check, Condition, Durability, Item, Key, Table, Write};

fn keys(count: usize) -> Vec<Key> {
    let space = fresh();
    (0..count).map(|n| Key::new(format!("{space}#{n}"), "META")).collect()
}

async fn stored(table: &dyn Table, keys: &[Key]) -> Vec<Option<Item>> {
    table.get_many(keys).await.expect("get_many")
}

pub(super) async fn a_failed_condition_writes_nothing(table: &dyn Table) {
    let keys = keys(4);
    put(table, item(&keys[1], json!({"n": 1}))).await;
    put(table, item(&keys[2], json!({"n": 1}))).await;
    let before = stored(table, &keys).await;
    let writes = vec![
        Write::Put(item(&keys[0], json!({"n": 2})), Condition::Absent),
        Write::Update(keys[1].clone(), vec![Change::Add("n".into(), 1)], Condition::Present(vec![])),
        Write::Delete(keys[2].clone(), Condition::Present(vec![Check::Equals("n", 2.into())])),
        Write::Put(item(&keys[3], json!({"n": 2})), Condition::None),
    ];
    assert_eq!(failed_condition(write(table, writes).await), 2);
    assert_eq!(stored(table, &keys).await, before);
}

pub(super) async fn the_first_failed_condition_is_told(table: &dyn Table) {
    let keys = keys(6);
    for failing in [vec![0, 5], vec![1, 2, 3], vec![5], vec![4, 5]] {
        let condition = |n| if failing.contains(&n) { Condition::Present(vec![]) } else { Condition::Absent };
        let writes = keys.iter().enumerate().map(|(n, key)| match n % 3 {
            0 => Write::Put(Item::new(key.clone()), condition(n)),
            1 => Write::Check(key.clone(), condition(n)),
            _ => Write::Update(key.clone(), vec![Change::Add("n".into(), 1)], condition(n)),
        });
        assert_eq!(failed_condition(write(table, writes.collect()).await), failing[0], "{failing:?} failing");
        assert!(stored(table, &keys).await.iter().all(Option::is_none));
    }
}

pub(super) async fn all_sorts_of_writes_go_together(table: &dyn Table) {
    let keys = keys(5);
    let old: Vec<_> = keys[1..4].iter().map(|key| item(key, json!({"n": 1, "kept": "x"}))).collect();
    put_all(table, &old).await;
    let writes = vec![
        Write::Put(item(&keys[0], json!({"n": 2})), Condition::Absent),
        Write::Update(keys[1].clone(), vec![Change::Add("n".into(), 1)], Condition::Present(vec![])),
        Write::Delete(keys[2].clone(), Condition::Present(vec![Check::Equals("n", 1.into())])),
        Write::Check(keys[3].clone(), Condition::Present(vec![Check::Equals("kept", "x".into())])),
        Write::Update(keys[4].clone(), vec![Change::Set("n".into(), 5.into())], Condition::None),
    ];
    // Both kinds of durability take the same path.
    table.write(writes, Durability::Power).await.expect("all conditions hold");
    let expected = vec![
        Some(item(&keys[0], json!({"n": 2}))),
        Some(item(&keys[1], json!({"n": 2, "kept": "x"}))),
        None,
        Some(old[2].clone()),
        Some(item(&keys[4], json!({"n": 5}))),
    ];
    assert_eq!(stored(table, &keys).await, expected);
}

pub(super) async fn a_hundred_writes_go_together(table: &dyn Table) {
    let keys = keys(100);
    let writes =
        || keys.iter().map(|key| Write::Put(item(key, json!({"n": 1})), Condition::Absent)).collect();
    write(table, writes()).await.expect("a hundred puts");
    assert!(stored(table, &keys).await.iter().all(Option::is_some));
    write(table, vec![Write::Delete(keys[99].clone(), Condition::None)]).await.expect("delete");
    assert_eq!(failed_condition(write(table, writes()).await), 0, "again");
    assert_eq!(get(table, &keys[99]).await, None);
}

pub(super) async fn conditions_are_about_what_was_stored_before(table: &dyn Table) {
    let keys = keys(2);
    let named = |key: &Key| item(key, json!({"name": "one"}));
    put(table, named(&keys[0])).await;
    // A move from one key to another, there and back.
    for (from, to) in [(0, 1), (1, 0)] {
        let writes = vec![
            Write::Delete(keys[from].clone(), Condition::Present(vec![Check::Equals("name", "one".into())])),
            Write::Put(named(&keys[to]), Condition::Absent),
        ];
        write(table, writes).await.expect("both hold");
        assert_eq!(get(table, &keys[from]).await, None);
        assert_eq!(get(table, &keys[to]).await, Some(named(&keys[to])));
    }
}

pub(super) async fn what_is_no_transaction_is_refused(table: &dyn Table) {
    assert_broken(write(table, vec![]).await, "no writes");
    let keys = keys(101);
    let puts: Vec<_> = keys.iter().map(|key| Write::Put(Item::new(key.clone()), Condition::None)).collect();
    assert_broken(write(table, puts.clone()).await, "101 writes");
    let twice = vec![puts[0].clone(), puts[1].clone(), Write::Check(keys[0].clone(), Condition::Absent)];
    assert_broken(write(table, twice).await, "two writes about one item");
    assert!(stored(table, &keys).await.iter().all(Option::is_none), "and nothing is written");
}

pub(super) async fn a_change_that_cannot_be_writes_nothing(table: &dyn Table) {
    let keys = keys(2);
    put(table, item(&keys[1], json!({"n": "text"}))).await;
    let writes = vec![
        Write::Put(Item::new(keys[0].clone()), Condition::Absent),
        Write::Update(keys[1].clone(), vec![Change::Add("n".into(), 1)], Condition::None),
    ];
    assert_broken(write(table, writes).await, "adding to text");
    assert_eq!(stored(table, &keys).await, [None, Some(item(&keys[1], json!({"n": "text"})))]);
}
