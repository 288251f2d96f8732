//! The front door over real sockets, in front of a service that says what it was asked.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use futures::{StreamExt, stream};
use http_body_util::BodyExt;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Answers with the method, the target and the body of a request.
async fn told(request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_or_else(|_| b"broken".to_vec(), |body| body.to_bytes().to_vec());
    let text = format!("<{} {} {}>", parts.method, parts.uri, String::from_utf8_lossy(&body));
    Response::builder().header("x-request-id", "r").body(text.into()).unwrap()
}

async fn door() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = Router::new().fallback(told);
    tokio::spawn(super::serve(listener, service, CancellationToken::new(), Duration::ZERO));
    address
}

/// What comes back for these pieces, sent one after the other, until the server hangs up. The sending side is shut after
/// them, as `nc -N` does.
async fn answers(address: SocketAddr, pieces: &[&[u8]]) -> String {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let mut answer = Vec::new();
    let reading = async {
        let _ = reader.read_to_end(&mut answer).await;
    };
    let writing = async {
        for piece in pieces {
            // Who was refused may have hung up.
            if writer.write_all(piece).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
        let _ = writer.shutdown().await;
    };
    let both = async { tokio::join!(reading, writing) };
    tokio::time::timeout(Duration::from_secs(30), both).await.expect("the server hangs up");
    String::from_utf8_lossy(&answer).into_owned()
}

/// What the service was asked, of all that came back.
fn asked(answer: &str) -> Vec<&str> {
    let bodies = answer.split("\r\n\r\n").skip(1);
    bodies.map(|text| &text[..text.find("HTTP/1.1").unwrap_or(text.len())]).collect()
}

#[tokio::test]
async fn who_shuts_the_sending_side_is_answered() {
    let address = door().await;
    let answer = answers(address, &[b"GET /a HTTP/1.1\r\nhost: x\r\n\r\n"]).await;
    assert_eq!(asked(&answer), ["<GET /a >"], "{answer}");
    let answer = answers(address, &[b"POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nhi"]).await;
    assert_eq!(asked(&answer), ["<POST /a hi>"], "{answer}");
}

#[tokio::test]
async fn targets_that_others_take_are_taken() {
    let address = door().await;
    for (target, seen) in [
        ("/a?q=\"<b>\"", "/a?q=%22%3Cb%3E%22"),
        ("/\"a\"?{b}|c^d`e\\", "/%22a%22?%7Bb%7D%7Cc%5Ed%60e%5C"),
        ("/한글?é", "/%ED%95%9C%EA%B8%80?%C3%A9"),
        ("/a%20b?c=%22", "/a%20b?c=%22"),
        ("http://x/a?\"", "http://x/a?%22"),
    ] {
        let request = format!("GET {target} HTTP/1.1\r\nhost: x\r\n\r\n");
        let answer = answers(address, &[request.as_bytes()]).await;
        assert_eq!(asked(&answer), [format!("<GET {seen} >")], "{target}: {answer}");
    }
    let answer = answers(address, &[b"GET /\xff?\xc3 HTTP/1.1\r\nhost: x\r\n\r\n"]).await;
    assert_eq!(asked(&answer), ["<GET /%FF?%C3 >"], "{answer}");
}

#[tokio::test]
async fn what_can_not_be_read_is_refused_in_words() {
    let address = door().await;
    let long = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(66_000));
    let large = format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "a".repeat(200_000));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(101));
    let endless = format!("GET /{}", "a".repeat(200_000));
    let cases: &[(&[u8], &str)] = &[
        (b"nonsense\r\n\r\n", "400 "),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\r\n\r\n", "400 "),
        (b"GET / HTTP/2.0\r\nhost: x\r\n\r\n", "400 "),
        (b"GET /\r\n\r\n", "400 "),
        (b"GET /a b HTTP/1.1\r\nhost: x\r\n\r\n", "400 "),
        (b"GET /\x01 HTTP/1.1\r\nhost: x\r\n\r\n", "400 "),
        (b"GET / HTTP/1.1\r\nho st: x\r\n\r\n", "400 "),
        (b"GET / HTTP/1.1\r\nhost: x\x00\r\n\r\n", "400 "),
        (b"GET / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab", "400 "),
        (b"POST / HTTP/1.1\r\ncontent-length: many\r\n\r\n", "400 "),
        (b"POST / HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\n", "400 "),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505 "),
        (b"GET / HTTP/1.1\r\nhost", "400 "),
        (b"GET", "400 "),
        (large.as_bytes(), "431 "),
        (many.as_bytes(), "431 "),
        (long.as_bytes(), "4"),
        (endless.as_bytes(), "4"),
    ];
    for (request, status) in cases {
        // Also after a request that was well, on the same connection.
        for before in [&b""[..], b"GET /first HTTP/1.1\r\nhost: x\r\n\r\n"] {
            let answer = answers(address, &[before, request]).await;
            let shown = String::from_utf8_lossy(&request[..request.len().min(60)]);
            let answers: Vec<_> = answer.split("HTTP/1.1 ").skip(1).collect();
            assert_eq!(answers.len(), if before.is_empty() { 1 } else { 2 }, "{shown}: {answer}");
            let (head, body) = answers.last().and_then(|last| last.split_once("\r\n\r\n")).unwrap();
            assert!(head.starts_with(status), "{shown}: {head}");
            let id = head.lines().find_map(|line| line.strip_prefix("x-request-id: ")).expect("an id");
            let body: serde_json::Value = serde_json::from_str(body).expect("words in JSON");
            assert_eq!(body["request_id"], id, "{shown}");
            assert!(body["detail"].as_str().is_some_and(|text| text.len() > 20), "{shown}: {body}");
        }
    }
}

/// A front door to a response that never ends: its first chunk comes at once, and no other. Who waits for its stream to be
/// dropped is told.
async fn endless(stopping: CancellationToken, grace: Duration) -> (SocketAddr, Arc<Notify>, JoinHandle<()>) {
    let dropped = Arc::new(Notify::new());
    let told = dropped.clone();
    let service = Router::new().fallback(move || {
        let guard = NotifyWhenDropped(told.clone());
        let more = stream::pending().inspect(move |_| {
            let _ = &guard;
        });
        let chunks = stream::iter([Ok::<_, Infallible>("first")]).chain(more);
        let mut response = Response::new(Body::from_stream(chunks));
        response.extensions_mut().insert(web::Streamed);
        async { response }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(super::serve(listener, service, stopping, grace));
    (address, dropped, serving)
}

struct NotifyWhenDropped(Arc<Notify>);

impl Drop for NotifyWhenDropped {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

/// Asks, and reads the head and the first chunk.
async fn first_chunk(address: SocketAddr) -> TcpStream {
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut read = Vec::new();
    while !read.ends_with(b"first\r\n") {
        assert_ne!(client.read_buf(&mut read).await.unwrap(), 0, "{}", String::from_utf8_lossy(&read));
    }
    client
}

#[tokio::test]
async fn who_hangs_up_ends_a_stream_though_nothing_more_is_sent() {
    let (address, dropped, _serving) = endless(CancellationToken::new(), Duration::ZERO).await;
    let client = first_chunk(address).await;
    drop(client);
    tokio::time::timeout(Duration::from_secs(30), dropped.notified()).await.expect("the stream is dropped");
}

#[tokio::test]
async fn a_stream_that_does_not_end_is_not_waited_for_longer_than_the_grace() {
    let stopping = CancellationToken::new();
    let (address, _, serving) = endless(stopping.clone(), Duration::from_millis(50)).await;
    let _client = first_chunk(address).await;
    stopping.cancel();
    tokio::time::timeout(Duration::from_secs(30), serving).await.expect("the server stops").unwrap();
}

/// A request, and what the service is to say of it.
#[derive(Clone, Debug)]
struct Sent {
    bytes: Vec<u8>,
    told: String,
}

fn sent() -> impl Strategy<Value = Sent> {
    let path = "/[a-z\"<>{}|^`é]{0,8}(\\?[a-z\"<>{}|^`é]{0,8})?";
    // Bodies that look like request lines, heads and ends of heads.
    let body = "(GET /\"x\" HTTP/1.1\r\n|\r\n|\n|[a-z\"]|é){0,12}";
    let line = prop_oneof![Just("\r\n"), Just("\n")];
    (path, proptest::option::of(body), any::<bool>(), line, "(\r\n){0,2}").prop_map(
        |(path, body, chunked, line, before)| {
            let target = web::target::encoded(path.as_bytes());
            let seen = target.map_or(path.clone(), |target| String::from_utf8(target).unwrap());
            let (method, head, text) = match &body {
                None => ("GET", String::new(), String::new()),
                Some(body) if chunked && !body.is_empty() => {
                    let text = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
                    ("POST", format!("transfer-encoding: chunked{line}"), text)
                }
                Some(body) => ("PUT", format!("content-length: {}{line}", body.len()), body.clone()),
            };
            let bytes = format!("{before}{method} {path} HTTP/1.1{line}host: x{line}{head}{line}{text}");
            let told = format!("<{method} {seen} {}>", body.unwrap_or_default());
            Sent { bytes: bytes.into_bytes(), told }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// However a connection's bytes are cut in pieces, each request is seen as it was sent, and no body is touched. After
    /// chunks, targets are as strict as hyper's, so requests with chunks come last.
    #[test]
    fn requests_are_seen_as_they_were_sent(
        mut requests in proptest::collection::vec(sent(), 1..6), cuts in proptest::collection::vec(any::<u16>(), 0..8)
    ) {
        let first_chunked = requests.iter().position(|sent| sent.told.starts_with("<POST"));
        requests.truncate(first_chunked.map_or(requests.len(), |at| at + 1));
        let bytes: Vec<u8> = requests.iter().flat_map(|sent| sent.bytes.clone()).collect();
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| usize::from(cut) % bytes.len()).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces: Vec<_> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let answer = runtime.block_on(async { answers(door().await, &pieces).await });
        for Sent { told, .. } in &requests {
            prop_assert!(answer.contains(told.as_str()), "{told:?} of {:?}: {answer}", String::from_utf8_lossy(&bytes));
        }
        prop_assert_eq!(answer.matches("x-request-id: r\r\n").count(), requests.len());
    }
}
