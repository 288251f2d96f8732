//! Limits, slow callers, CORS, proxies: what happens around handlers, over real HTTP.

#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::time::Duration;

use http::Method;
use serde_json::json;
use support::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use web::Config;

/// Writes `head`, then `body` in pieces as `chunked` asks, and reads until the other end has said all.
async fn raw(server: &Server, head: &str, body: &[u8]) -> String {
    let stream = TcpStream::connect(server.address).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let (head, body) = (head.to_owned(), body.to_vec());
    let writing = tokio::spawn(async move {
        let _ = writer.write_all(head.as_bytes()).await;
        let _ = writer.write_all(&body).await;
        writer
    });
    let mut answer = Vec::new();
    let reading = reader.read_to_end(&mut answer);
    tokio::time::timeout(Duration::from_secs(60), reading).await.expect("an answer in time").ok();
    let _ = writing.await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or(answer)
}

#[tokio::test]
async fn bodies_end_at_the_limit() {
    let config = Config { max_body: 1000, ..Config::default() };
    let server = Server::with(config).await;
    let text = |length: usize| format!("\"{}\"", "x".repeat(length - 2));
    assert_eq!(server.post("/echo", text(1000)).await.text, text(1000));
    let large = server.post("/echo", text(1001)).await;
    assert_eq!(large.status, 413);
    assert_eq!(large.json()["code"], "BODY_TOO_LARGE");
    // Without a length, in chunks.
    for (length, expected) in [(1000, "200"), (1001, "413"), (3000, "413")] {
        let head =
            "POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n";
        let chunks: String = text(length)
            .as_bytes()
            .chunks(100)
            .map(|chunk| format!("{:x}\r\n{}\r\n", chunk.len(), String::from_utf8_lossy(chunk)))
            .collect();
        let answer = raw(&server, head, format!("{chunks}0\r\n\r\n").as_bytes()).await;
        assert_eq!(status(&answer), expected, "{length}: {answer}");
    }
}

#[tokio::test]
async fn a_hundred_megabytes_are_answered() {
    let server = Server::start().await;
    let body = vec![b'x'; 100_000_000];
    for path in ["/echo", "/books", "/whoami", "/nothing"] {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 100000000\r\nconnection: close\r\n\r\n"
        );
        let answer = raw(&server, &head, &body).await;
        let expected = match path {
            "/whoami" => "405",
            "/nothing" => "404",
            _ => "413",
        };
        // Size is looked at before anything else, except that there is something at all.
        assert!(["413", expected].contains(&status(&answer)), "{path}: {answer:.300}");
        assert!(answer.contains("\"detail\""), "{path}: {answer:.300}");
    }
    // A caller who asks first doesn't send.
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 100000000\r\nexpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let config = Config { body_timeout: Duration::from_millis(100), ..Config::default() };
    let server = Server::with(config).await;
    let head = "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n";
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(b"\"half").await.unwrap();
    let mut answer = vec![0; 12];
    let reading = stream.read_exact(&mut answer);
    tokio::time::timeout(Duration::from_secs(20), reading).await.expect("an answer in time").unwrap();
    assert_eq!(answer, b"HTTP/1.1 400");
}

#[tokio::test]
async fn browsers_may_call_from_anywhere() {
    let server = Server::start().await;
    for path in ["/books", "/books/1", "/nothing", "/openapi.json"] {
        let preflight = server
            .request(Method::OPTIONS, path)
            .header("origin", "https://app.example")
            .header("access-control-request-method", "DELETE")
            .header("access-control-request-headers", "authorization,idempotency-key");
        let answer = Server::send(preflight).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        assert_eq!(answer.header("access-control-allow-methods"), Some("DELETE"));
        assert_eq!(answer.header("access-control-allow-headers"), Some("authorization,idempotency-key"));
        assert_eq!(answer.header("access-control-allow-credentials"), None);
    }
    for path in ["/books", "/nothing", "/fail/panic"] {
        let answer =
            Server::send(server.request(Method::GET, path).header("origin", "https://a.example")).await;
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{path}");
        let exposed = answer.header("access-control-expose-headers").unwrap();
        for name in ["x-request-id", "location", "retry-after", "idempotency-replayed", "link"] {
            assert!(exposed.contains(name), "{exposed}");
        }
    }
    let config =
        Config { allowed_origins: vec!["https://app.example".parse().unwrap()], ..Config::default() };
    let narrow = Server::with(config).await;
    for (origin, allowed) in
        [("https://app.example", Some("https://app.example")), ("https://evil.example", None)]
    {
        let answer = Server::send(narrow.request(Method::GET, "/whoami").header("origin", origin)).await;
        assert_eq!(answer.header("access-control-allow-origin"), allowed, "{origin}");
    }
}

#[tokio::test]
async fn forwarded_addresses_count_where_the_proxy_is_trusted() {
    let ask = async |server: &Server| {
        let request = server.request(Method::GET, "/whoami").header("x-forwarded-for", "6.6.6.6, 9.9.9.9");
        Server::send(request).await.json()[1].clone()
    };
    assert_eq!(ask(&Server::start().await).await, json!("127.0.0.1"));
    let config = Config { trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()], ..Config::default() };
    assert_eq!(ask(&Server::with(config).await).await, json!("9.9.9.9"));
}
