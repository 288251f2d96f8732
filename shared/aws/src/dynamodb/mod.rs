//! The table on DynamoDB: keys `PK` and `SK`, indexes `GSI1` (`GSI1PK`, `GSI1SK`) and `GSI2` that hold whole items
//! (projection `ALL`), time to live by `ttl`, all strings but that.
//!
//! Needs of IAM, on the table and its indexes: `GetItem`, `BatchGetItem`, `Query`; to write also `PutItem`,
//! `UpdateItem`, `DeleteItem`, `ConditionCheckItem` (a transaction needs the actions of its parts); `Scan` for
//! [`Table::any_partition`].

mod call;
mod expression;
mod item;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Delete, KeysAndAttributes, Put, ReturnValue, TransactWriteItem, Update,
};
use ports::table::check_together;
use ports::{
    Change, Condition, Durability, Index, Item, Key, Page, Position, Query, Table, TableError, Write,
};

use self::call::{Repeat, call};
use self::expression::Placeholders;
use self::item::Wire;

/// The most keys that DynamoDB takes of one `BatchGetItem`.
const MAX_BATCH: usize = 100;

/// [`Table`] on DynamoDB.
#[derive(Clone, Debug)]
pub struct DynamoDbTable {
    client: Client,
    name: String,
}

impl DynamoDbTable {
    /// The table of this name.
    pub fn new(sdk: &SdkConfig, name: impl Into<String>) -> Self {
        // A lost SYN is sent again after a second. A write that may not be done twice is not tried again once it had no
        // answer, so an answer that is late has to be waited for.
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(2))
            .operation_attempt_timeout(Duration::from_secs(8))
            .build();
        // Tried again by `call`, which knows what may be tried again and what may have been done already.
        let config = aws_sdk_dynamodb::config::Builder::from(sdk)
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts)
            .build();
        Self { client: Client::from_conf(config), name: name.into() }
    }

    async fn put_one(&self, item: Item, condition: &Condition) -> Result<(), TableError> {
        let mut to = Placeholders::default();
        let request = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(item::to_wire(item)?))
            .set_condition_expression(expression::condition(condition, &mut to)?)
            .set_expression_attribute_names(to.names())
            .set_expression_attribute_values(to.into_values());
        call(Repeat::Always, || request.clone().send()).await.map(drop)
    }

    async fn delete_one(&self, key: &Key, condition: &Condition) -> Result<(), TableError> {
        let mut to = Placeholders::default();
        let request = self
            .client
            .delete_item()
            .table_name(&self.name)
            .set_key(Some(item::key_to_wire(key, item::PRIMARY)?))
            .set_condition_expression(expression::condition(condition, &mut to)?)
            .set_expression_attribute_names(to.names())
            .set_expression_attribute_values(to.into_values());
        call(Repeat::Always, || request.clone().send()).await.map(drop)
    }

    async fn update_one(
        &self,
        key: &Key,
        changes: Vec<Change>,
        condition: &Condition,
        answer: ReturnValue,
    ) -> Result<Option<Wire>, TableError> {
        let counts = changes.iter().any(|change| matches!(change, Change::Add(..)));
        let mut to = Placeholders::default();
        let request = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(item::key_to_wire(key, item::PRIMARY)?))
            .set_update_expression(expression::update(changes, &mut to)?)
            .set_condition_expression(expression::condition(condition, &mut to)?)
            .return_values(answer)
            .set_expression_attribute_names(to.names())
            .set_expression_attribute_values(to.into_values());
        let repeat = if counts { Repeat::IfNotDone } else { Repeat::Always };
        Ok(call(repeat, || request.clone().send()).await?.attributes)
    }

    async fn write_together(&self, writes: Vec<Write>) -> Result<(), TableError> {
        let parts = writes.into_iter().map(|write| self.part(write)).collect::<Result<Vec<_>, _>>()?;
        // The same for every try, so that a try whose answer was lost is not done again.
        let token = token()?;
        let request =
            self.client.transact_write_items().set_transact_items(Some(parts)).client_request_token(token);
        call::transact(|| request.clone().send()).await.map(drop)
    }

    /// A write as part of a transaction.
    fn part(&self, write: Write) -> Result<TransactWriteItem, TableError> {
        let mut to = Placeholders::default();
        let condition = expression::condition(write.condition(), &mut to)?;
        let part = TransactWriteItem::builder();
        Ok(match write {
            Write::Put(item, _) => part.put(
                Put::builder()
                    .table_name(&self.name)
                    .set_item(Some(item::to_wire(item)?))
                    .set_condition_expression(condition)
                    .set_expression_attribute_names(to.names())
                    .set_expression_attribute_values(to.into_values())
                    .build()
                    .map_err(unfinished)?,
            ),
            Write::Update(key, changes, _) => {
                // Here, unlike in UpdateItem, there must be an expression.
                let update = match expression::update(changes, &mut to)? {
                    Some(update) => update,
                    None => expression::no_update(&mut to),
                };
                part.update(
                    Update::builder()
                        .table_name(&self.name)
                        .set_key(Some(item::key_to_wire(&key, item::PRIMARY)?))
                        .update_expression(update)
                        .set_condition_expression(condition)
                        .set_expression_attribute_names(to.names())
                        .set_expression_attribute_values(to.into_values())
                        .build()
                        .map_err(unfinished)?,
                )
            }
            Write::Delete(key, _) => part.delete(
                Delete::builder()
                    .table_name(&self.name)
                    .set_key(Some(item::key_to_wire(&key, item::PRIMARY)?))
                    .set_condition_expression(condition)
                    .set_expression_attribute_names(to.names())
                    .set_expression_attribute_values(to.into_values())
                    .build()
                    .map_err(unfinished)?,
            ),
            Write::Check(key, _) => part.condition_check(
                ConditionCheck::builder()
                    .table_name(&self.name)
                    .set_key(Some(item::key_to_wire(&key, item::PRIMARY)?))
                    // A check of nothing is no check in DynamoDB; this one always holds.
                    .condition_expression(
                        condition
                            .unwrap_or_else(|| "attribute_exists(PK) OR attribute_not_exists(PK)".to_owned()),
                    )
                    .set_expression_attribute_names(to.names())
                    .set_expression_attribute_values(to.into_values())
                    .build()
                    .map_err(unfinished)?,
            ),
        }
        .build())
    }

    /// One `BatchGetItem` and what it left over, until nothing is.
    async fn batch(&self, keys: &[&Key], found: &mut HashMap<Key, Item>) -> Result<(), TableError> {
        let wired =
            keys.iter().map(|key| item::key_to_wire(key, item::PRIMARY)).collect::<Result<Vec<_>, _>>()?;
        let mut wanted = KeysAndAttributes::builder()
            .set_keys(Some(wired))
            .consistent_read(true)
            .build()
            .map_err(unfinished)?;
        let mut backoff = call::backoff();
        loop {
            let request = self.client.batch_get_item().request_items(&self.name, wanted);
            let answer = call(Repeat::Always, || request.clone().send()).await?;
            for wire in answer.responses.into_iter().flatten().flat_map(|(_, items)| items) {
                let item = item::from_wire(wire)?;
                found.insert(item.key.clone(), item);
            }
            match answer.unprocessed_keys.and_then(|mut left| left.remove(&self.name)) {
                Some(left) if !left.keys().is_empty() => wanted = left,
                _ => return Ok(()),
            }
            if !backoff.wait().await {
                return Err(TableError::Unavailable("a batch of reads was not finished in time".into()));
            }
        }
    }
}

#[async_trait]
impl Table for DynamoDbTable {
    async fn get(&self, key: &Key) -> Result<Option<Item>, TableError> {
        let request = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(item::key_to_wire(key, item::PRIMARY)?))
            .consistent_read(true);
        let answer = call(Repeat::Always, || request.clone().send()).await?;
        answer.item.map(item::from_wire).transpose()
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, TableError> {
        // DynamoDB refuses a batch that names a key twice.
        let mut seen = HashSet::new();
        let wanted: Vec<&Key> = keys.iter().filter(|key| seen.insert(*key)).collect();
        let mut found = HashMap::with_capacity(wanted.len());
        for batch in wanted.chunks(MAX_BATCH) {
            self.batch(batch, &mut found).await?;
        }
        Ok(keys.iter().map(|key| found.get(key).cloned()).collect())
    }

    async fn query(&self, query: &Query) -> Result<Page, TableError> {
        let names = match query.index {
            Index::Primary => item::PRIMARY,
            Index::Gsi1 => item::GSI1,
            Index::Gsi2 => item::GSI2,
        };
        let mut to = Placeholders::default();
        let Some(condition) = expression::key_condition(query, names, &mut to) else {
            return Ok(Page::default());
        };
        // One more than asked for tells whether there is more, without an empty page at the end.
        let limit = query.limit.clamp(1, 10_000);
        let request = self
            .client
            .query()
            .table_name(&self.name)
            .set_index_name(index_name(query.index))
            .consistent_read(query.index == Index::Primary)
            .key_condition_expression(condition)
            .set_expression_attribute_values(to.into_values())
            .scan_index_forward(!query.descending)
            .limit(i32::try_from(limit + 1).unwrap_or(i32::MAX))
            .set_exclusive_start_key(
                query.after.as_ref().map(|after| start_key(after, query.index)).transpose()?,
            );
        let answer = call(Repeat::Always, || request.clone().send()).await?;
        let mut items =
            answer.items.into_iter().flatten().map(item::from_wire).collect::<Result<Vec<_>, _>>()?;
        let next = if items.len() > limit {
            items.truncate(limit);
            items.last().map(|last| position_of(last, query.index))
        } else {
            answer.last_evaluated_key.map(|key| end_position(key, query.index)).transpose()?
        };
        Ok(Page { items, next })
    }

    async fn any_partition(&self, prefix: &str) -> Result<bool, TableError> {
        let mut from = None;
        loop {
            let request = self
                .client
                .scan()
                .table_name(&self.name)
                .consistent_read(true)
                .filter_expression("begins_with(PK, :prefix)")
                .expression_attribute_values(":prefix", AttributeValue::S(prefix.to_owned()))
                .projection_expression("PK")
                .set_exclusive_start_key(from);
            let answer = call(Repeat::Always, || request.clone().send()).await?;
            from = answer.last_evaluated_key;
            if answer.count > 0 {
                return Ok(true);
            }
            if from.is_none() {
                return Ok(false);
            }
        }
    }

    async fn write(&self, mut writes: Vec<Write>, _durability: Durability) -> Result<(), TableError> {
        check_together(&writes)?;
        if writes.len() > 1 || matches!(writes[0], Write::Check(..)) {
            return self.write_together(writes).await;
        }
        // By itself a write costs half of what it does in a transaction.
        match writes.remove(0) {
            Write::Put(item, condition) => self.put_one(item, &condition).await,
            Write::Update(key, changes, condition) => {
                self.update_one(&key, changes, &condition, ReturnValue::None).await.map(drop)
            }
            Write::Delete(key, condition) => self.delete_one(&key, &condition).await,
            check @ Write::Check(..) => self.write_together(vec![check]).await,
        }
    }

    async fn update(&self, key: Key, changes: Vec<Change>, condition: Condition) -> Result<Item, TableError> {
        let wire = self.update_one(&key, changes, &condition, ReturnValue::AllNew).await?;
        item::from_wire(
            wire.ok_or_else(|| TableError::Broken("UpdateItem did not answer with the item".into()))?,
        )
    }

    /// Reads a key where nothing lies: needs no more of IAM than any read, and leaves the connection warm.
    async fn health(&self) -> Result<(), TableError> {
        self.get(&Key::new("HEALTH", "HEALTH")).await.map(drop)
    }
}

fn index_name(index: Index) -> Option<String> {
    match index {
        Index::Primary => None,
        Index::Gsi1 => Some("GSI1".to_owned()),
        Index::Gsi2 => Some("GSI2".to_owned()),
    }
}

fn position_of(item: &Item, index: Index) -> Position {
    let place = match index {
        Index::Primary => None,
        Index::Gsi1 => item.gsi1.clone(),
        Index::Gsi2 => item.gsi2.clone(),
    };
    Position { key: item.key.clone(), index: place }
}

fn start_key(after: &Position, index: Index) -> Result<Wire, TableError> {
    let mut wire = item::key_to_wire(&after.key, item::PRIMARY)?;
    let names = match index {
        Index::Primary => return Ok(wire),
        Index::Gsi1 => item::GSI1,
        Index::Gsi2 => item::GSI2,
    };
    let place =
        after.index.as_ref().ok_or_else(|| TableError::Broken("a position of another index".into()))?;
    wire.extend(item::key_to_wire(place, names)?);
    Ok(wire)
}

fn end_position(mut key: Wire, index: Index) -> Result<Position, TableError> {
    let half = || TableError::Broken("a page ended at no key".into());
    let place = match index {
        Index::Primary => None,
        Index::Gsi1 => Some(item::key_from_wire(&mut key, item::GSI1)?.ok_or_else(half)?),
        Index::Gsi2 => Some(item::key_from_wire(&mut key, item::GSI2)?.ok_or_else(half)?),
    };
    Ok(Position { key: item::key_from_wire(&mut key, item::PRIMARY)?.ok_or_else(half)?, index: place })
}

/// 128 random bits, in hex.
fn token() -> Result<String, TableError> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| TableError::Unavailable(error.to_string()))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A request that lacks something that it must have: a defect here.
fn unfinished(error: aws_sdk_dynamodb::error::BuildError) -> TableError {
    TableError::Broken(error.to_string())
}
