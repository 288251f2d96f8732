use serde_json::json;

use super::{item, items_of, put, put_all, sort_keys, write};
use crate::conformance::{eventually, fresh};
use crate::{Change, Condition, Index, Item, Key, Query, Sort, Table, Write};

const BOTH: [Index; 2] = [Index::Gsi1, Index::Gsi2];

fn query(index: Index, partition: &str) -> Query {
    Query { index, ..Query::partition(partition, 100) }
}

/// The item with a place in the index.
fn placed(mut item: Item, index: Index, place: Option<Key>) -> Item {
    match index {
        Index::Primary => panic!("the table is no index"),
        Index::Gsi1 => item.gsi1 = place,
        Index::Gsi2 => item.gsi2 = place,
    }
    item
}

fn change(index: Index, place: Option<Key>) -> Change {
    if index == Index::Gsi1 { Change::Gsi1(place) } else { Change::Gsi2(place) }
}

pub(super) async fn an_index_has_whole_items(table: &dyn Table) {
    let (first, second) = (fresh(), fresh());
    let mut whole = item(&Key::new(fresh(), "META"), json!({"a": {"b": [1, null]}, "text": "x"}));
    whole.gsi1 = Some(Key::new(&first, "1"));
    whole.gsi2 = Some(Key::new(&second, "2"));
    whole.ttl = Some(4_102_444_800);
    put(table, whole.clone()).await;
    for (index, partition) in [(Index::Gsi1, &first), (Index::Gsi2, &second)] {
        eventually(vec![whole.clone()], async || items_of(table, &query(index, partition)).await).await;
    }
    assert_eq!(items_of(table, &query(Index::Gsi2, &first)).await, [], "each index has its own places");
    assert_eq!(items_of(table, &query(Index::Primary, &first)).await, []);
}

pub(super) async fn putting_changes_membership(table: &dyn Table) {
    for index in BOTH {
        let (here, there, key) = (fresh(), fresh(), Key::new(fresh(), "META"));
        let places = [
            Some(Key::new(&here, "a")),
            Some(Key::new(&here, "b")),
            Some(Key::new(&there, "b")),
            None,
            Some(Key::new(&here, "c")),
        ];
        for (n, place) in places.into_iter().enumerate() {
            let item = placed(item(&key, json!({"n": n})), index, place.clone());
            put(table, item.clone()).await;
            for partition in [&here, &there] {
                let is_here = place.as_ref().is_some_and(|place| place.pk == *partition);
                let expected: Vec<_> = is_here.then(|| item.clone()).into_iter().collect();
                eventually(expected, async || items_of(table, &query(index, partition)).await).await;
            }
        }
        write(table, vec![Write::Delete(key, Condition::None)]).await.expect("delete");
        eventually(vec![], async || items_of(table, &query(index, &here)).await).await;
    }
}

pub(super) async fn updating_changes_membership(table: &dyn Table) {
    for index in BOTH {
        let (here, there, key) = (fresh(), fresh(), Key::new(fresh(), "META"));
        let places = [
            Some(Key::new(&here, "a")),
            Some(Key::new(&here, "b")),
            Some(Key::new(&there, "b")),
            None,
            None,
            Some(Key::new(&here, "c")),
        ];
        for (n, place) in places.into_iter().enumerate() {
            let changes = vec![change(index, place.clone()), Change::Set("n".into(), n.into())];
            let updated = table.update(key.clone(), changes, Condition::None).await.expect("update");
            assert_eq!(updated, placed(item(&key, json!({"n": n})), index, place.clone()));
            for partition in [&here, &there] {
                let is_here = place.as_ref().is_some_and(|place| place.pk == *partition);
                let expected: Vec<_> = is_here.then(|| updated.clone()).into_iter().collect();
                eventually(expected, async || items_of(table, &query(index, partition)).await).await;
            }
        }
        // A change of something else shows in the index, and leaves the place.
        table
            .update(key.clone(), vec![Change::Set("n".into(), "new".into())], Condition::None)
            .await
            .expect("update");
        let expected = placed(item(&key, json!({"n": "new"})), index, Some(Key::new(&here, "c")));
        eventually(vec![expected], async || items_of(table, &query(index, &here)).await).await;
    }
}

/// Puts items with these sort keys in the index, and waits until they are there.
async fn partition(table: &dyn Table, index: Index, sort: &[&str]) -> String {
    let (partition, space) = (fresh(), fresh());
    let items: Vec<_> = sort
        .iter()
        .enumerate()
        .map(|(n, sk)| {
            // Their order in the table is not that in the index, and not all are in one partition of it.
            let key = Key::new(format!("{space}#{}", n % 3), format!("{}", (n * 7) % 10));
            placed(item(&key, json!({"n": n})), index, Some(Key::new(&partition, *sk)))
        })
        .collect();
    put_all(table, &items).await;
    eventually(items.len(), async || items_of(table, &query(index, &partition)).await.len()).await;
    partition
}

fn sort_key(item: &Item, index: Index) -> &str {
    let place = if index == Index::Gsi1 { &item.gsi1 } else { &item.gsi2 };
    &place.as_ref().expect("it is in the index").sk
}

pub(super) async fn index_pages_make_up_the_whole(table: &dyn Table) {
    let names = ["J#1", "J#10", "J#2", "J#é", "J#\u{ff41}", "J#𝒜", "K", "L#1", "L#2", "M"];
    for index in BOTH {
        let partition = partition(table, index, &names).await;
        let sorts = [
            Sort::All,
            Sort::Prefix("J#".into()),
            Sort::Prefix("none".into()),
            Sort::Between("J#2".into(), "L#1".into()),
        ];
        for sort in sorts {
            for descending in [false, true] {
                let whole = Query { sort: sort.clone(), descending, ..query(index, &partition) };
                let mut expected: Vec<_> = names
                    .into_iter()
                    .filter(|name| match &sort {
                        Sort::All => true,
                        Sort::Prefix(prefix) => name.starts_with(prefix.as_str()),
                        Sort::Between(low, high) => (low.as_str()..=high.as_str()).contains(name),
                    })
                    .collect();
                if descending {
                    expected.reverse();
                }
                for limit in [1, 2, 3, 100] {
                    let got = items_of(table, &Query { limit, ..whole.clone() }).await;
                    let got: Vec<_> = got.iter().map(|item| sort_key(item, index)).collect();
                    assert_eq!(got, expected, "{index:?}, {sort:?}, descending {descending}, by {limit}");
                }
            }
        }
    }
}

pub(super) async fn index_pages_with_equal_sort_keys(table: &dyn Table) {
    for index in BOTH {
        let partition = partition(table, index, &["a", "b", "b", "b", "b", "b", "b", "b", "c", "c"]).await;
        for descending in [false, true] {
            for sort in [Sort::All, Sort::Prefix("b".into()), Sort::Between("b".into(), "c".into())] {
                let whole = Query { sort, descending, ..query(index, &partition) };
                let expected = items_of(table, &whole).await;
                for limit in [1, 2, 3] {
                    let got = items_of(table, &Query { limit, ..whole.clone() }).await;
                    assert_eq!(got, expected, "the order stays, and each comes once: {whole:?} by {limit}");
                }
            }
        }
    }
}

pub(super) async fn an_index_page_goes_on_where_an_item_was_deleted(table: &dyn Table) {
    for index in BOTH {
        let partition = partition(table, index, &["a", "b", "b", "b", "c"]).await;
        let whole = query(index, &partition);
        let order = items_of(table, &whole).await;
        let page = table.query(&Query { limit: 3, ..whole.clone() }).await.expect("query");
        assert_eq!(page.items, order[..3]);
        write(table, vec![Write::Delete(order[2].key.clone(), Condition::None)]).await.expect("delete");
        eventually(4, async || items_of(table, &whole).await.len()).await;
        let rest = Query { after: page.next, limit: 1, ..whole };
        let expected: Vec<_> = order[3..].iter().map(|item| item.key.sk.clone()).collect();
        assert_eq!(sort_keys(table, &rest).await, expected);
    }
}
