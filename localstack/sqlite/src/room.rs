//! Gives back to the disk what deleted rows took. SQLite keeps the pages of rows that are gone for rows to come; where
//! many more are free than those will need, some are cut off the file's end, a few at a time.

use rusqlite::{Connection, Result};

/// How SQLite calls files whose pages are freed when that is asked for.
const INCREMENTAL: i64 = 2;
/// How many pages are freed in one commit: about as long a one as others are.
const STEP: i64 = 128;
/// How many free pages are kept in any case, and which part of the file: they will be used again.
const KEPT: i64 = 256;
const KEPT_PART: i64 = 8;
/// The most pages of a file from before there was this that is written anew at the start of a server, in a second or two:
/// 64 MB.
pub(super) const AT_START: i64 = 16 << 10;

/// Lets a file that has nothing in it yet shrink later.
pub(super) fn let_shrink(connection: &Connection) -> Result<()> {
    connection.pragma_update(None, "auto_vacuum", INCREMENTAL)
}

/// Lets a file that was made without that shrink later, which writes all of it anew, if it has no more pages than `most`.
/// A larger one stays as it is, and so does one that there is no room to write anew.
pub(super) fn convert(connection: &Connection, most: i64) -> Result<()> {
    if number(connection, "auto_vacuum")? == INCREMENTAL {
        return Ok(());
    }
    let pages = number(connection, "page_count")?;
    if pages > most {
        tracing::warn!(
            megabytes = pages * number(connection, "page_size")? / (1 << 20),
            "the database's file was made by an earlier version and will not shrink when rows are deleted; to change that, \
             back it up and restore the backup (function-runner backup, function-runner restore)"
        );
        return Ok(());
    }
    let_shrink(connection)?;
    if let Err(error) = connection.execute_batch("VACUUM") {
        tracing::warn!(%error, "the database's file could not be rewritten, so it will not shrink when rows are deleted; it will be tried again at the next start");
    }
    Ok(())
}

/// Frees some pages, if there are more than are worth keeping. Whether there are still.
pub(super) fn shrink(connection: &Connection) -> Result<bool> {
    let (pages, free) = (number(connection, "page_count")?, number(connection, "freelist_count")?);
    let surplus = free - KEPT.max(pages / KEPT_PART);
    if surplus <= 0 || number(connection, "auto_vacuum")? != INCREMENTAL {
        return Ok(false);
    }
    let mut freeing = connection.prepare(&format!("PRAGMA incremental_vacuum({})", surplus.min(STEP)))?;
    // A row for each page.
    let mut freed = freeing.query([])?;
    while freed.next()?.is_some() {}
    Ok(surplus > STEP)
}

fn number(connection: &Connection, pragma: &str) -> Result<i64> {
    connection.pragma_query_value(None, pragma, |row| row.get(0))
}
