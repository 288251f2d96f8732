//! API Gateway's connections pass the suite of the ports, against a stand-in for its management API.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use aws::ApiGatewayConnections;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::post;
use ports::conformance::{self, Client, Clients};
use ports::{ConnectionError, ConnectionId, Connections};
use tokio::sync::mpsc;

/// The open connections, each with what sends to it.
#[derive(Clone, Default)]
struct Gateway(Arc<Mutex<HashMap<String, mpsc::UnboundedSender<String>>>>);

/// How API Gateway says that a connection is no more.
fn gone() -> impl IntoResponse {
    (StatusCode::GONE, [("x-amzn-errortype", "GoneException")], r#"{"message":null}"#)
}

async fn posted(State(gateway): State<Gateway>, Path(id): Path<String>, body: String) -> impl IntoResponse {
    match gateway.0.lock().unwrap().get(&id).map(|sender| sender.send(body)) {
        Some(Ok(())) => StatusCode::OK.into_response(),
        _ => gone().into_response(),
    }
}

async fn deleted(State(gateway): State<Gateway>, Path(id): Path<String>) -> impl IntoResponse {
    match gateway.0.lock().unwrap().remove(&id) {
        Some(_) => StatusCode::NO_CONTENT.into_response(),
        None => gone().into_response(),
    }
}

impl Gateway {
    /// Serves it, and the adapter that speaks to it.
    async fn serve(&self) -> ApiGatewayConnections {
        let router = Router::new()
            .route("/stage/@connections/{id}", post(posted).delete(deleted))
            .with_state(self.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/stage", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        ApiGatewayConnections::new(&support::sdk("http://127.0.0.1:1"), url)
    }
}

struct Reader {
    gateway: Gateway,
    id: String,
    messages: mpsc::UnboundedReceiver<String>,
}

#[async_trait]
impl Clients for Gateway {
    async fn connect(&self) -> (ConnectionId, Box<dyn Client>) {
        // As API Gateway's look.
        let id = format!("{}=", support::fresh("L0SM9cOFvHcCIh+"));
        let (sender, messages) = mpsc::unbounded_channel();
        self.0.lock().unwrap().insert(id.clone(), sender);
        (ConnectionId(id.clone()), Box::new(Reader { gateway: self.clone(), id, messages }))
    }
}

#[async_trait]
impl Client for Reader {
    async fn next(&mut self) -> Option<String> {
        self.messages.recv().await
    }

    async fn hang_up(&mut self) {
        self.gateway.0.lock().unwrap().remove(&self.id);
    }
}

#[tokio::test]
async fn passes_the_suite() {
    let gateway = Gateway::default();
    let connections = gateway.serve().await;
    conformance::connections(&connections, &gateway).await;
}

#[tokio::test]
async fn a_gateway_that_can_not_be_reached_says_nothing_of_its_connections() {
    let connections = ApiGatewayConnections::new(&support::sdk("http://127.0.0.1:1"), "http://127.0.0.1:1");
    let id = ConnectionId("a".into());
    let sent = connections.send(&id, "x").await;
    assert!(matches!(sent, Err(ConnectionError::Failed(_))), "{sent:?}");
    assert!(connections.close(&id, &ports::Close::SILENT).await.is_err());
}
