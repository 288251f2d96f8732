//! What is logged. A process of its own: `tracing` keeps for all threads whether anyone listens.

#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::io::Write;
use std::sync::{Arc, Mutex};

use http::Method;
use serde_json::{Value, json};
use support::Server;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::fmt::MakeWriter;
use web::Config;

/// What was logged, in JSON lines.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    fn lines(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn the_log_has_a_line_per_request_and_the_sources_of_errors() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().json().with_max_level(tracing::Level::INFO);
    let _guard = tracing::subscriber::set_default(subscriber.with_writer(log.clone()).finish());
    let server = Server::start().await;
    let failed = server.get("/fail/internal?password=hunter2").await;
    server.get("/books/7").await;
    server.get("/nothing").await;
    let (text, lines) = (log.text(), log.lines());
    let requests: Vec<_> = lines.iter().filter(|line| line["fields"]["message"] == "request").collect();
    let short = |line: &&Value| {
        let fields = &line["fields"];
        assert!(fields["latency_ms"].is_number() && line["span"]["request_id"].is_string(), "{line}");
        (fields["operation"].clone(), fields["path"].clone(), fields["status"].clone())
    };
    assert_eq!(
        requests.iter().map(short).collect::<Vec<_>>(),
        [
            (json!("fail"), json!("/fail/internal"), json!(500)),
            (json!("books.read"), json!("/books/7"), json!(404)),
            (Value::Null, json!("/nothing"), json!(404)),
        ]
    );
    let error = lines.iter().find(|line| line["level"] == "ERROR").unwrap();
    assert!(error["fields"]["error"].as_str().unwrap().contains("secret"), "{error}");
    assert_eq!(error["span"]["request_id"], failed.header("x-request-id").unwrap());
    assert_eq!(error["span"]["operation"], "fail");
    assert!(!text.contains("hunter2"), "queries are not logged");
}

/// How responses ended that were made while they were sent, and after how many bytes.
#[tokio::test]
async fn a_stream_is_logged_once_when_it_ends() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().json().with_max_level(tracing::Level::INFO);
    let _guard = tracing::subscriber::set_default(subscriber.with_writer(log.clone()).finish());
    for ended in ["complete", "failed", "cut off"] {
        log.0.lock().unwrap().clear();
        let stopping = CancellationToken::new();
        let server = Server::with(Config { stopping: stopping.clone(), ..Config::default() }).await;
        let say = &server.shelf.speech.say;
        say.send(Ok("once")).unwrap();
        let mut response = server.request(Method::GET, "/speech").send().await.unwrap();
        assert_eq!(response.chunk().await.unwrap().unwrap(), "once");
        assert!(log.lines().is_empty(), "it is not over");
        match ended {
            "complete" => {
                stopping.cancel();
                assert_eq!(response.chunk().await.unwrap(), None);
            }
            "failed" => {
                say.send(Err(std::io::Error::other("no more to tell"))).unwrap();
                drop(response.chunk().await.unwrap_err());
            }
            _ => drop(response),
        }
        server.shelf.speech.over.notified().await;
        let lines = loop {
            match log.lines() {
                lines if lines.iter().any(|line| line["fields"]["message"] == "request") => break lines,
                _ => tokio::task::yield_now().await,
            }
        };
        let (request, before) = lines.split_last().unwrap();
        let fields = &request["fields"];
        assert_eq!((&fields["ended"], &fields["bytes"]), (&json!(ended), &json!(4)), "{request}");
        assert!(fields["duration_ms"].as_f64() >= fields["latency_ms"].as_f64(), "{request}");
        assert_eq!((&fields["status"], &request["span"]["operation"]), (&json!(200), &json!("speech")));
        let errors: Vec<_> = before.iter().map(|line| line["fields"]["error"].as_str().unwrap()).collect();
        assert_eq!(errors, if ended == "failed" { vec!["no more to tell"] } else { Vec::new() });
    }
}
