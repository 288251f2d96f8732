//! The ports' suite on SQLite.

use std::time::Duration;

use ports::conformance::{self, QueueOptions};
use sqlite::{Database, QueueConfig};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_table_conforms() {
    let dir = tempfile::tempdir().expect("a directory");
    let database = Database::open(dir.path()).expect("open");
    conformance::table(&*database.table()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_queue_conforms() {
    let dir = tempfile::tempdir().expect("a directory");
    let database = Database::open(dir.path()).expect("open");
    let options = QueueOptions { unit: Duration::from_millis(50), takes_turns: true, has_dead_letters: true };
    conformance::queue(&*database.queue(QueueConfig::default()), options).await;
}
