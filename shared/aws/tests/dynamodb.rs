//! The table passes the suite of the ports, against a stand-in for DynamoDB.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::future::Future;

use aws::DynamoDbTable;
use ports::table::MAX_WRITES;
use ports::{Change, Check, Condition, Durability, Item, Key, Query, Table, TableError, Write, conformance};
use serde_json::json;
use testkit::DynamoDb;

/// Runs `body` on a table of a stand-in of its own.
fn with_table<F: Future<Output = ()>>(body: impl FnOnce(DynamoDbTable) -> F) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let engine = DynamoDb::start();
        let sdk = support::sdk(engine.url());
        support::create_table(&sdk, "table").await;
        body(DynamoDbTable::new(&sdk, "table")).await;
    });
}

#[test]
fn passes_the_suite() {
    with_table(|table| async move { conformance::table(&table).await });
}

#[test]
fn passes_the_suite_on_the_emulator() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let Some(sdk) = support::emulator("table") else { return };
        let name = support::fresh("table");
        support::create_table(&sdk, &name).await;
        conformance::table(&DynamoDbTable::new(&sdk, &name)).await;
    });
}

fn item(sk: &str) -> Item {
    Item::new(Key::new("P", sk))
}

async fn put(table: &DynamoDbTable, items: impl IntoIterator<Item = Item>) {
    for item in items {
        table.write(vec![Write::Put(item, Condition::None)], Durability::Crash).await.unwrap();
    }
}

#[test]
fn a_batch_of_reads_is_split_and_keeps_its_order() {
    with_table(|table| async move {
        put(&table, (0..250).map(|n| item(&format!("{n:03}")))).await;
        let mut keys: Vec<_> = (0..260).rev().map(|n| Key::new("P", format!("{n:03}"))).collect();
        keys.push(keys[100].clone());
        let found = table.get_many(&keys).await.unwrap();
        for (key, found) in keys.iter().zip(&found) {
            let there = key.sk.as_str() < "250";
            assert_eq!(found.as_ref().map(|item| &item.key), there.then_some(key));
        }
        assert_eq!(table.get_many(&[]).await.unwrap(), []);
    });
}

#[test]
fn the_last_page_knows_that_it_is() {
    with_table(|table| async move {
        put(&table, (0..6).map(|n| item(&n.to_string()))).await;
        let mut query = Query::partition("P", 3);
        let page = table.query(&query).await.unwrap();
        assert_eq!(page.items.len(), 3);
        query.after = page.next;
        let page = table.query(&query).await.unwrap();
        assert_eq!(page.items.iter().map(|item| item.key.sk.as_str()).collect::<Vec<_>>(), ["3", "4", "5"]);
        assert_eq!(page.next, None);
    });
}

#[test]
fn what_can_never_be_written_is_broken() {
    with_table(|table| async move {
        let write = |writes| table.write(writes, Durability::Crash);
        let mut large = item("large");
        large.attributes.insert("text".into(), json!("x".repeat(400 * 1024)));
        let refused: [Vec<Write>; 5] = [
            vec![Write::Put(large.clone(), Condition::None)],
            vec![Write::Put(item("a"), Condition::None), Write::Put(large, Condition::None)],
            vec![],
            vec![Write::Delete(Key::new("P", "a"), Condition::None); 2],
            (0..=MAX_WRITES).map(|n| Write::Delete(Key::new("P", n.to_string()), Condition::None)).collect(),
        ];
        for writes in refused {
            let fault = write(writes).await.unwrap_err();
            assert!(matches!(fault, TableError::Broken(_)), "{fault:?}");
        }
        assert_eq!(table.get(&Key::new("P", "a")).await.unwrap(), None);
    });
}

#[test]
fn adding_to_a_text_is_broken() {
    with_table(|table| async move {
        let mut text = item("a");
        text.attributes.insert("n".into(), json!("text"));
        put(&table, [text]).await;
        let fault = table.update(Key::new("P", "a"), vec![Change::Add("n".into(), 1)], Condition::None).await;
        assert!(matches!(fault, Err(TableError::Broken(_))), "{fault:?}");
    });
}

#[test]
fn a_table_that_is_away_is_unavailable() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        // Bound and given up again: nobody listens there.
        let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let table = DynamoDbTable::new(&support::sdk(&format!("http://{port}")), "table");
        let fault = table.health().await.unwrap_err();
        assert!(matches!(fault, TableError::Unavailable(_)), "{fault:?}");
    });
}

#[test]
fn many_at_one_item_all_get_their_turn() {
    with_table(|table| async move {
        let key = Key::new("P", "counter");
        let writes = (0..20).map(|n| {
            let (table, key) = (table.clone(), key.clone());
            tokio::spawn(async move {
                let writes = vec![
                    Write::Update(key, vec![Change::Add("n".into(), 1)], Condition::None),
                    Write::Put(item(&format!("log{n}")), Condition::Absent),
                ];
                table.write(writes, Durability::Crash).await
            })
        });
        for write in writes.collect::<Vec<_>>() {
            write.await.unwrap().unwrap();
        }
        let checks = vec![Check::Equals("n", json!(20))];
        table.update(key, vec![], Condition::Present(checks)).await.unwrap();
    });
}
