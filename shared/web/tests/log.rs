//! What is logged. A process of its own: `tracing` keeps for all threads whether anyone listens.

#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use support::Server;
use tracing_subscriber::fmt::MakeWriter;

/// What was logged, in JSON lines.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

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
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
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
