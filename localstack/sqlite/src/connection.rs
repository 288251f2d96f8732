use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

/// Opens for writing. The file must exist; nothing of it is changed by opening it.
pub(super) fn writer(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    Ok(connection)
}

/// How the writer works. Changes the file's header the first time.
pub(super) fn configure_writer(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // The log is in the system's hands after each commit, and on the disk after each checkpoint. Whoever needs more is
    // answered by the syncer.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "cache_size", -4096)?;
    connection.pragma_update(None, "mmap_size", 0)?;
    // The checkpointer comes long before; this is for when it can't keep up. 32 MB.
    connection.pragma_update(None, "wal_autocheckpoint", 8000)?;
    // After a burst, the log goes back to what it needs from day to day; the checkpointer cuts it when there is less to do.
    // Less than where SQLite folds it in by itself: on a full disk that fails, and would be tried with each commit that the
    // log still has room for.
    connection.pragma_update(None, "journal_size_limit", 24 << 20)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// Opens for reading.
pub(super) fn reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "cache_size", -1024)?;
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}
