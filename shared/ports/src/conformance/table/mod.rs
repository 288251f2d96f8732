//! What [`Table`] promises, case by case.

use serde_json::Value;

use super::{Case, cases};
use crate::{Condition, Durability, Index, Item, Key, Page, Query, Table, TableError, Write};

mod concurrency;
mod conditions;
mod indexes;
mod items;
mod queries;
mod transactions;
mod updates;

pub(super) fn cases<'a>() -> Vec<Case<'a, &'a dyn Table>> {
    cases! {
        items {
            an_item_comes_back_as_it_was_put,
            a_put_leaves_nothing_of_the_item_before,
            a_delete_removes_the_item,
            attributes_keep_their_values,
            keys_are_told_apart_by_their_bytes,
            items_may_be_large_but_not_too_large,
            get_many_answers_in_order,
            get_many_takes_any_number_of_keys,
            get_many_takes_any_number_of_bytes,
        }
        conditions {
            a_put_needs_its_condition,
            an_update_needs_its_condition,
            a_delete_needs_its_condition,
            a_check_needs_its_condition,
            the_update_that_answers_needs_its_condition,
        }
        transactions {
            a_failed_condition_writes_nothing,
            the_first_failed_condition_is_told,
            all_sorts_of_writes_go_together,
            a_hundred_writes_go_together,
            conditions_are_about_what_was_stored_before,
            what_is_no_transaction_is_refused,
            a_change_that_cannot_be_writes_nothing,
        }
        updates {
            an_update_changes_what_it_says_and_no_more,
            an_update_makes_the_item,
            an_update_without_changes_makes_the_item,
            adding_starts_from_zero,
            adding_to_what_is_no_integer_fails,
            expiry_is_set_and_cleared,
        }
        queries {
            a_partition_is_in_the_order_of_bytes,
            an_empty_partition_has_no_items,
            a_query_keeps_to_its_partition,
            a_query_sees_every_write_before_it,
            prefixes,
            betweens,
            pages_make_up_the_whole,
            a_page_goes_on_where_an_item_was_deleted,
            a_page_goes_on_from_outside_the_range,
            large_items_come_in_several_pages,
            partitions_are_found_by_what_they_begin_with,
        }
        indexes {
            an_index_has_whole_items,
            putting_changes_membership,
            updating_changes_membership,
            index_pages_make_up_the_whole,
            index_pages_with_equal_sort_keys,
            an_index_page_goes_on_where_an_item_was_deleted,
        }
        concurrency {
            one_of_many_creators_wins,
            one_of_many_claimants_wins,
            every_addition_counts,
            every_addition_in_a_transaction_counts,
        }
    }
}

/// An item with these attributes (a JSON object).
fn item(key: &Key, attributes: Value) -> Item {
    let Value::Object(attributes) = attributes else { panic!("attributes are an object: {attributes}") };
    Item { attributes, ..Item::new(key.clone()) }
}

/// Puts the item whatever is there.
async fn put(table: &dyn Table, item: Item) {
    write(table, vec![Write::Put(item, Condition::None)]).await.expect("an unconditional put");
}

/// Puts them all, as many at once as may.
async fn put_all(table: &dyn Table, items: &[Item]) {
    for chunk in items.chunks(crate::table::MAX_WRITES) {
        let writes = chunk.iter().map(|item| Write::Put(item.clone(), Condition::None)).collect();
        write(table, writes).await.expect("unconditional puts");
    }
}

async fn write(table: &dyn Table, writes: Vec<Write>) -> Result<(), TableError> {
    table.write(writes, Durability::Crash).await
}

async fn get(table: &dyn Table, key: &Key) -> Option<Item> {
    table.get(key).await.expect("get")
}

/// All pages of the query, in order. Checks what is true of every page.
async fn pages(table: &dyn Table, query: &Query) -> Vec<Page> {
    let mut query = query.clone();
    let mut pages = Vec::new();
    loop {
        let page = table.query(&query).await.expect("query");
        assert!(page.items.len() <= query.limit, "{} items of at most {}", page.items.len(), query.limit);
        query.after = page.next.clone();
        if let (Some(next), Some(last)) = (&page.next, page.items.last()) {
            let place = match query.index {
                Index::Primary => &None,
                Index::Gsi1 => &last.gsi1,
                Index::Gsi2 => &last.gsi2,
            };
            assert_eq!((&next.key, &next.index), (&last.key, place), "a page's end is its last item");
        }
        pages.push(page);
        assert!(pages.len() < 10_000, "pages without an end");
        if query.after.is_none() {
            return pages;
        }
    }
}

/// All items of the query, in order.
async fn items_of(table: &dyn Table, query: &Query) -> Vec<Item> {
    pages(table, query).await.into_iter().flat_map(|page| page.items).collect()
}

/// The sort keys (in the table) of all items of the query, in order.
async fn sort_keys(table: &dyn Table, query: &Query) -> Vec<String> {
    items_of(table, query).await.into_iter().map(|item| item.key.sk).collect()
}

/// The index of the write whose condition did not hold.
#[track_caller]
fn failed_condition(result: Result<(), TableError>) -> usize {
    match result {
        Err(TableError::Condition { index }) => index,
        other => panic!("expected a failed condition, got {other:?}"),
    }
}

#[track_caller]
fn assert_broken(result: Result<(), TableError>, what: &str) {
    assert!(matches!(result, Err(TableError::Broken(_))), "{what}: expected Broken, got {result:?}");
}
