//! Opening data directories: new, used, in use, old, newer, damaged, someone else's.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use blobs::FileBlobs;
use ports::{Blobs, Condition, Durability, Item, Key, Table, TableError, Write};
use rusqlite::Connection;
use sqlite::{DataDirLock, Database, FILE_NAME, OpenError, SCHEMA_VERSION};
use tempfile::TempDir;

fn directory() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

fn open(dir: &Path) -> Database {
    Database::open(dir).expect("open")
}

#[track_caller]
fn refusal(dir: &Path) -> OpenError {
    match Database::open(dir) {
        Ok(_) => panic!("it was opened"),
        Err(error) => error,
    }
}

async fn put(database: &Database, n: usize) -> Result<(), TableError> {
    let mut item = Item::new(Key::new(format!("P#{n}"), "META"));
    item.attributes.insert("text".into(), format!("{n}").repeat(200).into());
    database.table().write(vec![Write::Put(item, Condition::None)], Durability::Crash).await
}

async fn get(database: &Database, n: usize) -> Result<Option<Item>, TableError> {
    database.table().get(&Key::new(format!("P#{n}"), "META")).await
}

/// SQLite up to 3.51.2 has the "WAL-reset bug": where one connection commits while another checkpoints, which are the writer
/// and the checkpointer here, commits can be lost and the file be damaged. <https://www.sqlite.org/wal.html#walresetbug>
#[test]
fn the_sqlite_that_is_linked_has_no_wal_reset_bug() {
    assert!(rusqlite::version_number() >= 3_051_003, "SQLite {} is linked", rusqlite::version());
    let lock = include_str!("../../../Cargo.lock");
    // Ours have no source.
    let others = lock.split("[[package]]").filter(|package| package.contains("\nsource = "));
    let of_sqlite: Vec<_> = others
        .filter_map(|package| package.lines().find_map(|line| line.strip_prefix("name = ")))
        .map(|name| name.trim_matches('"'))
        .filter(|name| name.contains("sqlite") || name.contains("sqlcipher"))
        .collect();
    assert_eq!(of_sqlite, ["libsqlite3-sys", "rusqlite"], "nothing else brings an SQLite of its own");
}

#[tokio::test]
async fn what_was_written_is_there_when_opened_again() {
    let dir = directory();
    for round in 0..3 {
        let database = open(dir.path());
        for n in 0..round {
            assert!(get(&database, n).await.expect("get").is_some(), "{n} in round {round}");
        }
        put(&database, round).await.expect("put");
        if round == 1 {
            database.close();
        }
    }
}

#[tokio::test]
async fn a_directory_has_one_server() {
    let dir = directory();
    let database = open(dir.path());
    let error = refusal(dir.path());
    assert!(
        matches!(&error, OpenError::Locked { pid, .. } if *pid == std::process::id().to_string()),
        "{error}"
    );
    let text = error.to_string();
    assert!(text.contains(&std::process::id().to_string()) && text.contains("Stop that one"), "{text}");
    put(&database, 1).await.expect("the first is not disturbed");
    database.close();
    let database = open(dir.path());
    drop(database);
    open(dir.path());
}

/// As a child of a server that was killed does, until it has become another program.
#[test]
fn a_directory_that_is_about_to_be_let_go_is_waited_for() {
    let dir = directory();
    let held = DataDirLock::take(dir.path()).expect("nobody has it");
    let (begun, waits) = std::sync::mpsc::channel();
    let path = dir.path().to_owned();
    let other = std::thread::spawn(move || {
        begun.send(()).expect("somebody waits");
        DataDirLock::take(&path).map(drop)
    });
    waits.recv().expect("it begins");
    std::thread::sleep(std::time::Duration::from_millis(200));
    drop(held);
    other.join().expect("it ends").expect("it is free by then");
}

#[test]
fn what_a_dead_server_left_in_the_lock_file_does_not_matter() {
    let dir = directory();
    fs::write(dir.path().join("lock"), "not a number, and rather longer than one").expect("write");
    let _database = open(dir.path());
    let written = fs::read_to_string(dir.path().join("lock")).expect("read");
    assert_eq!(written.trim(), std::process::id().to_string());
}

#[tokio::test]
async fn after_closing_everything_says_so() {
    let dir = directory();
    let database = open(dir.path());
    let (table, queue) = (database.table(), database.queue(Default::default()));
    put(&database, 1).await.expect("put");
    database.close();
    database.close();
    assert!(matches!(put(&database, 2).await, Err(TableError::Unavailable(_))));
    assert!(matches!(get(&database, 1).await, Err(TableError::Unavailable(_))));
    assert!(table.health().await.is_err());
    assert!(ports::Queue::health(&*queue).await.is_err());
    let log = fs::metadata(dir.path().join(format!("{FILE_NAME}-wal"))).map_or(0, |log| log.len());
    assert_eq!(log, 0, "the log is folded into the database");
}

#[tokio::test]
async fn only_this_user_can_read_it() {
    let dir = directory();
    let data = dir.path().join("a/b");
    let database = open(&data);
    put(&database, 1).await.expect("put");
    let blobs = FileBlobs::open(&data).expect("open");
    blobs.put("x/y", "blob".into()).await.expect("put");
    let mut seen = 0;
    let mut left = vec![data];
    while let Some(path) = left.pop() {
        let metadata = fs::metadata(&path).expect("metadata");
        let expected = if metadata.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(metadata.permissions().mode() & 0o777, expected, "{}", path.display());
        if metadata.is_dir() {
            left.extend(fs::read_dir(&path).expect("read_dir").map(|entry| entry.expect("entry").path()));
        }
        seen += 1;
    }
    assert!(seen >= 9, "the directories, the database, its log and index, the lock, the blob: {seen}");
}

/// Refused, and not a byte of it changed, with nothing beside it.
#[track_caller]
fn assert_refused_untouched(dir: &Path) -> OpenError {
    let path = dir.join(FILE_NAME);
    let before = fs::read(&path).expect("read");
    let error = refusal(dir);
    assert!(fs::read(&path).expect("read") == before, "it was touched: {error}");
    let beside: Vec<_> =
        fs::read_dir(dir).expect("read_dir").map(|entry| entry.expect("entry").file_name()).collect();
    assert_eq!(beside.len(), 2, "the database and the lock: {beside:?}");
    assert!(error.to_string().contains(path.to_str().expect("UTF-8")), "{error}");
    error
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    for content in ["hello", "SQLite format 3", &"not a database ".repeat(1000)] {
        let dir = directory();
        fs::write(dir.path().join(FILE_NAME), content).expect("write");
        let error = assert_refused_untouched(dir.path());
        assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
    }
}

#[test]
fn a_file_that_only_begins_as_a_database_is_refused() {
    let dir = directory();
    let content = [b"SQLite format 3\0".as_slice(), &[0x5a; 8192]].concat();
    fs::write(dir.path().join(FILE_NAME), content).expect("write");
    let error = assert_refused_untouched(dir.path());
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
}

#[test]
fn another_programs_database_is_refused() {
    for journal in ["DELETE", "WAL"] {
        let dir = directory();
        let other = Connection::open(dir.path().join(FILE_NAME)).expect("open");
        other.pragma_update(None, "journal_mode", journal).expect("journal_mode");
        other.execute_batch("CREATE TABLE bookmarks (url TEXT); PRAGMA user_version = 1").expect("create");
        drop(other);
        let path = dir.path().join(FILE_NAME);
        let before = fs::read(&path).expect("read");
        let error = refusal(dir.path());
        assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
        assert!(fs::read(&path).expect("read") == before, "it was touched");
    }
}

#[tokio::test]
async fn a_newer_database_is_refused() {
    let dir = directory();
    let database = open(dir.path());
    put(&database, 1).await.expect("put");
    database.close();
    drop(database);
    let path = dir.path().join(FILE_NAME);
    let newer = SCHEMA_VERSION + 1;
    let connection = Connection::open(&path).expect("open");
    connection.pragma_update(None, "user_version", newer).expect("user_version");
    drop(connection);
    let before = fs::read(&path).expect("read");
    let error = refusal(dir.path());
    assert!(matches!(error, OpenError::Newer { found, .. } if found == newer), "{error}");
    assert!(error.to_string().contains("newer program"), "{error}");
    assert!(fs::read(&path).expect("read") == before, "it was touched");
    // As it was, it opens.
    let connection = Connection::open(&path).expect("open");
    connection.pragma_update(None, "user_version", SCHEMA_VERSION).expect("user_version");
    drop(connection);
    assert!(get(&open(dir.path()), 1).await.expect("get").is_some());
}

/// As it was made by version 1 of the schema, whatever the version is now.
#[tokio::test]
async fn a_database_of_version_1_opens() {
    let dir = directory();
    let old = Connection::open(dir.path().join(FILE_NAME)).expect("open");
    old.execute_batch(include_str!("../src/migrations/0001.sql")).expect("version 1");
    old.execute_batch(
        r#"PRAGMA application_id = 0x4652756e; PRAGMA user_version = 1;
        INSERT INTO items (pk, sk, gsi1pk, gsi1sk, ttl, body) VALUES ('P#1', 'META', 'G', 'S', 7, '{"n":1}')"#,
    )
    .expect("an item");
    drop(old);
    let database = open(dir.path());
    let item = get(&database, 1).await.expect("get").expect("it is there");
    assert_eq!(
        (item.gsi1, item.ttl, item.attributes["n"].as_i64()),
        (Some(Key::new("G", "S")), Some(7), Some(1))
    );
    put(&database, 2).await.expect("put");
}

#[test]
fn a_directory_that_cannot_be_one_is_refused() {
    let dir = directory();
    let path = dir.path().join("file");
    fs::write(&path, "x").expect("write");
    for path in [path.clone(), path.join("below")] {
        let error = refusal(&path);
        assert!(matches!(error, OpenError::Io { .. }), "{error}");
        assert!(error.to_string().contains(path.to_str().expect("UTF-8")), "{error}");
    }
}

#[test]
fn an_empty_file_is_a_new_database() {
    let dir = directory();
    fs::write(dir.path().join(FILE_NAME), "").expect("write");
    open(dir.path());
}

#[tokio::test]
async fn damage_is_told_and_the_rest_still_works() {
    const ITEMS: usize = 500;
    let dir = directory();
    let database = open(dir.path());
    for n in 0..ITEMS {
        put(&database, n).await.expect("put");
    }
    database.close();
    drop(database);
    let path = dir.path().join(FILE_NAME);
    let mut bytes = fs::read(&path).expect("read");
    // A page of the table, where the text of some item is. The text is nowhere else: pages keep what they had before they
    // became other pages, of an index for instance, in which many items would be damaged.
    let page_of = |n: usize| {
        let needle = n.to_string().repeat(200).into_bytes();
        let mut at = bytes.windows(needle.len()).enumerate().filter(|(_, window)| *window == needle);
        at.next().filter(|_| at.next().is_none()).map(|(at, _)| at / 4096 * 4096)
    };
    let (hit, page) = (250..ITEMS).find_map(|n| Some((n, page_of(n)?))).expect("most texts are there once");
    bytes[page..page + 4096].fill(0xa5);
    fs::write(&path, bytes).expect("write");

    let database = open(dir.path());
    let mut found = 0;
    let mut damaged = Vec::new();
    for n in 0..ITEMS {
        match get(&database, n).await {
            Ok(item) => found += usize::from(item.is_some()),
            Err(TableError::Broken(_)) => damaged.push(n),
            Err(error) => panic!("{n}: {error}"),
        }
    }
    assert!(damaged.contains(&hit) && damaged.len() + found == ITEMS, "{found} found, {damaged:?} damaged");
    assert!(damaged.len() < 50, "only those of one page");
    let intact = (0..ITEMS).find(|n| !damaged.contains(n)).expect("most are");
    // A write that must read the damage fails, and others go on.
    let table = database.table();
    let update = |n: usize| {
        let changes = vec![ports::Change::Add("n".into(), 1)];
        table.update(Key::new(format!("P#{n}"), "META"), changes, Condition::None)
    };
    let bad = update(damaged[0]).await;
    assert!(matches!(bad, Err(TableError::Broken(_))), "{bad:?}");
    assert_eq!(update(intact).await.expect("update").attributes["n"], 1);
    put(&database, ITEMS).await.expect("put");
    assert!(get(&database, ITEMS).await.expect("get").is_some());
}
