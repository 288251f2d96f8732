//! What the SQLite table promises beyond the port.

use std::sync::Arc;

use futures::future::{join, join_all};
use ports::{Change, Condition, Durability, Index, Item, Key, Position, Query, Table, TableError, Write};
use serde_json::json;
use sqlite::{Database, FILE_NAME, SqliteTable};
use tempfile::TempDir;

fn open() -> (TempDir, Database, Arc<SqliteTable>) {
    let dir = tempfile::tempdir().expect("a directory");
    let database = Database::open(dir.path()).expect("open");
    let table = database.table();
    (dir, database, table)
}

fn key(n: i64) -> Key {
    Key::new("P", format!("{n:03}"))
}

async fn count(table: &SqliteTable) -> usize {
    table.query(&Query::partition("P", 1000)).await.expect("query").items.len()
}

#[tokio::test]
async fn expired_items_are_removed() {
    let (_dir, _database, table) = open();
    for n in 0..30 {
        let item = Item { ttl: (n > 0).then_some(100 + n), ..Item::new(key(n)) };
        table.write(vec![Write::Put(item, Condition::None)], Durability::Crash).await.expect("put");
    }
    assert_eq!(table.expire(100, 100).await.expect("expire"), 0);
    assert_eq!(table.expire(120, 15).await.expect("expire"), 15, "as many as it may");
    assert_eq!(table.expire(120, 15).await.expect("expire"), 5, "the rest of those that have expired");
    assert_eq!(count(&table).await, 10);
    assert_eq!(table.expire(i64::MAX, 100).await.expect("expire"), 9);
    assert_eq!(table.get(&key(0)).await.expect("get"), Some(Item::new(key(0))), "without an expiry it stays");
}

#[tokio::test]
async fn an_expiry_put_off_in_the_same_commit_counts() {
    let (_dir, _database, table) = open();
    for n in 0..20 {
        let item = Item { ttl: Some(1), ..Item::new(key(n)) };
        table.write(vec![Write::Put(item, Condition::None)], Durability::Crash).await.expect("put");
    }
    let put_off =
        join_all((0..10).map(|n| table.update(key(n), vec![Change::Ttl(Some(50))], Condition::None)));
    let (updates, expired) = join(put_off, table.expire(10, 100)).await;
    assert!(updates.iter().all(Result::is_ok), "{updates:?}");
    assert_eq!(expired.expect("expire"), 10);
    assert_eq!(count(&table).await, 10);
}

#[tokio::test]
async fn what_dynamodb_would_not_take_is_refused() {
    let (_dir, _database, table) = open();
    let deep = |depth| (0..depth).fold(json!(1), |inner, _| json!([inner]));
    for (value, taken) in [(deep(32), true), (deep(33), false), (deep(127), false), (deep(200), false)] {
        let changes = vec![Change::Set("deep".into(), value.clone())];
        let result = table.update(key(1), changes, Condition::None).await;
        assert_eq!(result.is_ok(), taken, "{value}");
        assert!(taken || matches!(result, Err(TableError::Broken(_))));
    }
    let stored = table.get(&key(1)).await.expect("get").expect("it is there");
    assert_eq!(stored.attributes["deep"], deep(32));
    for value in [json!({"": 1}), json!([{"a": {"": 1}}])] {
        let result = table.update(key(1), vec![Change::Set("map".into(), value)], Condition::None).await;
        assert!(matches!(result, Err(TableError::Broken(_))), "an empty name in a map: {result:?}");
    }
    // Quotes and line ends count once, though JSON writes them with two characters.
    for (length, taken) in [(400_000, true), (420_000, false)] {
        let changes = vec![Change::Set("text".into(), "\n\"".repeat(length / 2).into())];
        assert_eq!(table.update(key(2), changes, Condition::None).await.is_ok(), taken, "{length}");
    }
}

#[tokio::test]
async fn a_new_row_is_not_left_of_what_could_not_be_done_whole() {
    let (_dir, _database, table) = open();
    let named = |text: String| {
        let mut item = Item::new(key(1));
        item.attributes.insert("name".into(), text.into());
        Write::Put(item, Condition::Absent)
    };
    table
        .update(key(2), vec![Change::Set("n".into(), json!("text"))], Condition::None)
        .await
        .expect("update");
    for durability in [Durability::Crash, Durability::Power] {
        let count = Write::Update(key(2), vec![Change::Add("n".into(), 1)], Condition::None);
        let uncountable = table.write(vec![named("a".into()), count], durability).await;
        assert!(matches!(uncountable, Err(TableError::Broken(_))), "{uncountable:?}");
        let large = table.write(vec![named("a".repeat(500_000))], durability).await;
        assert!(matches!(large, Err(TableError::Broken(_))), "{large:?}");
        assert_eq!(table.get(&key(1)).await.expect("get"), None);
    }
    table.write(vec![named("b".into())], Durability::Crash).await.expect("write");
    let again = table.write(vec![named("c".into())], Durability::Crash).await;
    assert!(matches!(again, Err(TableError::Condition { index: 0 })), "{again:?}");
    assert_eq!(table.get(&key(1)).await.expect("get").expect("the first").attributes["name"], "b");
}

#[tokio::test]
async fn sums_do_not_overflow() {
    let (_dir, _database, table) = open();
    let add = |n: i64| table.update(key(1), vec![Change::Add("n".into(), n)], Condition::None);
    assert_eq!(add(i64::MAX).await.expect("update").attributes["n"], i64::MAX);
    assert!(matches!(add(1).await, Err(TableError::Broken(_))));
    assert_eq!(add(-1).await.expect("update").attributes["n"], i64::MAX - 1);
}

/// What no version of this program has written, in a database that is otherwise sound.
#[tokio::test]
async fn an_item_that_makes_no_sense_fails_alone() {
    let (dir, database, table) = open();
    join_all((0..3).map(|n| table.update(key(n), vec![Change::Add("n".into(), 1)], Condition::None))).await;
    database.close();
    let connection = rusqlite::Connection::open(dir.path().join(FILE_NAME)).expect("open");
    connection.execute("UPDATE items SET body = '{' WHERE sk = '001'", []).expect("damage");
    drop(connection);
    let database = Database::open(dir.path()).expect("open again");
    let table = database.table();
    let add = |n: i64| table.update(key(n), vec![Change::Add("n".into(), 1)], Condition::None);
    let outcomes = join_all((0..3).map(add)).await;
    assert!(matches!(outcomes[1], Err(TableError::Broken(_))), "{outcomes:?}");
    for n in [0, 2] {
        assert_eq!(outcomes[n].as_ref().expect("update").attributes["n"], 2);
    }
    assert!(matches!(table.get(&key(1)).await, Err(TableError::Broken(_))));
    let new = Write::Put(Item::new(key(3)), Condition::Absent);
    let count = Write::Update(key(1), vec![Change::Add("n".into(), 1)], Condition::None);
    let result = table.write(vec![new, count], Durability::Crash).await;
    assert!(matches!(result, Err(TableError::Broken(_))), "{result:?}");
    assert_eq!(table.get(&key(3)).await.expect("get"), None);
    let replaced = Write::Put(Item::new(key(1)), Condition::None);
    table.write(vec![replaced], Durability::Crash).await.expect("a put needs not know what was there");
    assert_eq!(add(1).await.expect("update").attributes["n"], 1);
}

#[tokio::test]
async fn queries_that_make_no_sense_are_refused() {
    let (_dir, _database, table) = open();
    assert!(matches!(table.query(&Query::partition("P", 0)).await, Err(TableError::Broken(_))));
    let after = Some(Position { key: key(1), index: None });
    let query = Query { index: Index::Gsi1, after, ..Query::partition("P", 1) };
    assert!(matches!(table.query(&query).await, Err(TableError::Broken(_))));
}

/// Many tasks on several threads, with readers beside them: nothing is lost, and readers see whole transactions only.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn transfers_keep_the_sum() {
    let (_dir, _database, table) = open();
    let accounts = 10;
    for n in 0..accounts {
        table
            .update(key(n), vec![Change::Set("n".into(), 100.into())], Condition::None)
            .await
            .expect("update");
    }
    let transfers: Vec<_> = (0..8)
        .map(|task| {
            let table = table.clone();
            tokio::spawn(async move {
                for step in 0..100_i64 {
                    let (from, to) = ((task + step) % accounts, (task * 3 + step * 7 + 1) % accounts);
                    if from != to {
                        let change =
                            |n, by| Write::Update(key(n), vec![Change::Add("n".into(), by)], Condition::None);
                        let durability = if step % 10 == 0 { Durability::Power } else { Durability::Crash };
                        table.write(vec![change(from, -1), change(to, 1)], durability).await.expect("write");
                    }
                }
            })
        })
        .collect();
    let sum = async || {
        let items = table.query(&Query::partition("P", 100)).await.expect("query").items;
        items.iter().map(|item| item.attributes["n"].as_i64().expect("a number")).sum::<i64>()
    };
    while !transfers.iter().all(tokio::task::JoinHandle::is_finished) {
        assert_eq!(sum().await, 100 * accounts);
    }
    for transfer in transfers {
        transfer.await.expect("no panic");
    }
    assert_eq!(sum().await, 100 * accounts);
}
