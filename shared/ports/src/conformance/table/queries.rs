use serde_json::json;

use super::{get, item, items_of, pages, put, put_all, sort_keys, write};
use crate::conformance::fresh;
use crate::{Condition, Item, Key, Position, Query, Sort, Table, Write};

/// Sort keys in the order of their UTF-8 bytes. By UTF-16, the last two but one would be the other way around.
const ORDERED: [&str; 14] =
    ["#", "0", "00", "1", "10", "2", "A", "B#", "B#1", "a", "é", "한", "\u{ff41}", "𝒜"];

/// A partition with these sort keys, put in another order.
async fn partition(table: &dyn Table, sort_keys: &[&str]) -> String {
    let space = fresh();
    let mut items: Vec<_> =
        sort_keys.iter().map(|sk| item(&Key::new(&space, *sk), json!({"sk_was": sk}))).collect();
    items.sort_by_key(|item| item.key.sk.bytes().rev().collect::<Vec<_>>());
    put_all(table, &items).await;
    space
}

fn query(partition: &str, sort: Sort) -> Query {
    Query { sort, ..Query::partition(partition, 100) }
}

async fn find(table: &dyn Table, partition: &str, sort: Sort) -> Vec<String> {
    let forward = sort_keys(table, &query(partition, sort.clone())).await;
    let mut backward = sort_keys(table, &Query { descending: true, ..query(partition, sort) }).await;
    backward.reverse();
    assert_eq!(forward, backward, "descending is the other way around");
    forward
}

pub(super) async fn a_partition_is_in_the_order_of_bytes(table: &dyn Table) {
    let space = partition(table, &ORDERED).await;
    assert_eq!(find(table, &space, Sort::All).await, ORDERED);
    let all = items_of(table, &Query::partition(&space, 100)).await;
    assert_eq!(all[0], item(&Key::new(&space, "#"), json!({"sk_was": "#"})), "items are whole");
}

pub(super) async fn an_empty_partition_has_no_items(table: &dyn Table) {
    let space = fresh();
    for sort in [Sort::All, Sort::Prefix("a".into()), Sort::Between("a".into(), "b".into())] {
        assert_eq!(find(table, &space, sort).await, [""; 0]);
    }
    let space = partition(table, &["a"]).await;
    let after = Some(Position { key: Key::new(&space, "a"), index: None });
    let page = table.query(&Query { after, ..Query::partition(&space, 1) }).await.expect("query");
    assert_eq!((page.items, page.next), (vec![], None), "after the last");
}

pub(super) async fn a_query_keeps_to_its_partition(table: &dyn Table) {
    let space = partition(table, &["b"]).await;
    for other in
        [format!("{space}#"), space[..space.len() - 1].to_owned(), space.to_lowercase(), space.to_uppercase()]
    {
        if other != space {
            put(table, Item::new(Key::new(other, "b"))).await;
        }
    }
    assert_eq!(find(table, &space, Sort::All).await, ["b"]);
}

pub(super) async fn a_query_sees_every_write_before_it(table: &dyn Table) {
    let space = fresh();
    let mut expected = Vec::new();
    for n in 0..30 {
        let sk = format!("{n:03}");
        put(table, Item::new(Key::new(&space, &sk))).await;
        expected.push(sk);
        if n % 3 == 2 {
            let removed = expected.remove(n / 3);
            write(table, vec![Write::Delete(Key::new(&space, removed), Condition::None)])
                .await
                .expect("delete");
        }
        assert_eq!(sort_keys(table, &Query::partition(&space, 100)).await, expected);
    }
}

pub(super) async fn prefixes(table: &dyn Table) {
    let names = [
        "JOB",
        "JOB#",
        "JOB#1",
        "JOB#2",
        "JOB#2#x",
        "JOB$",
        "K\u{d7ff}",
        "K\u{d7ff}a",
        "K\u{e000}",
        "K\u{10ffff}",
        "K\u{10ffff}b",
        "L",
    ];
    let space = partition(table, &names).await;
    for prefix in [
        "JOB#",
        "JOB",
        "JOB#2",
        "JOB#2#x",
        "JOB#2#xy",
        "K\u{d7ff}",
        "K\u{10ffff}",
        "K",
        "M",
        "j",
        "\u{10ffff}",
        "",
    ] {
        let expected: Vec<_> = names.into_iter().filter(|name| name.starts_with(prefix)).collect();
        assert_eq!(find(table, &space, Sort::Prefix(prefix.into())).await, expected, "{prefix:?}");
    }
}

pub(super) async fn betweens(table: &dyn Table) {
    let space = partition(table, &ORDERED).await;
    for (low, high) in [
        ("0", "2"),
        ("0", "1~"),
        ("00", "00"),
        ("000", "000"),
        ("!", "~"),
        ("é", "𝒜"),
        ("𝒜", "𝒜𝒜"),
        ("b", "a"),
        ("2", "1"),
    ] {
        let expected: Vec<_> = ORDERED.into_iter().filter(|name| (low..=high).contains(name)).collect();
        assert_eq!(
            find(table, &space, Sort::Between(low.into(), high.into())).await,
            expected,
            "{low:?} to {high:?}"
        );
    }
}

pub(super) async fn pages_make_up_the_whole(table: &dyn Table) {
    let space = partition(table, &ORDERED).await;
    for sort in [
        Sort::All,
        Sort::Prefix("B#".into()),
        Sort::Prefix("0".into()),
        Sort::Between("00".into(), "a".into()),
    ] {
        for descending in [false, true] {
            let whole = Query { descending, ..query(&space, sort.clone()) };
            let expected = items_of(table, &whole).await;
            for limit in [1, 2, 3, 5, 13, 14, 15] {
                let got = items_of(table, &Query { limit, ..whole.clone() }).await;
                assert_eq!(got, expected, "{sort:?}, descending {descending}, by {limit}");
            }
        }
    }
    let first = &pages(table, &Query::partition(&space, 5)).await[0];
    assert_eq!(first.items.len(), 5, "small items fill a page");
}

pub(super) async fn a_page_goes_on_where_an_item_was_deleted(table: &dyn Table) {
    let space = partition(table, &["a", "b", "c", "d"]).await;
    let page = table.query(&Query::partition(&space, 2)).await.expect("query");
    let gone = page.items[1].key.clone();
    write(table, vec![Write::Delete(gone.clone(), Condition::None)]).await.expect("delete");
    assert_eq!(get(table, &gone).await, None);
    let rest = Query { after: page.next, ..Query::partition(&space, 2) };
    assert_eq!(sort_keys(table, &rest).await, ["c", "d"]);
}

pub(super) async fn a_page_goes_on_from_outside_the_range(table: &dyn Table) {
    let space = partition(table, &["a", "b1", "b2", "b3", "c"]).await;
    // What a reader's list was when it began may have changed; the position is still a place.
    for (sk, forward, backward) in [
        ("b0", vec!["b1", "b2", "b3"], vec![]),
        ("b2", vec!["b3"], vec!["b1"]),
        ("b9", vec![], vec!["b3", "b2", "b1"]),
    ] {
        let after = Some(Position { key: Key::new(&space, sk), index: None });
        for sort in [Sort::Prefix("b".into()), Sort::Between("b".into(), "b~".into())] {
            let query = Query { after: after.clone(), ..query(&space, sort) };
            assert_eq!(sort_keys(table, &query).await, forward, "after {sk}");
            assert_eq!(sort_keys(table, &Query { descending: true, ..query }).await, backward, "before {sk}");
        }
    }
}

pub(super) async fn large_items_come_in_several_pages(table: &dyn Table) {
    let space = fresh();
    let names: Vec<_> = (0..8).map(|n| n.to_string()).collect();
    for name in &names {
        put(table, item(&Key::new(&space, name), json!({"text": "x".repeat(300_000)}))).await;
    }
    assert_eq!(find(table, &space, Sort::All).await, names);
}

pub(super) async fn partitions_are_found_by_what_they_begin_with(table: &dyn Table) {
    let space = fresh();
    let any = async |prefix: &str| table.any_partition(prefix).await.expect("any_partition");
    assert!(!any(&space).await);
    let key = Key::new(format!("{space}#1"), "a");
    put(table, Item::new(key.clone())).await;
    for prefix in [&key.pk, &format!("{space}#"), &space] {
        assert!(any(prefix).await, "{prefix}");
    }
    for prefix in [format!("{space}#10"), format!("{space}%"), format!("{space}_"), space.to_uppercase()] {
        assert!(!any(&prefix).await || prefix == space, "{prefix}");
    }
    write(table, vec![Write::Delete(key, Condition::None)]).await.expect("delete");
    assert!(!any(&space).await);
}
