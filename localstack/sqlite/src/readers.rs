use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use super::connection;
use super::fault::Fault;

/// The fewest and the most readers: as many as can be of use at once, each with at most a megabyte of pages.
const READERS: std::ops::RangeInclusive<usize> = 4..=8;

/// Connections for reading, each in one hand at a time.
pub(super) struct Readers {
    pool: Mutex<Pool>,
    returned: Condvar,
}

struct Pool {
    // The last one back is the first one out: its pages are the warmest.
    idle: Vec<Connection>,
    closed: bool,
}

impl Readers {
    pub(super) fn open(path: &Path) -> rusqlite::Result<Self> {
        let count = std::thread::available_parallelism()
            .map_or(1, std::num::NonZero::get)
            .clamp(*READERS.start(), *READERS.end());
        let idle = (0..count).map(|_| connection::reader(path)).collect::<Result<_, _>>()?;
        Ok(Self { pool: Mutex::new(Pool { idle, closed: false }), returned: Condvar::new() })
    }

    /// Reads on this thread, when there is a connection free.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<T, Fault> {
        let reader = Reader { connection: Some(self.take()?), readers: self };
        read(reader.connection.as_ref().expect("taken only when dropped"))
    }

    /// Lets go of the file. Reads after this fail.
    pub(super) fn close(&self) {
        let mut pool = self.pool();
        pool.closed = true;
        pool.idle.clear();
        self.returned.notify_all();
    }

    fn take(&self) -> Result<Connection, Fault> {
        let mut pool = self.pool();
        loop {
            if pool.closed {
                return Err(Fault::passing("the database is closed"));
            }
            match pool.idle.pop() {
                Some(connection) => return Ok(connection),
                None => pool = self.returned.wait(pool).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        // Nothing under this lock leaves it half changed.
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that goes back whatever happens.
struct Reader<'a> {
    connection: Option<Connection>,
    readers: &'a Readers,
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        let mut pool = self.readers.pool();
        if !pool.closed {
            pool.idle.extend(self.connection.take());
        }
        self.readers.returned.notify_one();
    }
}
