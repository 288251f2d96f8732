//! What faults cost, counted in bytes of the journal that are read again.

use std::path::Path;
use std::time::{Duration, Instant};

use domain::{JobId, JobKind, WorkspaceId};
use ports::{Condition, Durability, Item, Key, Message, Queue, Table, Write};
use tokio::sync::oneshot;

use super::super::request::{Request, Waiter};
use super::super::{Database, QueueConfig};
use super::Writer;
use super::breaker::RETRY;

const HOUR: Duration = Duration::from_secs(3600);
/// Until when a fault that has passed must be over.
const PATIENCE: Duration = Duration::from_secs(20);
/// Some of these fill the journal to where it is worth not to read it for each request.
const REQUESTS: usize = 300;

fn with_writer<T>(database: &Database, work: impl FnOnce(&mut Writer) -> T) -> T {
    work(database.shared.desk.writer().as_mut().expect("it is open"))
}

/// Lets every commit that needs a new page fail, as on a full disk, or no more.
fn fill_disk(database: &Database, full: bool) {
    with_writer(database, |writer| {
        let pages = if full { 1 } else { i64::from(u32::MAX) - 1 };
        let set = writer
            .connection
            .pragma_update_and_check(None, "max_page_count", pages, |row| row.get::<_, i64>(0));
        set.expect("no more than there are");
    });
}

fn item(n: usize) -> Item {
    let mut item = Item::new(Key::new("P", format!("{n:06}")));
    item.attributes.insert("text".into(), "x".repeat(20_000).into());
    item
}

async fn put(database: &Database, n: usize, durability: Durability) -> bool {
    let write = Write::Put(item(n), Condition::None);
    tokio::time::timeout(PATIENCE, database.table().write(vec![write], durability))
        .await
        .expect("an answer")
        .is_ok()
}

async fn send(database: &Database, job: usize) -> bool {
    let message =
        Message { kind: JobKind::Function, id: JobId(job as u64), tenant: WorkspaceId::from_random([1; 16]) };
    let queue = database.queue(QueueConfig::default());
    tokio::time::timeout(PATIENCE, queue.send(&message, Duration::ZERO)).await.expect("an answer").is_ok()
}

async fn is_there(database: &Database, n: usize) -> bool {
    database.table().get(&item(n).key).await.expect("get").is_some()
}

async fn well_again(database: &Database) {
    let deadline = Instant::now() + PATIENCE;
    while let Err(error) = database.table().health().await {
        assert!(Instant::now() < deadline, "{error}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Counts what `work` has read of the journal: so many times all of it as it may be read in that time, and no more.
async fn assert_bounded(database: &Database, work: impl Future<Output = ()>) {
    let (begun, before) = (Instant::now(), with_writer(database, |writer| writer.journal.bytes_read()));
    work.await;
    let (read, length) =
        with_writer(database, |writer| (writer.journal.bytes_read() - before, writer.journal.len()));
    assert!(length > 4 << 20, "the journal is long: {length}");
    let windows = begun.elapsed().as_secs() / RETRY.as_secs() + 2;
    assert!(read <= windows * 4 * length, "{read} bytes of {length} were read in {windows} times {RETRY:?}");
    assert!(windows * 4 < REQUESTS as u64, "it took so long that nothing is proven: {windows}");
}

fn open(dir: &Path) -> Database {
    Database::open(dir).expect("open")
}

#[tokio::test]
async fn no_request_pays_for_a_commit_that_fails() {
    let dir = tempfile::tempdir().expect("a directory");
    let database = open(dir.path());
    fill_disk(&database, true);
    for n in 0..REQUESTS {
        assert!(put(&database, n, Durability::Crash).await, "{n}: the journal takes it");
    }
    assert_bounded(&database, async {
        for n in 0..REQUESTS {
            assert!(put(&database, REQUESTS + n, Durability::Crash).await, "{n}: the journal takes it");
            assert!(!put(&database, 2 * REQUESTS + n, Durability::Power).await, "{n}");
            assert!(!send(&database, n).await, "{n}");
            assert!(database.table().health().await.is_err(), "{n}");
        }
    })
    .await;
    for n in 0..3 * REQUESTS {
        assert_eq!(is_there(&database, n).await, n < 2 * REQUESTS, "{n}");
    }
    fill_disk(&database, false);
    well_again(&database).await;
    assert!(put(&database, 3 * REQUESTS, Durability::Power).await && send(&database, 1).await);
    drop(database);
    let database = open(dir.path());
    for n in 0..3 * REQUESTS {
        assert_eq!(is_there(&database, n).await, n < 2 * REQUESTS, "{n}");
    }
}

#[tokio::test]
async fn a_journal_that_is_full_takes_no_more_and_costs_no_more() {
    let dir = tempfile::tempdir().expect("a directory");
    let database = open(dir.path());
    fill_disk(&database, true);
    let mut taken = 0;
    while put(&database, taken, Durability::Crash).await {
        taken += 1;
        assert!(taken < 2000, "it has an end");
    }
    assert_bounded(&database, async {
        for n in 0..REQUESTS {
            assert!(!put(&database, taken + n, Durability::Crash).await, "{n}");
            assert!(is_there(&database, n).await, "{n}");
        }
    })
    .await;
    fill_disk(&database, false);
    well_again(&database).await;
    assert!(put(&database, taken, Durability::Crash).await);
    assert!(is_there(&database, taken).await);
}

#[tokio::test]
async fn no_request_pays_for_a_record_that_fails() {
    let dir = tempfile::tempdir().expect("a directory");
    let database = open(dir.path());
    fill_disk(&database, true);
    for n in 0..REQUESTS {
        assert!(put(&database, n, Durability::Crash).await, "{n}");
    }
    with_writer(&database, |writer| writer.journal.fail(dir.path(), true));
    assert_bounded(&database, async {
        for n in 0..REQUESTS {
            assert!(!put(&database, REQUESTS + n, Durability::Crash).await, "{n}");
            assert!(is_there(&database, n).await, "{n}");
        }
    })
    .await;
    with_writer(&database, |writer| writer.journal.fail(dir.path(), false));
    fill_disk(&database, false);
    well_again(&database).await;
    for n in 0..2 * REQUESTS {
        assert_eq!(is_there(&database, n).await, n < REQUESTS, "{n}");
    }
}

#[tokio::test]
async fn a_delivery_that_reached_nobody_is_shown_again_when_the_fault_is_over() {
    let dir = tempfile::tempdir().expect("a directory");
    let database = open(dir.path());
    assert!(send(&database, 1).await);
    let (reply, claimed) = oneshot::channel();
    let until = Instant::now() + PATIENCE;
    let waiter = Waiter { max: 1, visibility: HOUR, cap: 10, until, reply };
    database.shared.desk.hand_in(Request::Receive(waiter));
    let claimed = claimed.await.expect("an answer").expect("the message");
    let read_only = |on: bool| {
        with_writer(&database, |writer| {
            writer.connection.pragma_update(None, "query_only", on).expect("a setting");
        });
    };
    read_only(true);
    drop(claimed);
    assert!(!send(&database, 2).await, "nothing can be written");
    read_only(false);
    let queue = database.queue(QueueConfig::default());
    let received = queue.receive(1, HOUR, PATIENCE).await.expect("receive");
    assert_eq!((received.len(), received[0].receives), (1, 1), "as if it had not been delivered");
}
