//! Routes that stream: what is said aloud, as it is said, and pages that are counted as they come.

use std::io;
use std::sync::{Arc, Mutex};

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures::stream;
use tokio::sync::{Notify, mpsc};
use utoipa_axum::routes;
use web::{Api, BodyStream, Caller, Result, StreamEnd};

use super::api::App;

/// What one listener hears.
pub struct Speech {
    pub say: mpsc::UnboundedSender<io::Result<&'static str>>,
    heard: Mutex<Option<mpsc::UnboundedReceiver<io::Result<&'static str>>>>,
    /// Nobody listens any more.
    pub over: Arc<Notify>,
    /// A chunk of an upload was read.
    pub read: Notify,
}

impl Default for Speech {
    fn default() -> Self {
        let (say, heard) = mpsc::unbounded_channel();
        Self { say, heard: Mutex::new(Some(heard)), over: Arc::default(), read: Notify::new() }
    }
}

pub fn add(api: Api<App>) -> Api<App> {
    api.streaming(routes!(listen)).upload(routes!(count), 5000)
}

struct Over(Arc<Notify>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

/// What is said, as it is said
#[utoipa::path(get, path = "/speech", operation_id = "speech", responses((status = 200)))]
async fn listen(State(app): State<App>, end: StreamEnd) -> Result<Response> {
    let speech = &app.shelf.speech;
    let heard = speech.heard.lock().unwrap().take();
    let heard = heard.ok_or_else(|| domain::Error::conflict("HEARD", "Somebody listens already"))?;
    let said = stream::unfold((heard, Over(speech.over.clone())), |(mut heard, over)| async move {
        Some((heard.recv().await?, (heard, over)))
    });
    Ok(Body::from_stream(end.cut(said)).into_response())
}

/// How many bytes a text has
#[utoipa::path(
    post, path = "/count", operation_id = "count", security(("user" = [])),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = u64)),
)]
async fn count(State(app): State<App>, _: Caller, mut body: BodyStream) -> Result<Json<usize>> {
    let mut bytes = 0;
    while let Some(chunk) = body.chunk().await? {
        bytes += chunk.len();
        app.shelf.speech.read.notify_one();
    }
    Ok(Json(bytes))
}
