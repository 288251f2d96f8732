//! The table and the queue in one SQLite file, `function-runner.db`.
//!
//! There is one writer. What has been asked for while it was busy is committed together, table and queue alike. Answers go
//! out after the commit, which is what a `kill -9` leaves; those that asked for more wait for the disk as well, on
//! another thread, so that nobody else waits with them. Where nothing needs SQLite itself, a commit is a record in a
//! journal beside it, and SQLite gets many of those at once a little later. Readers have connections of their own and see
//! whatever was acknowledged before they began.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::oneshot;

mod cache;
mod checkpointer;
mod clock;
mod connection;
mod copy;
mod desk;
mod dirty;
mod fault;
mod journal;
mod lanes;
#[cfg(test)]
mod lanes_model;
mod lock;
mod messages;
mod open_error;
mod overlay;
#[cfg(test)]
mod plans;
mod query;
mod queue;
mod readers;
mod request;
mod room;
mod rows;
mod schema;
mod size;
mod syncer;
mod table;
mod writer;

pub use copy::{check_and_compact, copy_database, copy_journal};
pub use lock::DataDirLock;
pub use open_error::OpenError;
pub use queue::{DeadLetter, QueueConfig, SqliteQueue};
pub use schema::SCHEMA_VERSION;
pub use table::SqliteTable;

use cache::Cache;
use clock::Clock;
use desk::Desk;
use dirty::Dirty;
use fault::Fault;
use journal::Journal;
use overlay::Overlay;
use readers::Readers;
use request::Request;
use writer::{Helpers, Writer};

/// Is in a data directory for as long as it is being made of a backup.
pub const UNFINISHED: &str = "restoring";

/// The database's name in the data directory.
pub const FILE_NAME: &str = "function-runner.db";

/// An open data directory's database. Ends when dropped, or by [`Database::close`].
pub struct Database {
    table: Arc<SqliteTable>,
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    lock: Mutex<Option<DataDirLock>>,
}

/// What the table and the queue have of the database.
struct Shared {
    desk: Arc<Desk>,
    readers: Readers,
    cache: Arc<Cache>,
    dirty: Arc<Dirty>,
}

impl Shared {
    /// Whether writing and reading work.
    async fn probe(&self) -> Result<(), Fault> {
        let (reply, answer) = oneshot::channel();
        // Where the writer has failed, the reply is dropped with the request, and that is what is seen below.
        self.desk.hand_in(Request::Probe { reply });
        answer.await.unwrap_or_else(|_| Err(Fault::passing("the database's writer has ended")))?;
        self.readers.read(|connection| {
            Ok(connection.query_row("SELECT 1 FROM sqlite_schema LIMIT 1", [], |_| Ok(()))?)
        })
    }
}

impl Database {
    /// Opens the database in the directory, making both where they are not there, and holds the directory against
    /// other servers. Older schemas are brought up to date. Messages that were in a worker's hands when the server
    /// before died are there to be received again.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        let lock = DataDirLock::take(dir)?;
        if dir.join(UNFINISHED).exists() {
            return Err(OpenError::Unfinished { dir: dir.to_owned() });
        }
        let path = dir.join(FILE_NAME);
        let opened = schema::open(&path)?;
        let clock = Clock::start();
        let of_sqlite = |error| OpenError::of_sqlite(&path, error);
        let io = |source| OpenError::Io { path: path.clone(), source };
        let journal = taken_up(dir, &opened)?;
        let lanes = lanes::Lanes::reset(&opened, clock.now()).map_err(of_sqlite)?;
        let readers = Readers::open(&path).map_err(of_sqlite)?;
        let (syncer, sync_thread) = syncer::start(&path).map_err(io)?;
        let (checkpointer, checkpoint_thread) = checkpointer::start(&path)?;
        let (cache, dirty) = (Arc::new(Cache::new()), Arc::new(Dirty::default()));
        let helpers = Helpers { syncer, checkpointer, cache: cache.clone(), dirty: dirty.clone() };
        let desk = Desk::new(|desk| Writer::new((opened, journal), desk, lanes, clock, helpers));
        let write_thread = desk.start().map_err(io)?;
        let shared = Arc::new(Shared { desk, readers, cache, dirty });
        Ok(Self {
            table: Arc::new(SqliteTable::new(shared.clone())),
            shared,
            threads: Mutex::new(vec![write_thread, sync_thread, checkpoint_thread]),
            lock: Mutex::new(Some(lock)),
        })
    }

    /// The table.
    pub fn table(&self) -> Arc<SqliteTable> {
        self.table.clone()
    }

    /// The queue. Made once: limits are kept among what one of these has handed out.
    pub fn queue(&self, config: QueueConfig) -> Arc<SqliteQueue> {
        Arc::new(SqliteQueue::new(self.shared.clone(), config))
    }

    /// Finishes what was asked for, folds the log into the database file, and lets go of the directory. Whoever still
    /// has the table or the queue is told that they are away.
    pub fn close(&self) {
        self.shared.desk.close();
        self.shared.readers.close();
        for thread in self.threads.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // A thread that panicked has nothing left to finish.
            let _ = thread.join();
        }
        self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// The journal of this database, once that has all that the journal had.
fn taken_up(dir: &Path, connection: &Connection) -> Result<Journal, OpenError> {
    let (path, journal_path) = (dir.join(FILE_NAME), dir.join(journal::FILE_NAME));
    let of_sqlite = |error| OpenError::of_sqlite(&path, error);
    let io = |source| OpenError::Io { path: journal_path.clone(), source };
    let (epoch, applied) = Journal::place(connection).map_err(of_sqlite)?;
    let mut journal = Journal::open(dir, epoch, applied).map_err(io)?;
    let mut overlay = Overlay::default();
    let transaction = connection.unchecked_transaction().map_err(of_sqlite)?;
    for noted in journal.pending().map_err(io)? {
        overlay.take_up(&transaction, noted).map_err(of_sqlite)?;
    }
    overlay.flush(&transaction, |_| {}).map_err(of_sqlite)?;
    let mut fresh = [0; 8];
    getrandom::fill(&mut fresh).map_err(|error| io(error.into()))?;
    journal.restart(&transaction, u64::from_le_bytes(fresh)).map_err(of_sqlite)?;
    transaction.commit().map_err(of_sqlite)?;
    journal.begin_anew();
    Ok(journal)
}

impl Drop for Database {
    fn drop(&mut self) {
        self.close();
    }
}
