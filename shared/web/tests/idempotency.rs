//! `Idempotency-Key` over real HTTP.

#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::sync::atomic::Ordering;
use std::time::Duration;

use http::Method;
use serde_json::json;
use support::{Answer, Server};

async fn create(server: &Server, user: u64, key: &str, title: &str) -> Answer {
    let request = server.request(Method::POST, "/books").bearer_auth(server.token(user));
    let body = json!({ "title": title }).to_string();
    Server::send(request.header("idempotency-key", key).body(body)).await
}

fn replayed(answer: &Answer) -> bool {
    answer.header("idempotency-replayed") == Some("true")
}

fn made(server: &Server) -> usize {
    server.shelf.made.load(Ordering::SeqCst)
}

fn is_running(server: &Server) -> bool {
    server.table.dump().contains("running")
}

/// Waits until a request holds its key.
async fn running(server: &Server) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while !is_running(server) {
        assert!(tokio::time::Instant::now() < deadline);
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_first_answer_comes_again() {
    let server = Server::start().await;
    let first = create(&server, 1, "k", "a").await;
    let second = create(&server, 1, "k", "a").await;
    assert!(!replayed(&first) && replayed(&second));
    assert_eq!((second.status, &second.text), (first.status, &first.text));
    assert_eq!(second.header("content-type"), first.header("content-type"));
    assert_ne!(second.header("x-request-id"), first.header("x-request-id"));
    assert_eq!(made(&server), 1);

    let other = create(&server, 1, "k", "b").await;
    assert_eq!((other.status.as_u16(), &other.json()["code"]), (422, &json!("IDEMPOTENCY_KEY_REUSED")));
    assert_eq!(made(&server), 1);

    assert!(!replayed(&create(&server, 2, "k", "a").await), "keys are per caller");
    assert!(!replayed(&create(&server, 1, "l", "a").await), "and names one request");
    assert_eq!(made(&server), 3);

    server.clock.advance(Duration::from_secs(24 * 3600 + 1));
    assert!(!replayed(&create(&server, 1, "k", "other").await), "a day later it is free");
    assert_eq!(made(&server), 4);
}

#[tokio::test]
async fn refusals_of_the_moment_are_not_kept() {
    let server = Server::start().await;
    let taken = create(&server, 1, "taken", "taken").await;
    assert_eq!(taken.status, 409);
    assert!(replayed(&create(&server, 1, "taken", "taken").await));
    assert_eq!(made(&server), 1);
    for title in ["broken", "busy"] {
        for _ in 0..2 {
            assert!(!replayed(&create(&server, 1, title, title).await), "{title}");
        }
    }
    assert_eq!(made(&server), 5);
    assert_eq!(create(&server, 1, "typo", "").await.status, 422);
    assert_eq!(create(&server, 1, "typo", "right").await.status, 200, "a correction may keep its key");
    let unknown = |token: &str| {
        let request = server.request(Method::POST, "/books").bearer_auth(token.to_owned());
        Server::send(request.header("idempotency-key", "anonymous").body(r#"{"title": "a"}"#))
    };
    for _ in 0..2 {
        let answer = unknown("nobody").await;
        assert!(answer.status == 401 && !replayed(&answer));
    }
}

#[tokio::test]
async fn a_twin_waits_for_the_first() {
    let server = std::sync::Arc::new(Server::start().await);
    let first = tokio::spawn({
        let server = server.clone();
        async move { create(&server, 1, "k", "slow").await }
    });
    running(&server).await;
    let twin = create(&server, 1, "k", "slow").await;
    assert_eq!(twin.status, 409);
    assert_eq!(twin.json()["code"], "IDEMPOTENCY_KEY_IN_USE");
    assert_eq!(twin.header("retry-after"), Some("1"));
    assert_eq!(create(&server, 1, "k", "other").await.status, 422);
    server.shelf.go.notify_one();
    assert_eq!(first.await.unwrap().status, 200);
    assert!(replayed(&create(&server, 1, "k", "slow").await));
    assert_eq!(made(&server), 1);
}

#[tokio::test]
async fn a_caller_who_hung_up_finds_the_answer() {
    let server = Server::start().await;
    tokio::select! {
        answer = create(&server, 1, "k", "slow") => panic!("{answer:?}"),
        () = running(&server) => {}
    }
    assert_eq!(create(&server, 1, "k", "slow").await.status, 409, "it is still running");
    server.shelf.go.notify_one();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    let answer = loop {
        let answer = create(&server, 1, "k", "slow").await;
        if answer.status != 409 {
            break answer;
        }
        assert!(tokio::time::Instant::now() < deadline);
        tokio::task::yield_now().await;
    };
    assert!(answer.status == 200 && replayed(&answer), "{answer:?}");
    assert_eq!(made(&server), 1);
}

#[tokio::test]
async fn a_crash_does_not_hold_the_key() {
    let server = std::sync::Arc::new(Server::start().await);
    let lost = tokio::spawn({
        let server = server.clone();
        async move { create(&server, 1, "k", "slow").await }
    });
    running(&server).await;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    server.clock.advance(Duration::from_secs(14));
    assert_eq!(create(&server, 1, "k", "slow").await.status, 409);
    server.clock.advance(Duration::from_secs(2));
    // Another takes the key over; what the first writes after that doesn't count.
    let second = tokio::spawn({
        let server = server.clone();
        async move { create(&server, 1, "k", "slow").await }
    });
    while !(lost.is_finished() && second.is_finished()) {
        server.shelf.go.notify_waiters();
        assert!(tokio::time::Instant::now() < deadline);
        tokio::task::yield_now().await;
    }
    let (lost, second) = (lost.await.unwrap(), second.await.unwrap());
    assert_eq!((lost.status.as_u16(), second.status.as_u16()), (200, 200));
    let again = create(&server, 1, "k", "slow").await;
    assert!(replayed(&again));
    assert_eq!(again.text, second.text);
}

#[tokio::test]
async fn who_runs_for_long_says_so() {
    let server = std::sync::Arc::new(Server::start().await);
    let first = tokio::spawn({
        let server = server.clone();
        async move { create(&server, 1, "k", "slow").await }
    });
    running(&server).await;
    server.clock.advance(Duration::from_secs(10));
    let (before, deadline) = (server.table.dump(), tokio::time::Instant::now() + Duration::from_secs(30));
    while server.table.dump() == before {
        assert!(tokio::time::Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    server.clock.advance(Duration::from_secs(10));
    assert_eq!(create(&server, 1, "k", "slow").await.status, 409, "twenty seconds after it began");
    server.shelf.go.notify_one();
    assert_eq!(first.await.unwrap().status, 200);
}

#[tokio::test]
async fn the_only_server_knows_what_runs() {
    let config = web::Config { only_server: true, ..web::Config::default() };
    let server = std::sync::Arc::new(Server::with(config).await);
    let first = tokio::spawn({
        let server = server.clone();
        async move { create(&server, 1, "k", "slow").await }
    });
    running(&server).await;
    server.clock.advance(Duration::from_secs(3600));
    assert_eq!(create(&server, 1, "k", "slow").await.status, 409);
    server.shelf.go.notify_one();
    assert_eq!(first.await.unwrap().status, 200);
    // What another left, which is no more.
    let left = server.table.dump();
    let key = left.split("IDEMPOTENCY#").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let key = ports::Key::new(format!("IDEMPOTENCY#{key}"), "META");
    let open = |name: &str, value: &str| ports::Change::Set(name.into(), value.into());
    let until = ports::Change::Set("until".into(), i64::MAX.into());
    let changes = vec![open("state", "running"), open("lock", "of the dead"), until];
    let write = ports::Write::Update(key, changes, ports::Condition::None);
    ports::Table::write(&*server.table, vec![write], ports::Durability::Crash).await.unwrap();
    server.shelf.go.notify_one();
    assert_eq!(create(&server, 1, "k", "slow").await.status, 200);
}

#[tokio::test]
async fn a_twin_that_looked_too_early_does_nothing_again() {
    let config = web::Config { only_server: true, ..web::Config::default() };
    let server = std::sync::Arc::new(Server::with(config).await);
    let slow = || {
        let server = server.clone();
        tokio::spawn(async move { create(&server, 1, "k", "slow").await })
    };
    let first = slow();
    running(&server).await;
    // The twin sees that it runs, and goes on when it has been answered.
    let (go_on, held) = tokio::sync::oneshot::channel();
    *server.table.held.lock().unwrap() = Some(held);
    let twin = slow();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while server.table.held.lock().unwrap().is_some() {
        assert!(tokio::time::Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    server.shelf.go.notify_one();
    let first = first.await.unwrap();
    // Should it be done again, that ends.
    server.shelf.go.notify_one();
    go_on.send(()).unwrap();
    let twin = twin.await.unwrap();
    assert!(replayed(&twin), "{twin:?}");
    assert_eq!((first.status.as_u16(), twin.text), (200, first.text));
    assert_eq!(made(&server), 1);
}

#[tokio::test]
async fn a_request_whose_end_is_unknown_keeps_its_key() {
    let server = Server::start().await;
    assert_eq!(create(&server, 1, "k", "broken").await.status, 500);
    assert_eq!(create(&server, 1, "k", "other").await.json()["code"], "IDEMPOTENCY_KEY_REUSED");
    assert_eq!(create(&server, 1, "k", "broken").await.status, 500, "it is tried again");
    assert_eq!(made(&server), 2);
    server.clock.advance(Duration::from_secs(24 * 3600 + 1));
    assert_eq!(create(&server, 1, "k", "other").await.status, 200);
}

#[tokio::test]
async fn secrets_are_sealed_and_large_answers_are_blobs() {
    let server = Server::start().await;
    let send = |key: &str, body: String| {
        let request = server.request(Method::POST, "/books").bearer_auth(server.token(1));
        Server::send(request.header("idempotency-key", key).body(body))
    };
    let small = send("small", json!({"title": "frk_very_secret"}).to_string()).await;
    assert_eq!(small.status, 200);
    assert!(!server.table.dump().contains("secret"));
    assert!(server.blobs.blobs().is_empty());

    let echo = |key: &str| {
        let body = format!("\"frk_very_secret{}\"", "x".repeat(100_000));
        let request = server.request(Method::POST, "/echo/").header("idempotency-key", key.to_owned());
        Server::send(request.body(body))
    };
    let first = echo("large").await;
    let second = echo("large").await;
    assert!(replayed(&second) && first.text == second.text && first.text.len() > 100_000);
    let blobs = server.blobs.blobs();
    assert_eq!(blobs.len(), 1);
    assert!(blobs.keys().all(|key| key.starts_with("idempotency/2023-11-14/")), "{blobs:?}");
    assert!(blobs.values().all(|bytes| !bytes.windows(6).any(|part| part == b"secret")));
}

#[tokio::test]
async fn keys_are_sane_and_only_where_they_mean_something() {
    let server = Server::start().await;
    for key in ["", "é", &"x".repeat(256), "a\tb"] {
        let answer = create(&server, 1, key, "a").await;
        let expected = r#"["header","idempotency-key"] string_pattern_mismatch"#;
        assert_eq!(answer.faults(), (422, vec![expected.to_owned()]), "{key}");
    }
    let longest = "x".repeat(255);
    for key in [" ~!a", &longest] {
        assert_eq!(create(&server, 1, key, "a").await.status, 200);
    }
    let two = server.request(Method::POST, "/books").bearer_auth(server.token(1)).body(r#"{"title": "a"}"#);
    let two = two.header("idempotency-key", "a").header("idempotency-key", "b");
    assert_eq!(Server::send(two).await.status, 422);
    let id = "/labels/9c5b94b1-35ad-49bb-b118-8e8fc24abf80";
    for _ in 0..2 {
        let request = server.request(Method::POST, id).header("idempotency-key", "k");
        assert!(!replayed(&Server::send(request).await), "not an idempotent route");
    }
}
