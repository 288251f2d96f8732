//! The tables, and how those of older versions become those of today.

use std::io::Read;
use std::path::Path;

use files::open_private;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, TransactionBehavior};

use super::{OpenError, connection, room};

/// What brings version `n` to `n + 1`, from 0 (an empty file). Only ever added to.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001.sql"),
    include_str!("migrations/0002.sql"),
    include_str!("migrations/0003.sql"),
];

/// The schema version that this program writes.
pub const SCHEMA_VERSION: i64 = MIGRATIONS.len() as i64;

/// Marks the file as ours, where `file(1)` and other programs look: "FRun".
const APPLICATION_ID: i64 = 0x4652_756e;

const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Opens the database for the writer, as new or brought up to date. A file that is not ours, or is newer than this
/// program, stays as it is.
pub(super) fn open(path: &Path) -> Result<Connection, OpenError> {
    check_magic(path)?;
    let of_sqlite = |error| OpenError::of_sqlite(path, error);
    let mut connection = connection::writer(path).map_err(of_sqlite)?;
    // Until we know whose it is, closing it must not fold its log into it.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(of_sqlite)?;
    let version = owned_version(&connection, path)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false).map_err(of_sqlite)?;
    if version == 0 {
        room::let_shrink(&connection).map_err(of_sqlite)?;
    }
    connection::configure_writer(&connection).map_err(of_sqlite)?;
    migrate(&mut connection, MIGRATIONS, version).map_err(of_sqlite)?;
    room::convert(&connection, room::AT_START).map_err(of_sqlite)?;
    Ok(connection)
}

/// Looks before SQLite does. Makes the file where there is none, for this user only.
fn check_magic(path: &Path) -> Result<(), OpenError> {
    let io = |source| OpenError::Io { path: path.to_owned(), source };
    let mut head = Vec::new();
    open_private(path).and_then(|file| file.take(16).read_to_end(&mut head)).map_err(io)?;
    if head.is_empty() || head == MAGIC {
        return Ok(());
    }
    Err(OpenError::Foreign {
        path: path.to_owned(),
        reason: "it does not begin as an SQLite database does".into(),
    })
}

/// The schema version of a database that is ours; 0 for an empty one.
fn owned_version(connection: &Connection, path: &Path) -> Result<i64, OpenError> {
    let read = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let of_sqlite = |error| OpenError::of_sqlite(path, error);
    let tables = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0));
    let (tables, id) = (tables.map_err(of_sqlite)?, read("application_id").map_err(of_sqlite)?);
    let version = read("user_version").map_err(of_sqlite)?;
    if tables == 0 && id == 0 && version == 0 {
        return Ok(0);
    }
    if id != APPLICATION_ID {
        let reason = "it is another program's SQLite database".into();
        return Err(OpenError::Foreign { path: path.to_owned(), reason });
    }
    if version > SCHEMA_VERSION {
        return Err(OpenError::Newer { path: path.to_owned(), found: version, known: SCHEMA_VERSION });
    }
    Ok(version)
}

/// All the way or not at all. Writes even where there is nothing to do, so that the log is there for the syncer.
fn migrate(connection: &mut Connection, migrations: &[&str], version: i64) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut reached = version;
    for migration in migrations.iter().skip(usize::try_from(version).unwrap_or(0)) {
        transaction.execute_batch(migration)?;
        reached += 1;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", reached)?;
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(connection: &Connection) -> Vec<i64> {
        let mut statement = connection.prepare("SELECT n FROM t ORDER BY n").expect("t is there");
        statement.query_map([], |row| row.get(0)).expect("query").collect::<Result<_, _>>().expect("rows")
    }

    fn version(connection: &Connection) -> i64 {
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).expect("user_version")
    }

    #[test]
    fn migrations_run_in_order_and_once() {
        let mut connection = Connection::open_in_memory().expect("open");
        let migrations =
            ["CREATE TABLE t (n INTEGER)", "INSERT INTO t VALUES (1)", "UPDATE t SET n = n * 10 + 2"];
        migrate(&mut connection, &migrations[..2], 0).expect("from nothing");
        assert_eq!((numbers(&connection), version(&connection)), (vec![1], 2));
        migrate(&mut connection, &migrations, 2).expect("the new one");
        migrate(&mut connection, &migrations, 3).expect("none");
        assert_eq!((numbers(&connection), version(&connection)), (vec![12], 3));
    }

    #[test]
    fn a_migration_that_fails_changes_nothing() {
        let mut connection = Connection::open_in_memory().expect("open");
        let migrations =
            ["CREATE TABLE t (n INTEGER)", "INSERT INTO t VALUES (1)", "INSERT INTO u VALUES (1)"];
        migrate(&mut connection, &migrations[..1], 0).expect("from nothing");
        assert!(migrate(&mut connection, &migrations, 1).is_err());
        assert_eq!((numbers(&connection), version(&connection)), (vec![], 1));
    }
}
