//! The least that can do such work: axum before two bare interpreters, or before one SQLite read.

use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::Semaphore;

fn serve(router: impl Future<Output = Router>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        println!("listening on http://{}", listener.local_addr().expect("an address"));
        let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
            stream.set_nodelay(true).expect("a socket");
        });
        axum::serve(listener, router.await).await.expect("it serves");
    });
}

/// Two children that run the script, each with a frame in and a frame out on its stdin: four bytes of length, JSON.
pub(crate) fn run(program: &str, script: &str) {
    serve(async {
        let children: Vec<UnixStream> = (0..2).map(|_| child(program, script)).collect();
        let (children, free) = (Arc::new(Mutex::new(children)), Arc::new(Semaphore::new(2)));
        let handler = async move |body: Bytes| {
            let _place = free.acquire().await.expect("it stays open");
            let mut child = children.lock().expect("no panics").pop().expect("there are as many as places");
            let length = u32::try_from(body.len()).expect("a small body");
            let frame = [&length.to_le_bytes(), &body[..]].concat();
            child.write_all(&frame).await.expect("the child takes it");
            let mut answer = vec![0; child.read_u32_le().await.expect("the child answers") as usize];
            child.read_exact(&mut answer).await.expect("the child answers");
            children.lock().expect("no panics").push(child);
            ([("content-type", "application/json")], answer)
        };
        Router::new().route("/", post(handler))
    });
}

#[expect(clippy::zombie_processes, reason = "it ends after this process does")]
fn child(program: &str, script: &str) -> UnixStream {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().expect("a socket pair");
    let stdin = Stdio::from(OwnedFd::from(theirs));
    // The server's end closes with the server, and the child ends with that.
    Command::new(program).arg(script).stdin(stdin).spawn().expect("the interpreter starts");
    ours.set_nonblocking(true).expect("a socket");
    UnixStream::from_std(ours).expect("a socket")
}

/// One read by key of one row among 10,000.
pub(crate) fn read() {
    let file = std::env::temp_dir().join(format!("floor-{}.db", std::process::id()));
    let database = rusqlite::Connection::open(&file).expect("a database");
    database
        .execute_batch(
            "PRAGMA journal_mode = WAL;
             CREATE TABLE items (pk TEXT, sk TEXT, body TEXT, PRIMARY KEY (pk, sk)) WITHOUT ROWID;
             WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 9999)
             INSERT INTO items SELECT 'FUNCTION#' || i, 'META', json_object('n', i, 'pad', hex(zeroblob(400))) FROM n;",
        )
        .expect("a table");
    let database = Arc::new(Mutex::new(database));
    serve(async move {
        let handler = async move |Path(id): Path<String>| {
            let database = database.lock().expect("no panics");
            let mut statement =
                database.prepare_cached("SELECT body FROM items WHERE pk = ?1 AND sk = 'META'").expect("SQL");
            let body: String =
                statement.query_row([format!("FUNCTION#{id}")], |row| row.get(0)).expect("there");
            ([("content-type", "application/json")], body)
        };
        Router::new().route("/functions/{id}", get(handler))
    });
}
