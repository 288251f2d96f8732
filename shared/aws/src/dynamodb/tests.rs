//! What is tried again and what is not, answer by answer, against a client whose answers are written here.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::operation::batch_get_item::BatchGetItemOutput;
use aws_sdk_dynamodb::operation::put_item::PutItemOutput;
use aws_sdk_dynamodb::operation::transact_write_items::{TransactWriteItemsError, TransactWriteItemsOutput};
use aws_sdk_dynamodb::types::CancellationReason;
use aws_sdk_dynamodb::types::error::TransactionCanceledException;
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};

use super::*;

/// A table whose client answers by these rules, in their order.
fn table(rules: &[&Rule]) -> DynamoDbTable {
    let client = mock_client!(aws_sdk_dynamodb, RuleMode::Sequential, rules, |config| config
        .retry_config(RetryConfig::disabled()));
    DynamoDbTable { client, name: "table".into() }
}

fn error(code: &str) -> Option<String> {
    Some(format!(r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{code}","message":"{code} it is"}}"#))
}

fn item(sk: &str) -> Item {
    Item::new(Key::new("P", sk))
}

async fn put(table: &DynamoDbTable) -> Result<(), TableError> {
    table.write(vec![Write::Put(item("a"), Condition::Absent)], Durability::Crash).await
}

#[tokio::test(start_paused = true)]
async fn throttles_and_outages_are_tried_again() {
    let put_rule = mock!(Client::put_item)
        .sequence()
        .http_status(400, error("ThrottlingException"))
        .http_status(400, error("TransactionConflictException"))
        .http_status(500, error("InternalServerError"))
        .http_status(503, None)
        .output(|| PutItemOutput::builder().build())
        .build();
    put(&table(&[&put_rule])).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_outage_without_end_is_unavailable() {
    let rule = mock!(Client::put_item)
        .sequence()
        .http_status(500, error("InternalServerError"))
        .repeatedly()
        .build();
    let fault = put(&table(&[&rule])).await.unwrap_err();
    assert!(matches!(fault, TableError::Unavailable(_)), "{fault:?}");
    assert!(rule.num_calls() > 3);
}

#[tokio::test(start_paused = true)]
async fn a_condition_that_our_own_lost_write_may_have_broken_is_in_doubt() {
    let refused =
        || mock!(Client::put_item).sequence().http_status(400, error("ConditionalCheckFailedException"));
    let sure = refused().build();
    assert!(matches!(put(&table(&[&sure])).await, Err(TableError::Condition { index: 0 })));

    let lost = mock!(Client::put_item).sequence().http_status(500, error("InternalServerError")).build();
    let after = refused().build();
    assert!(matches!(put(&table(&[&lost, &after])).await, Err(TableError::Unavailable(_))));

    // What was turned away was not done, so there is no doubt.
    let turned_away =
        mock!(Client::put_item).sequence().http_status(400, error("ThrottlingException")).build();
    let after = refused().build();
    assert!(matches!(put(&table(&[&turned_away, &after])).await, Err(TableError::Condition { index: 0 })));
}

#[tokio::test(start_paused = true)]
async fn what_counts_is_never_counted_twice() {
    let lost = mock!(Client::update_item)
        .sequence()
        .http_status(500, error("InternalServerError"))
        .repeatedly()
        .build();
    let table = table(&[&lost]);
    let update = |change| table.update(Key::new("P", "a"), vec![change], Condition::None);
    let fault = update(Change::Add("n".into(), 1)).await.unwrap_err();
    assert!(matches!(fault, TableError::Unavailable(_)), "{fault:?}");
    assert_eq!(lost.num_calls(), 1);
    assert!(update(Change::Set("n".into(), 1.into())).await.is_err());
    assert!(lost.num_calls() > 2, "setting twice is as good as once");
}

#[tokio::test(start_paused = true)]
async fn a_transaction_in_conflict_is_tried_again_under_its_token() {
    let tokens = Arc::new(Mutex::new(Vec::new()));
    let seen = tokens.clone();
    let conflict = || {
        let reasons =
            ["None", "TransactionConflict"].map(|code| CancellationReason::builder().code(code).build());
        let cancelled =
            TransactionCanceledException::builder().set_cancellation_reasons(Some(reasons.into())).build();
        TransactWriteItemsError::TransactionCanceledException(cancelled)
    };
    let rule = mock!(Client::transact_write_items)
        .match_requests(move |input| {
            seen.lock().unwrap().push(input.client_request_token().unwrap().to_owned());
            true
        })
        .sequence()
        .error(conflict)
        .http_status(500, error("InternalServerError"))
        .http_status(400, error("TransactionInProgressException"))
        .output(|| TransactWriteItemsOutput::builder().build())
        .build();
    let table = table(&[&rule]);
    let writes =
        || vec![Write::Put(item("a"), Condition::None), Write::Delete(Key::new("P", "b"), Condition::None)];
    table.write(writes(), Durability::Crash).await.unwrap();
    let tokens = tokens.lock().unwrap().clone();
    assert!(tokens.len() >= 4 && tokens.iter().collect::<HashSet<_>>().len() == 1, "{tokens:?}");
}

#[tokio::test(start_paused = true)]
async fn what_a_batch_leaves_over_is_asked_for_again() {
    let page = |found: &str, left: Option<&str>| {
        let found = item::to_wire(item(found)).unwrap();
        let left = left.map(|sk| {
            let key = item::key_to_wire(&Key::new("P", sk), item::PRIMARY).unwrap();
            [("table".to_owned(), KeysAndAttributes::builder().keys(key).build().unwrap())].into()
        });
        BatchGetItemOutput::builder().responses("table", vec![found]).set_unprocessed_keys(left).build()
    };
    let first = mock!(Client::batch_get_item)
        .match_requests(|input| input.request_items().unwrap()["table"].keys().len() == 2)
        .then_output(move || page("a", Some("b")));
    let second = mock!(Client::batch_get_item)
        .match_requests(|input| input.request_items().unwrap()["table"].keys().len() == 1)
        .then_output(move || page("b", None));
    let keys = ["b", "a"].map(|sk| Key::new("P", sk));
    let found = table(&[&first, &second]).get_many(&keys).await.unwrap();
    assert_eq!(found, [Some(item("b")), Some(item("a"))]);
}
