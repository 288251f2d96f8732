use futures::future::join_all;
use serde_json::json;

use super::{get, item, put, write};
use crate::conformance::fresh;
use crate::{Change, Check, Condition, Item, Key, Table, TableError, Write};

/// How many at once.
const MANY: usize = 100;

pub(super) async fn one_of_many_creators_wins(table: &dyn Table) {
    let key = Key::new(fresh(), "UNIQUE");
    let attempts = (0..MANY).map(|n| {
        let writes = vec![
            Write::Put(item(&key, json!({"winner": n})), Condition::Absent),
            Write::Put(Item::new(Key::new(&key.pk, n.to_string())), Condition::Absent),
        ];
        async move { insist(table, writes).await }
    });
    let winners: Vec<_> =
        join_all(attempts).await.into_iter().enumerate().filter_map(|(n, won)| won.then_some(n)).collect();
    assert_eq!(winners.len(), 1, "winners: {winners:?}");
    assert_eq!(get(table, &key).await, Some(item(&key, json!({"winner": winners[0]}))));
    for n in 0..MANY {
        let beside = get(table, &Key::new(&key.pk, n.to_string())).await;
        assert_eq!(beside.is_some(), n == winners[0], "what the others wrote beside it");
    }
}

pub(super) async fn one_of_many_claimants_wins(table: &dyn Table) {
    let key = Key::new(fresh(), "META");
    put(table, item(&key, json!({"status": "pending", "attempts": 0}))).await;
    let attempts = (0..MANY).map(|n| {
        let pending = Condition::Present(vec![Check::Equals("status", "pending".into())]);
        let changes = vec![
            Change::Set("status".into(), "running".into()),
            Change::Set("lease".into(), n.into()),
            Change::Add("attempts".into(), 1),
        ];
        let key = key.clone();
        async move { table.update(key, changes, pending).await }
    });
    let mut won = Vec::new();
    for result in join_all(attempts).await {
        match result {
            Ok(item) => won.push(item),
            Err(TableError::Condition { index: 0 }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(won.len(), 1, "{won:?}");
    assert_eq!(won[0].attributes["attempts"], 1);
    assert_eq!(get(table, &key).await, won.pop());
}

pub(super) async fn every_addition_counts(table: &dyn Table) {
    let key = Key::new(fresh(), "TOTAL");
    let additions =
        (0..MANY).map(|_| table.update(key.clone(), vec![Change::Add("n".into(), 1)], Condition::None));
    let mut sums: Vec<_> = join_all(additions)
        .await
        .into_iter()
        .map(|item| item.expect("update").attributes["n"].as_i64())
        .collect();
    sums.sort_unstable();
    let expected: Vec<_> = (1..=100).map(Some).collect();
    assert_eq!(sums, expected, "each sees the sum that it made");
}

pub(super) async fn every_addition_in_a_transaction_counts(table: &dyn Table) {
    let total = Key::new(fresh(), "TOTAL");
    let additions = (0..MANY).map(|n| {
        let writes = vec![
            Write::Put(Item::new(Key::new(&total.pk, n.to_string())), Condition::Absent),
            Write::Update(
                total.clone(),
                vec![Change::Add("n".into(), 1), Change::Add("m".into(), 2)],
                Condition::None,
            ),
        ];
        async move { insist(table, writes).await }
    });
    assert!(join_all(additions).await.into_iter().all(|done| done), "each has an item of its own");
    assert_eq!(get(table, &total).await, Some(item(&total, json!({"n": MANY, "m": 2 * MANY}))));
}

/// Writes, however busy the table is; whether it was this that did it. The second of the writes makes an item that
/// nobody else makes, so an attempt that was written although it was not acknowledged is seen.
async fn insist(table: &dyn Table, writes: Vec<Write>) -> bool {
    let mut doubtful = false;
    for _ in 0..1000 {
        match write(table, writes.clone()).await {
            Ok(()) => return true,
            Err(TableError::Condition { .. }) if doubtful => {
                let mut own = writes.iter().filter(|write| *write.condition() == Condition::Absent);
                let own = own.next_back().expect("there is one").key();
                return get(table, own).await.is_some();
            }
            Err(TableError::Condition { .. }) => return false,
            Err(TableError::Unavailable(_)) => {
                doubtful = true;
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            Err(TableError::Broken(reason)) => panic!("{reason}"),
        }
    }
    panic!("unavailable a thousand times");
}
