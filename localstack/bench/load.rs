//! `make bench`'s load generator and floors: `load ADDRESS SECONDS CONNECTIONS STATUS EXPECTED` sends the request on its
//! stdin over kept-alive connections, one after another on each, checks every answer, and prints what it measured as
//! JSON (`1000x` for seconds is a thousand requests, however long they take); `floor-run` and `floor-read` serve the least that a runner and a control plane can be.

mod floor;

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["floor-run", program, script] => floor::run(program, script),
        ["floor-read"] => floor::read(),
        ["load", address, length, connections, status, expected] => {
            let mut request = Vec::new();
            std::io::stdin().read_to_end(&mut request).expect("stdin");
            let plan = Plan {
                address: address.to_owned(),
                request,
                length: match length.strip_suffix('x') {
                    Some(count) => {
                        Length::Requests(Arc::new(AtomicI64::new(count.parse().expect("a number"))))
                    }
                    None => Length::Time(Duration::from_secs_f64(length.parse().expect("seconds"))),
                },
                head: format!("HTTP/1.1 {status} "),
                expected: expected.to_owned(),
            };
            load(plan, connections.parse().expect("connections"));
        }
        _ => panic!("see localstack/bench/run.py"),
    }
}

#[derive(Clone)]
struct Plan {
    address: String,
    request: Vec<u8>,
    length: Length,
    /// What an answer begins with.
    head: String,
    /// What its body holds.
    expected: String,
}

/// When to stop.
#[derive(Clone)]
enum Length {
    Time(Duration),
    /// When so many, less one for each that begins, were sent on all connections together.
    Requests(Arc<AtomicI64>),
}

fn load(plan: Plan, connections: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (mut nanos, took) = runtime.block_on(async {
        let began = Instant::now();
        let all: Vec<_> = (0..connections).map(|_| tokio::spawn(one(plan.clone()))).collect();
        let mut nanos: Vec<u64> = Vec::new();
        for connection in all {
            nanos.extend(connection.await.expect("every answer is right"));
        }
        (nanos, began.elapsed())
    });
    nanos.sort_unstable();
    let at = |part: f64| nanos[((nanos.len() as f64 * part) as usize).min(nanos.len() - 1)] as f64 / 1000.0;
    println!(
        r#"{{"requests": {}, "per_second": {:.1}, "p50_us": {:.1}, "p99_us": {:.1}}}"#,
        nanos.len(),
        nanos.len() as f64 / took.as_secs_f64(),
        at(0.5),
        at(0.99)
    );
}

/// Nanoseconds of each request of one connection.
async fn one(plan: Plan) -> Vec<u64> {
    let mut stream = TcpStream::connect(&plan.address).await.expect("it listens");
    stream.set_nodelay(true).expect("a socket");
    let (mut nanos, mut answer) = (Vec::with_capacity(1 << 16), Vec::with_capacity(1 << 14));
    let start = Instant::now();
    loop {
        let began = Instant::now();
        let over = match &plan.length {
            Length::Time(length) => began.duration_since(start) >= *length,
            Length::Requests(left) => left.fetch_sub(1, Ordering::Relaxed) <= 0,
        };
        if over {
            return nanos;
        }
        stream.write_all(&plan.request).await.expect("it takes requests");
        answer.clear();
        while !is_whole(&answer) {
            let read = stream.read_buf(&mut answer).await.expect("it answers");
            assert!(read > 0, "it hung up: {}", String::from_utf8_lossy(&answer));
        }
        nanos.push(u64::try_from(began.elapsed().as_nanos()).expect("not that long"));
        let text = String::from_utf8_lossy(&answer);
        assert!(text.starts_with(&plan.head) && text.contains(&plan.expected), "a wrong answer: {text}");
    }
}

/// Whether a response has arrived whole.
fn is_whole(answer: &[u8]) -> bool {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    let body = &answer[end + 4..];
    match head.split("\r\n").find_map(|line| line.strip_prefix("content-length:")) {
        Some(length) => body.len() >= length.trim().parse::<usize>().expect("a length"),
        None => body.ends_with(b"0\r\n\r\n"),
    }
}
