//! Copies of a database, beside whoever works with it. The journal first: what leaves it is in SQLite by then.

use std::fs;
use std::io;
use std::path::Path;

use files::open_private;
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::config::DbConfig;

use super::{FILE_NAME, OpenError, connection, journal, room, schema};

/// Copies what the journal of a data directory has, to be followed by [`copy_database`].
pub fn copy_journal(data: &Path, to: &Path) -> Result<(), OpenError> {
    let from = data.join(journal::FILE_NAME);
    match fs::read(&from) {
        Ok(bytes) => {
            let path = to.join(journal::FILE_NAME);
            let written = open_private(&path).and_then(|mut file| io::Write::write_all(&mut file, &bytes));
            written.map_err(|source| OpenError::Io { path, source })
        }
        // A version of the program that had none.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(OpenError::Io { path: from, source }),
    }
}

/// Copies the database of a data directory, as it is at one moment.
pub fn copy_database(data: &Path, to: &Path) -> Result<(), OpenError> {
    let (from, path) = (data.join(FILE_NAME), to.join(FILE_NAME));
    open_private(&path).map_err(|source| OpenError::Io { path: path.clone(), source })?;
    let source = open(&from).map_err(|error| OpenError::of_sqlite(&from, error))?;
    let copy = |target: &mut Connection| Backup::new(&source, target)?.step(-1);
    match connection::writer(&path).and_then(|mut target| copy(&mut target)) {
        Ok(StepResult::Done) => Ok(()),
        Ok(_) => Err(OpenError::Busy { path: from }),
        Err(error) => Err(OpenError::of_sqlite(&path, error)),
    }
}

/// Opens for reading, in a way that works where nobody has it open, too; and leaves it as it is.
fn open(path: &Path) -> rusqlite::Result<Connection> {
    let connection = connection::writer(path)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// Looks through the database of a data directory, whose lock is held, and brings it to its shortest.
pub fn check_and_compact(data: &Path) -> Result<(), OpenError> {
    let path = data.join(FILE_NAME);
    let of_sqlite = |error| OpenError::of_sqlite(&path, error);
    let connection = schema::open(&path)?;
    let found: String =
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(of_sqlite)?;
    if found != "ok" {
        return Err(OpenError::Damaged { path, reason: found });
    }
    room::convert(&connection, i64::MAX).map_err(of_sqlite)
}
