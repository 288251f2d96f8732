//! What the SQLite queue promises beyond the port.

use std::collections::HashMap;
use std::time::Duration;

use domain::{JobId, JobKind, WorkspaceId};
use futures::FutureExt;
use futures::future::{join, join_all};
use ports::queue::MAX_RECEIVES;
use ports::{Condition, Delivery, Durability, Item, Key, Message, Queue, Table, Write};
use rusqlite::Connection;
use sqlite::{Database, FILE_NAME, QueueConfig, SqliteQueue};

const HOUR: Duration = Duration::from_secs(3600);
const PATIENCE: Duration = Duration::from_secs(10);

fn message(workspace: u8, job: u64) -> Message {
    Message { kind: JobKind::Function, id: JobId(job), tenant: WorkspaceId::from_random([workspace; 16]) }
}

async fn send(queue: &SqliteQueue, workspace: u8, jobs: impl IntoIterator<Item = u64>) {
    let messages: Vec<_> = jobs.into_iter().map(|job| message(workspace, job)).collect();
    let sent = join_all(messages.iter().map(|message| queue.send(message, Duration::ZERO))).await;
    assert!(sent.iter().all(Result::is_ok), "{sent:?}");
}

async fn receive(queue: &SqliteQueue, max: usize) -> Vec<Delivery> {
    queue.receive(max, HOUR, Duration::ZERO).await.expect("receive")
}

fn jobs(deliveries: &[Delivery]) -> Vec<u64> {
    deliveries.iter().map(|delivery| delivery.message.id.0).collect()
}

#[tokio::test]
async fn a_workspace_has_only_so_much_in_flight() {
    let dir = tempfile::tempdir().expect("a directory");
    let database = Database::open(dir.path()).expect("open");
    let queue = database.queue(QueueConfig { max_inflight_per_workspace: 3 });
    send(&queue, 1, 0..10).await;
    let first = receive(&queue, 100).await;
    assert_eq!(jobs(&first), [0, 1, 2], "first come, first served");
    assert_eq!(receive(&queue, 100).await, []);
    send(&queue, 2, [100]).await;
    assert_eq!(jobs(&receive(&queue, 100).await), [100], "others are not held up");
    // Each way of settling makes room.
    queue.ack(&first[0].receipt).await.expect("ack");
    assert_eq!(jobs(&receive(&queue, 100).await), [3]);
    queue.release(&first[1].receipt, HOUR).await.expect("release");
    assert_eq!(jobs(&receive(&queue, 100).await), [4]);
    queue.dead_letter(&first[2].receipt, &first[2].message).await.expect("dead letter");
    assert_eq!(jobs(&receive(&queue, 100).await), [5]);
    // Settling twice makes room once.
    queue.ack(&first[0].receipt).await.expect("ack");
    assert_eq!(receive(&queue, 100).await, []);
}

#[tokio::test]
async fn workspaces_take_turns_message_by_message() {
    let dir = tempfile::tempdir().expect("a directory");
    let database = Database::open(dir.path()).expect("open");
    let queue = database.queue(QueueConfig::default());
    send(&queue, 1, 0..1000).await;
    for workspace in 2..5 {
        send(&queue, workspace, 0..4).await;
    }
    let mut counts = HashMap::new();
    for delivery in receive(&queue, 16).await {
        *counts.entry(delivery.message.tenant).or_insert(0) += 1;
    }
    assert_eq!(counts.into_values().collect::<Vec<_>>(), [4; 4]);
}

#[tokio::test]
async fn what_was_in_flight_is_visible_after_a_restart() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut receipts = Vec::new();
    for round in 1..=3 {
        let database = Database::open(dir.path()).expect("open");
        let queue = database.queue(QueueConfig::default());
        if round == 1 {
            send(&queue, 1, [7, 8, 9]).await;
            queue.send(&message(1, 10), Duration::from_secs(600)).await.expect("send");
        }
        let got = receive(&queue, 100).await;
        assert_eq!(jobs(&got), [7, 8, 9], "and what is delayed still is");
        assert!(got.iter().all(|delivery| delivery.receives == round), "{got:?}");
        receipts = got.into_iter().map(|delivery| delivery.receipt).collect();
    }
    // A receipt of before counts as long as nobody has got the message since.
    let database = Database::open(dir.path()).expect("open");
    let queue = database.queue(QueueConfig::default());
    queue.ack(&receipts[0]).await.expect("ack");
    assert_eq!(jobs(&receive(&queue, 100).await), [8, 9]);
}

#[tokio::test]
async fn dead_letters_are_kept_for_two_weeks() {
    let dir = tempfile::tempdir().expect("a directory");
    let database = Database::open(dir.path()).expect("open");
    let queue = database.queue(QueueConfig::default());
    send(&queue, 1, [1]).await;
    for _ in 0..MAX_RECEIVES {
        let got = receive(&queue, 1).await;
        queue.release(&got[0].receipt, Duration::ZERO).await.expect("release");
    }
    send(&queue, 2, [2]).await;
    let got = receive(&queue, 100).await;
    assert_eq!(jobs(&got), [2], "the other was given up");
    queue.dead_letter(&got[0].receipt, &got[0].message).await.expect("dead letter");
    queue.dead_letter(&got[0].receipt, &got[0].message).await.expect("again is no error");
    let dead = queue.dead_letters(10).await.expect("dead letters");
    let told: Vec<_> = dead.into_iter().map(|letter| (letter.message, letter.receives)).collect();
    assert_eq!(told, [(message(2, 2), 1), (message(1, 1), MAX_RECEIVES)], "the latest first");
    assert_eq!(queue.dead_letters(1).await.expect("dead letters").len(), 1);

    let connection = Connection::open(dir.path().join(FILE_NAME)).expect("open");
    let age = "UPDATE dead_letters SET died_at = died_at - 1000 * 3600 * 24 * ?1 WHERE job = ?2";
    connection.execute(age, [15, 1]).expect("age");
    connection.execute(age, [13, 2]).expect("age");
    database.table().expire(0, 100).await.expect("expire");
    let left = queue.dead_letters(10).await.expect("dead letters");
    assert_eq!(left.into_iter().map(|letter| letter.message.id.0).collect::<Vec<_>>(), [2]);
}

#[tokio::test]
async fn a_receive_that_is_given_up_takes_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let database = Database::open(dir.path()).expect("open");
    let queue = database.queue(QueueConfig { max_inflight_per_workspace: 1 });
    for delivered in [false, true] {
        let mut given_up = Box::pin(queue.receive(10, HOUR, HOUR));
        assert!((&mut given_up).now_or_never().is_none(), "it waits");
        if !delivered {
            drop(given_up);
            send(&queue, 1, [1]).await;
        } else {
            // The message is on its way when nobody waits for it any more.
            send(&queue, 1, [1]).await;
            drop(given_up);
        }
        let got = queue.receive(10, HOUR, PATIENCE).await.expect("receive");
        assert_eq!((jobs(&got), got[0].receives), (vec![1], 1), "as if it had not been asked for");
        queue.ack(&got[0].receipt).await.expect("ack");
    }
}

#[tokio::test]
async fn those_who_wait_are_served_one_after_the_other() {
    let dir = tempfile::tempdir().expect("a directory");
    let database = Database::open(dir.path()).expect("open");
    let queue = database.queue(QueueConfig::default());
    let waits = join_all((0..5).map(|_| queue.receive(1, HOUR, PATIENCE)));
    let (got, ()) = join(waits, send(&queue, 1, 0..5)).await;
    let mut got: Vec<_> = got.into_iter().flat_map(|got| jobs(&got.expect("receive"))).collect();
    got.sort_unstable();
    assert_eq!(got, [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn closing_ends_all_waits() {
    let dir = tempfile::tempdir().expect("a directory");
    let database = Database::open(dir.path()).expect("open");
    let queue = database.queue(QueueConfig::default());
    let mut wait = Box::pin(queue.receive(1, HOUR, HOUR));
    assert!((&mut wait).now_or_never().is_none(), "it waits");
    database.close();
    assert!(wait.await.is_err());
    assert!(queue.send(&message(1, 1), Duration::ZERO).await.is_err());
}

#[tokio::test]
async fn a_clock_that_was_wrong_hides_nothing_for_long() {
    let dir = tempfile::tempdir().expect("a directory");
    let database = Database::open(dir.path()).expect("open");
    send(&database.queue(QueueConfig::default()), 1, [1, 2]).await;
    database.close();
    drop(database);
    let connection = Connection::open(dir.path().join(FILE_NAME)).expect("open");
    let year = 365 * 24 * 3600 * 1000_i64;
    connection.execute("UPDATE messages SET visible_at = visible_at + ?1", [year]).expect("a year ahead");
    drop(connection);
    let database = Database::open(dir.path()).expect("open");
    let queue = database.queue(QueueConfig::default());
    assert_eq!(jobs(&receive(&queue, 10).await), [1, 2]);
}

#[tokio::test]
async fn any_id_and_any_duration_will_do() {
    let dir = tempfile::tempdir().expect("a directory");
    let database = Database::open(dir.path()).expect("open");
    let queue = database.queue(QueueConfig::default());
    send(&queue, 1, [u64::MAX]).await;
    queue.send(&message(1, 1), Duration::MAX).await.expect("send");
    let got = queue.receive(1, Duration::MAX, Duration::MAX).await.expect("receive");
    assert_eq!(jobs(&got), [u64::MAX]);
    queue.release(&got[0].receipt, Duration::MAX).await.expect("release");
    assert_eq!(queue.receive(0, HOUR, Duration::ZERO).await.expect("receive"), []);
    for receipt in ["", ".", "1", "1.", "1.x", "99999999999999999999.1", "1.1.1", "-1.1"] {
        queue.ack(receipt).await.expect("no receipt is no error");
        queue.release(receipt, Duration::ZERO).await.expect("no receipt is no error");
        queue.dead_letter(receipt, &message(1, 1)).await.expect("no receipt is no error");
    }
}

#[tokio::test]
async fn what_is_queued_survives_power_loss_with_all_that_was_written_before() {
    let dir = tempfile::tempdir().expect("a directory");
    let database = Database::open(dir.path()).expect("open");
    let (table, queue) = (database.table(), database.queue(QueueConfig::default()));
    for n in 0..5 {
        let item = Item::new(Key::new("P", n.to_string()));
        table.write(vec![Write::Put(item, Condition::Absent)], Durability::Crash).await.expect("write");
        send(&queue, 1, [n]).await;
        // What is synced by then is SQLite's own log; the journal may be lost.
        let sqlite = Connection::open(dir.path().join(FILE_NAME)).expect("open");
        let count: i64 = sqlite
            .query_row("SELECT count(*) FROM items WHERE pk = 'P'", [], |row| row.get(0))
            .expect("a count");
        assert_eq!(count.cast_unsigned(), n + 1);
    }
}
