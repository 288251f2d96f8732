//! Items as rows.

use ports::{Attributes, Item, Key};
use rusqlite::types::{Type, ValueRef};
use rusqlite::{Connection, Error, OptionalExtension, Result, Row, params};

/// What [`item`] reads, in its order.
pub(super) const COLUMNS: &str = "pk, sk, gsi1pk, gsi1sk, gsi2pk, gsi2sk, ttl, body";

const BODY: usize = 7;

const GET: &str =
    "SELECT pk, sk, gsi1pk, gsi1sk, gsi2pk, gsi2sk, ttl, body FROM items WHERE pk = ?1 AND sk = ?2";
const PUT: &str = "INSERT INTO items (pk, sk, gsi1pk, gsi1sk, gsi2pk, gsi2sk, ttl, body)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
    ON CONFLICT (pk, sk) DO UPDATE SET gsi1pk = ?3, gsi1sk = ?4, gsi2pk = ?5, gsi2sk = ?6, ttl = ?7, body = ?8";
const ADD: &str = "INSERT INTO items (pk, sk, gsi1pk, gsi1sk, gsi2pk, gsi2sk, ttl, body)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (pk, sk) DO NOTHING";
const CHANGE: &str = "UPDATE items SET body = ?3 WHERE pk = ?1 AND sk = ?2";
const DELETE: &str = "DELETE FROM items WHERE pk = ?1 AND sk = ?2";
const EXPIRE: &str = "DELETE FROM items WHERE rowid IN (SELECT rowid FROM items WHERE ttl <= ?1 LIMIT ?2)";

/// All of these, for the test of their plans.
#[cfg(test)]
pub(super) const STATEMENTS: [&str; 6] = [GET, PUT, ADD, CHANGE, DELETE, EXPIRE];

/// The item in a row of [`COLUMNS`].
pub(super) fn item(row: &Row<'_>) -> Result<Item> {
    Ok(Item {
        key: Key { pk: row.get(0)?, sk: row.get(1)? },
        gsi1: place(row, 2)?,
        gsi2: place(row, 4)?,
        ttl: row.get(6)?,
        attributes: attributes(row)?,
    })
}

/// How many bytes of attributes there are in a row of [`COLUMNS`].
pub(super) fn body_len(row: &Row<'_>) -> Result<usize> {
    Ok(row.get_ref(BODY)?.as_bytes().map_or(0, <[u8]>::len))
}

/// The item at the key.
pub(super) fn get(connection: &Connection, key: &Key) -> Result<Option<Item>> {
    connection.prepare_cached(GET)?.query_row([&key.pk, &key.sk], item).optional()
}

/// The item at the key, and how many bytes of attributes it has.
pub(super) fn get_sized(connection: &Connection, key: &Key) -> Result<Option<(Item, usize)>> {
    let sized = |row: &Row<'_>| Ok((item(row)?, body_len(row)?));
    connection.prepare_cached(GET)?.query_row([&key.pk, &key.sk], sized).optional()
}

/// Stores the item in place of any at its key. `body` is what [`body`] makes of it.
pub(super) fn put(connection: &Connection, item: &Item, body: &str) -> Result<()> {
    store(connection, PUT, item, body).map(drop)
}

/// Stores the item if there is none at its key. Whether there was none.
pub(super) fn add(connection: &Connection, item: &Item, body: &str) -> Result<bool> {
    Ok(store(connection, ADD, item, body)? > 0)
}

fn store(connection: &Connection, statement: &str, item: &Item, body: &str) -> Result<usize> {
    let [gsi1, gsi2] = [&item.gsi1, &item.gsi2].map(Option::as_ref);
    connection.prepare_cached(statement)?.execute(params![
        item.key.pk,
        item.key.sk,
        gsi1.map(|key| &key.pk),
        gsi1.map(|key| &key.sk),
        gsi2.map(|key| &key.pk),
        gsi2.map(|key| &key.sk),
        item.ttl,
        body
    ])
}

/// Stores the item's attributes. It is there, and where it was in the indexes.
pub(super) fn put_attributes(connection: &Connection, item: &Item, body: &str) -> Result<()> {
    connection.prepare_cached(CHANGE)?.execute(params![item.key.pk, item.key.sk, body])?;
    Ok(())
}

/// The item's attributes as they are stored.
pub(super) fn body(item: &Item) -> Result<String> {
    serde_json::to_string(&item.attributes).map_err(|error| Error::ToSqlConversionFailure(Box::new(error)))
}

/// Removes the item at the key, if there is one.
pub(super) fn delete(connection: &Connection, key: &Key) -> Result<()> {
    connection.prepare_cached(DELETE)?.execute([&key.pk, &key.sk])?;
    Ok(())
}

/// Removes up to `limit` items whose expiry is at or before `now`, in seconds; how many those were.
pub(super) fn expire(connection: &Connection, now: i64, limit: usize) -> Result<usize> {
    connection.prepare_cached(EXPIRE)?.execute(params![now, i64::try_from(limit).unwrap_or(i64::MAX)])
}

fn place(row: &Row<'_>, column: usize) -> Result<Option<Key>> {
    let pk: Option<String> = row.get(column)?;
    pk.map(|pk| Ok(Key { pk, sk: row.get(column + 1)? })).transpose()
}

fn attributes(row: &Row<'_>) -> Result<Attributes> {
    let body = match row.get_ref(BODY)? {
        ValueRef::Text(body) => body,
        other => return Err(Error::InvalidColumnType(BODY, "body".into(), other.data_type())),
    };
    serde_json::from_slice(body)
        .map_err(|error| Error::FromSqlConversionFailure(BODY, Type::Text, Box::new(error)))
}
