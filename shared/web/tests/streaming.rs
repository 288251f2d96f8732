//! Routes whose bodies pass as they come, over real HTTP.

#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::io;
use std::time::Duration;

use http::Method;
use serde_json::json;
use support::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use web::Config;

/// Waits for what is sure to come, and not for ever.
async fn soon<F: Future>(what: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(30), what).await.expect("it comes")
}

#[tokio::test]
async fn a_chunk_arrives_before_the_next_is_made() {
    let stopping = CancellationToken::new();
    let server = Server::with(Config { stopping: stopping.clone(), ..Config::default() }).await;
    let say = &server.shelf.speech.say;
    let request = server.request(Method::GET, "/speech").header("idempotency-key", "ignored");
    let mut response = soon(request.send()).await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.headers().contains_key("x-request-id"));
    for words in ["once", "upon a time"] {
        say.send(Ok(words)).unwrap();
        assert_eq!(soon(response.chunk()).await.unwrap().unwrap(), words);
    }
    // Others are told in the API's words that there is nothing for them.
    assert_eq!(server.get("/speech").await.detail(), (409, json!("Somebody listens already")));
    // What would go on for ever ends as it should when the server stops.
    stopping.cancel();
    assert_eq!(soon(response.chunk()).await.unwrap(), None);
    soon(server.shelf.speech.over.notified()).await;
}

#[tokio::test]
async fn who_hangs_up_ends_what_is_made_for_them() {
    let server = Server::start().await;
    server.shelf.speech.say.send(Ok("once")).unwrap();
    let mut response = soon(server.request(Method::GET, "/speech").send()).await.unwrap();
    assert_eq!(soon(response.chunk()).await.unwrap().unwrap(), "once");
    drop(response);
    soon(server.shelf.speech.over.notified()).await;
}

#[tokio::test]
async fn a_stream_that_fails_breaks_off() {
    let server = Server::start().await;
    let say = &server.shelf.speech.say;
    say.send(Ok("once")).unwrap();
    let mut response = soon(server.request(Method::GET, "/speech").send()).await.unwrap();
    assert_eq!(soon(response.chunk()).await.unwrap().unwrap(), "once");
    say.send(Err(io::Error::other("secret"))).unwrap();
    assert!(soon(response.bytes()).await.is_err(), "a client can tell it from an end");
}

#[tokio::test]
async fn an_upload_has_a_limit_of_its_own() {
    let server = Server::with(Config { max_body: 1000, ..Config::default() }).await;
    assert_eq!(server.post("/count", vec![0; 5000]).await.json(), 5000);
    let large = server.post("/count", vec![0; 5001]).await;
    assert_eq!((large.status.as_u16(), &large.json()["code"]), (413, &json!("BODY_TOO_LARGE")));
    assert!(large.text.contains("5000 bytes"), "{}", large.text);
    assert_eq!(server.post("/echo", vec![b' '; 1001]).await.status, 413);
}

#[tokio::test]
async fn an_upload_is_read_as_it_comes() {
    let server = Server::start().await;
    let head = format!(
        "POST /count HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ntransfer-encoding: chunked\r\n\r\n",
        server.token(1)
    );
    let chunk = format!("3e8\r\n{}\r\n", "x".repeat(1000));
    let mut client = TcpStream::connect(server.address).await.unwrap();
    client.write_all(head.as_bytes()).await.unwrap();
    for _ in 0..6 {
        client.write_all(chunk.as_bytes()).await.unwrap();
        // It is read before the next is sent; the last one is too much.
        soon(async {
            tokio::select! {
                () = server.shelf.speech.read.notified() => {}
                ready = client.readable() => ready.unwrap(),
            }
        })
        .await;
    }
    let mut status = [0; 12];
    soon(client.read_exact(&mut status)).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 413");
}

#[tokio::test]
async fn an_upload_can_not_be_named() {
    let server = Server::start().await;
    let request = server.request(Method::POST, "/count").bearer_auth(server.token(1));
    let answer = Server::send(request.header("idempotency-key", "k").body("text")).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["code"]),
        (400, &json!("IDEMPOTENCY_KEY_NOT_SUPPORTED"))
    );
}

#[tokio::test]
async fn the_document_says_which_routes_stream() {
    let doc = Server::start().await.get("/openapi.json").await.json();
    let upload = &doc["paths"]["/count"]["post"];
    assert_eq!(upload["x-streaming"], json!({"maxRequestBytes": 5000}));
    assert!(upload["responses"].get("400").is_some() && upload["parameters"].is_null(), "{upload}");
    assert!(doc["paths"]["/speech"]["get"]["x-streaming"].is_object());
    assert!(doc["paths"]["/echo"]["post"]["x-streaming"].is_null());
}
