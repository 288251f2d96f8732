use serde_json::{Value, json};

use super::{failed_condition, get, item, put, write};
use crate::conformance::fresh;
use crate::{Change, Check, Condition, Item, Key, Table, Write};

/// What is stored, what is asked of it, and whether that holds.
fn examples() -> Vec<(Option<Value>, Condition, bool)> {
    use Check::{Equals, LessOrMissing, OneOf};
    let stored =
        json!({"status": "running", "version": 7, "public": true, "empty": "", "nothing": null, "zero": 0});
    let present = |checks: Vec<Check>, holds| (Some(stored.clone()), Condition::Present(checks), holds);
    vec![
        (None, Condition::None, true),
        (Some(stored.clone()), Condition::None, true),
        (None, Condition::Absent, true),
        (Some(stored.clone()), Condition::Absent, false),
        (Some(json!({})), Condition::Absent, false),
        (None, Condition::Present(vec![]), false),
        (Some(json!({})), Condition::Present(vec![]), true),
        present(vec![Equals("status", "running".into())], true),
        present(vec![Equals("status", "runnin".into())], false),
        present(vec![Equals("status", "Running".into())], false),
        present(vec![Equals("status", "".into())], false),
        present(vec![Equals("empty", "".into())], true),
        present(vec![Equals("version", 7.into())], true),
        present(vec![Equals("version", 8.into())], false),
        present(vec![Equals("version", "7".into())], false),
        present(vec![Equals("zero", 0.into())], true),
        present(vec![Equals("zero", false.into())], false),
        present(vec![Equals("public", true.into())], true),
        present(vec![Equals("public", false.into())], false),
        present(vec![Equals("public", "true".into())], false),
        present(vec![Equals("missing", "".into())], false),
        present(vec![Equals("nothing", "".into())], false),
        (None, Condition::Present(vec![Equals("status", "running".into())]), false),
        present(vec![OneOf("status", vec!["pending".into(), "running".into()])], true),
        present(vec![OneOf("status", vec!["running".into()])], true),
        present(vec![OneOf("status", vec!["pending".into(), "success".into()])], false),
        present(vec![OneOf("version", vec!["7".into(), 8.into(), 7.into()])], true),
        present(vec![OneOf("missing", vec!["running".into()])], false),
        present(vec![LessOrMissing("version", 8)], true),
        present(vec![LessOrMissing("version", 7)], false),
        present(vec![LessOrMissing("version", 6)], false),
        present(vec![LessOrMissing("version", i64::MAX)], true),
        present(vec![LessOrMissing("zero", i64::MIN)], false),
        present(vec![LessOrMissing("missing", i64::MIN)], true),
        present(vec![LessOrMissing("status", i64::MAX)], false),
        present(vec![LessOrMissing("public", i64::MAX)], false),
        (None, Condition::Present(vec![LessOrMissing("version", 8)]), false),
        present(
            vec![
                Equals("status", "running".into()),
                Equals("version", 7.into()),
                LessOrMissing("missing", 0),
            ],
            true,
        ),
        present(vec![Equals("status", "running".into()), Equals("version", 8.into())], false),
        present(vec![Equals("version", 8.into()), Equals("status", "running".into())], false),
        // The same attribute twice.
        present(
            vec![LessOrMissing("version", 9), LessOrMissing("version", 8), Equals("version", 7.into())],
            true,
        ),
    ]
}

/// Tries a write with each example; `write` makes the writes, the one with the condition last, `after` what is to be
/// stored at the key if they happen.
async fn try_each(
    table: &dyn Table,
    writes: impl Fn(Key, Condition) -> Vec<Write>,
    after: impl Fn(Key, Option<Item>) -> Option<Item>,
) {
    for (stored, condition, holds) in examples() {
        let key = Key::new(fresh(), "META");
        let before = stored.clone().map(|attributes| item(&key, attributes));
        if let Some(before) = &before {
            put(table, before.clone()).await;
        }
        assert_eq!(condition.holds(before.as_ref()), holds, "the suite itself: {condition:?} of {stored:?}");
        let writes = writes(key.clone(), condition.clone());
        let last = writes.len() - 1;
        let result = write(table, writes).await;
        let what = format!("{condition:?} of {stored:?}");
        if holds {
            assert!(result.is_ok(), "{what} holds, but {result:?}");
            assert_eq!(get(table, &key).await, after(key, before), "{what} holds");
        } else {
            assert!(result.is_err(), "{what} does not hold, but it was written");
            assert_eq!(failed_condition(result), last, "{what}");
            assert_eq!(get(table, &key).await, before, "{what} does not hold, so nothing is written");
        }
    }
}

pub(super) async fn a_put_needs_its_condition(table: &dyn Table) {
    let new = |key: &Key| item(key, json!({"new": true}));
    try_each(table, |key, condition| vec![Write::Put(new(&key), condition)], |key, _| Some(new(&key))).await;
}

pub(super) async fn an_update_needs_its_condition(table: &dyn Table) {
    let changes = || vec![Change::Set("new".into(), true.into()), Change::Add("version".into(), 1)];
    let after = |key, before: Option<Item>| {
        let mut item = before.unwrap_or_else(|| Item::new(key));
        item.apply(changes()).expect("the version is an integer");
        Some(item)
    };
    try_each(table, |key, condition| vec![Write::Update(key, changes(), condition)], after).await;
}

pub(super) async fn a_delete_needs_its_condition(table: &dyn Table) {
    try_each(table, |key, condition| vec![Write::Delete(key, condition)], |_, _| None).await;
}

pub(super) async fn a_check_needs_its_condition(table: &dyn Table) {
    let beside = Key::new(fresh(), "BESIDE");
    let counted = |key, condition| {
        vec![
            Write::Update(beside.clone(), vec![Change::Add("n".into(), 1)], Condition::None),
            Write::Check(key, condition),
        ]
    };
    try_each(table, counted, |_, before| before).await;
    // Each check that held let one addition happen.
    let held = examples().iter().filter(|(_, _, holds)| *holds).count();
    assert_eq!(get(table, &beside).await, Some(item(&beside, json!({"n": held}))));
}

pub(super) async fn the_update_that_answers_needs_its_condition(table: &dyn Table) {
    for (stored, condition, holds) in examples() {
        let key = Key::new(fresh(), "META");
        let before = stored.clone().map(|attributes| item(&key, attributes));
        if let Some(before) = &before {
            put(table, before.clone()).await;
        }
        let what = format!("{condition:?} of {stored:?}");
        let result = table.update(key.clone(), vec![Change::Set("new".into(), 1.into())], condition).await;
        let stored = get(table, &key).await;
        match result {
            Ok(item) => {
                assert!(holds, "{what} does not hold, but it was written");
                assert_eq!(stored, Some(item), "{what} holds");
            }
            error => {
                assert!(!holds, "{what} holds, but {error:?}");
                assert_eq!(failed_condition(error.map(drop)), 0, "{what}");
                assert_eq!(stored, before, "{what} does not hold, so nothing is written");
            }
        }
    }
}
