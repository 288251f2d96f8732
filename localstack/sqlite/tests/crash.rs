//! What is left when the server is killed, and when the disk is full. The server is this test binary, run anew as a
//! process of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use domain::{JobId, JobKind, WorkspaceId};
use futures::future::join_all;
use ports::{
    Change, Condition, Durability, Item, Key, Message, Query, Queue, Sort, Table, TableError, Write,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use sqlite::{Database, OpenError, QueueConfig, SqliteQueue, SqliteTable};

/// Names the data directory to the child; without it, the tests that are children have nothing to do.
const DIR: &str = "FUNCTION_RUNNER_CRASH_TEST_DIR";
/// Set for a child that is to leave the queue alone and ask for no more than to survive it.
const JOURNAL: &str = "FUNCTION_RUNNER_CRASH_TEST_JOURNAL";

const HOUR: Duration = Duration::from_secs(3600);
/// How long a fault may be felt after it is over, and how long a child may take in all.
const PATIENCE: Duration = Duration::from_secs(20);
const WHOLE_TEST: Duration = Duration::from_secs(120);
/// How often the child is killed.
const ROUNDS: u64 = 4;
const WRITERS: u64 = 4;
const WORKERS: u64 = 2;

fn child(test: &str, dir: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this test"));
    command.args(["--exact", test, "--nocapture"]).env(DIR, dir).stdout(Stdio::piped());
    command
}

fn child_dir() -> Option<PathBuf> {
    std::env::var_os(DIR).map(PathBuf::from)
}

/// What the child says, line by line.
fn lines(child: &mut Child) -> std::io::Lines<BufReader<ChildStdout>> {
    BufReader::new(child.stdout.take().expect("it is piped")).lines()
}

fn message(job: u64) -> Message {
    Message { kind: JobKind::Function, id: JobId(job), tenant: WorkspaceId::from_random([1; 16]) }
}

/// An item of its own and one more on the counter, together.
async fn count(table: &SqliteTable, writer: u64, n: u64, durability: Durability) -> Result<(), TableError> {
    let mut item = Item::new(Key::new("ITEMS", format!("{writer:02}#{n:06}")));
    item.attributes.insert("text".into(), json!(format!("{n} ").repeat(300)));
    let counter = Key::new("COUNTER", writer.to_string());
    let writes = vec![
        Write::Put(item, Condition::Absent),
        Write::Update(counter, vec![Change::Add("n".into(), 1)], Condition::None),
    ];
    table.write(writes, durability).await
}

async fn counted(table: &SqliteTable, writer: u64) -> u64 {
    let counter = table.get(&Key::new("COUNTER", writer.to_string())).await.expect("get");
    counter.map_or(0, |counter| counter.attributes["n"].as_u64().expect("a number"))
}

/// A child: four writers and two workers, each of which says what was acknowledged, until it is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_that_works_until_it_is_killed() {
    let Some(dir) = child_dir() else { return };
    let database = Database::open(&dir).expect("open");
    let (table, queue) = (database.table(), database.queue(QueueConfig::default()));
    // Whatever concerns the queue or power loss puts the journal into SQLite.
    let journal = std::env::var_os(JOURNAL).is_some();
    let writers = (0..WRITERS).map(|writer| {
        let (table, queue) = (table.clone(), queue.clone());
        async move {
            let durability = if writer == 3 && !journal { Durability::Power } else { Durability::Crash };
            for n in counted(&table, writer).await.. {
                count(&table, writer, n, durability).await.expect("write");
                println!("wrote {writer} {n};");
                if journal {
                    continue;
                }
                let job = writer * 1_000_000 + n;
                queue.send(&message(job), Duration::ZERO).await.expect("send");
                println!("sent {job};");
            }
        }
    });
    let workers = (0..WORKERS).map(|_| {
        let queue = queue.clone();
        async move {
            loop {
                for delivery in queue.receive(1, HOUR, HOUR).await.expect("receive") {
                    queue.ack(&delivery.receipt).await.expect("ack");
                    println!("done {};", delivery.message.id);
                }
            }
        }
    });
    let workers: Vec<_> = workers.map(tokio::spawn).collect();
    join_all(writers).await;
    join_all(workers).await;
}

/// What a child said.
#[derive(Default)]
struct Said {
    wrote: BTreeMap<u64, u64>,
    sent: BTreeSet<u64>,
    done: BTreeSet<u64>,
}

impl Said {
    /// Takes a line. The first may begin with something else, and the last may be cut off.
    fn hear(&mut self, line: &str) {
        let Some(said) = line.strip_suffix(';') else { return };
        let words: Vec<_> = said.split(' ').collect();
        let number = |word: &str| word.parse::<u64>().expect("a number");
        match words[..] {
            [.., "wrote", writer, n] => drop(self.wrote.insert(number(writer), number(n) + 1)),
            [.., "sent", job] => drop(self.sent.insert(number(job))),
            [.., "done", job] => drop(self.done.insert(number(job))),
            _ => panic!("{line}"),
        }
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_kill_9() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut said = Said::default();
    for round in 1..=ROUNDS {
        let mut child = child("child_that_works_until_it_is_killed", dir.path());
        if round % 2 == 0 {
            child.env(JOURNAL, "");
        }
        let mut child = child.spawn().expect("spawn");
        let mut heard = 0;
        for line in lines(&mut child) {
            said.hear(&line.expect("a line"));
            heard += 1;
            if heard == 50 {
                let error = Database::open(dir.path()).err();
                let pid = child.id().to_string();
                assert!(
                    matches!(&error, Some(OpenError::Locked { pid: told, .. }) if *told == pid),
                    "{error:?}"
                );
            }
            if heard == 500 * round {
                child.kill().expect("kill -9");
            }
        }
        assert!(heard >= 500 * round, "the child worked until it was killed");
        child.wait().expect("it is dead");
        if round % 2 == 0 {
            let journal = std::fs::metadata(dir.path().join("function-runner.journal")).expect("a journal");
            assert!(journal.len() > 0, "it was worked with");
        }

        let database = Database::open(dir.path()).expect("open after kill -9");
        let table = database.table();
        for (&writer, &wrote) in &said.wrote {
            let counted = counted(&table, writer).await;
            assert!(counted >= wrote, "{counted} of {wrote} that writer {writer} was told of");
            assert_eq!(items(&table, writer).await, counted, "transactions are there as a whole");
        }
    }
    assert_eq!(said.wrote.len() as u64, WRITERS);
    let database = Database::open(dir.path()).expect("open");
    let queue = database.queue(QueueConfig { max_inflight_per_workspace: usize::MAX });
    let left = all_jobs(&queue).await;
    assert!(left.is_disjoint(&said.done), "what was acknowledged as done does not come again");
    let gone: Vec<_> =
        said.sent.iter().filter(|job| !left.contains(job) && !said.done.contains(job)).collect();
    // Those that a worker was done with when it was killed before it could say so.
    assert!(gone.len() as u64 <= ROUNDS * WORKERS, "lost: {gone:?}");
    assert!(
        said.sent.len() > 100 && said.done.len() > 100,
        "{} sent, {} done",
        said.sent.len(),
        said.done.len()
    );
}

async fn items(table: &SqliteTable, writer: u64) -> u64 {
    let sort = Sort::Prefix(format!("{writer:02}#"));
    let mut query = Query { sort, ..Query::partition("ITEMS", 10_000) };
    let mut items = 0;
    loop {
        let page = table.query(&query).await.expect("query");
        items += page.items.len() as u64;
        query.after = page.next;
        if query.after.is_none() {
            return items;
        }
    }
}

async fn all_jobs(queue: &SqliteQueue) -> BTreeSet<u64> {
    let mut jobs = BTreeSet::new();
    loop {
        let got = queue.receive(1000, HOUR, Duration::ZERO).await.expect("receive");
        if got.is_empty() {
            return jobs;
        }
        for delivery in got {
            assert!(jobs.insert(delivery.message.id.0), "each was sent once");
        }
    }
}

/// Says how large the files of this process may become.
fn limit_files(bytes: Option<u64>) {
    let maximum = getrlimit(Resource::Fsize).maximum;
    setrlimit(Resource::Fsize, Rlimit { current: bytes.or(maximum), maximum }).expect("setrlimit");
}

/// A child, since limits are a process's: its files can't grow, and then they can.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_whose_disk_is_full() {
    let Some(dir) = child_dir() else { return };
    let database = Database::open(&dir).expect("open");
    let (table, queue) = (database.table(), database.queue(QueueConfig::default()));
    queue.send(&message(1), Duration::ZERO).await.expect("send");
    queue.send(&message(2), Duration::ZERO).await.expect("send");
    let held = queue.receive(1, HOUR, Duration::ZERO).await.expect("receive").remove(0);
    let held_too = queue.receive(1, HOUR, Duration::ZERO).await.expect("receive").remove(0);

    for round in 0..3 {
        // Writing beyond this fails as on a full disk, once the signal that goes with it is ignored.
        limit_files(Some((round + 1) * 3_000_000));
        let mut n = counted(&table, 0).await;
        let error = loop {
            match count(&table, 0, n, Durability::Crash).await {
                Ok(()) => n += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(error, TableError::Unavailable(_)), "{error}");
        // Folding the log in made room in it meanwhile. Now there is none at all.
        limit_files(Some(4096));
        assert!(matches!(count(&table, 0, n, Durability::Power).await, Err(TableError::Unavailable(_))));
        assert!(queue.send(&message(100 + round), Duration::ZERO).await.is_err());
        assert!(queue.ack(&held.receipt).await.is_err());
        assert!(table.health().await.is_err());
        assert_eq!(counted(&table, 0).await, n, "what was acknowledged can be read");

        limit_files(None);
        // What failed a moment ago is not tried for each who asks.
        let deadline = Instant::now() + PATIENCE;
        while let Err(error) = table.health().await {
            assert!(Instant::now() < deadline, "it is not well again: {error}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        count(&table, 0, n, Durability::Power).await.expect("write");
        assert_eq!(counted(&table, 0).await, n + 1);
        assert_eq!(items(&table, 0).await, n + 1);
    }
    assert_eq!(
        queue.receive(10, HOUR, Duration::ZERO).await.expect("receive"),
        [],
        "nothing that failed was sent"
    );
    queue.ack(&held.receipt).await.expect("ack");
    queue.release(&held_too.receipt, Duration::ZERO).await.expect("release");
    let got = queue.receive(10, HOUR, Duration::ZERO).await.expect("receive");
    assert_eq!((got.len(), got[0].receives, &got[0].message), (1, 2, &held_too.message));
    println!("all is well;");
}

#[test]
fn a_full_disk_is_told_and_does_no_harm() {
    let dir = tempfile::tempdir().expect("a directory");
    // The shell's way of ignoring the signal, which the child inherits.
    let mut command = Command::new("sh");
    let test = std::env::current_exe().expect("this test");
    command.args(["-c", r#"trap '' XFSZ; exec "$0" --exact child_whose_disk_is_full --nocapture"#]).arg(test);
    let mut child =
        command.env(DIR, dir.path()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("run");
    let deadline = Instant::now() + WHOLE_TEST;
    while child.try_wait().expect("a child can be waited for").is_none() {
        if Instant::now() > deadline {
            child.kill().expect("kill -9");
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let output = child.wait_with_output().expect("what it said");
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("all is well;"), "{said}\n{complaint}");
}
