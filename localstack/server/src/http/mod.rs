//! The front door: HTTP/1.1 on a socket.

mod door;
mod refusal;
#[cfg(test)]
mod tests;

use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use futures::TryFutureExt;
use hyper::Request;
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use tracing::{debug, warn};
use web::{HttpService, Streamed};

use door::{Calls, Door};

/// How long a client may take to send a request's headers: slower ones hold a connection for nothing.
const HEADERS: Duration = Duration::from_secs(15);
/// How large a request's head may be, in bytes.
const HEAD: usize = 64 * 1024;
/// How long to leave off accepting when the system has no descriptor left.
const PAUSE: Duration = Duration::from_millis(50);

/// Serves until `stopping`, then answers what has been asked, for `grace` at most.
pub(super) async fn serve(
    listener: TcpListener,
    service: impl HttpService,
    stopping: CancellationToken,
    grace: Duration,
) {
    let connections = GracefulShutdown::new();
    let mut server = http1::Builder::new();
    // A client may shut its sending side when it has sent all: `nc -N` does. That is no reason not to answer.
    server.timer(TokioTimer::new()).header_read_timeout(HEADERS).max_buf_size(HEAD).half_close(true);
    loop {
        let (stream, peer) = tokio::select! {
            () = stopping.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    warn!(%error, "a connection could not be accepted; trying again");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            },
        };
        // An answer goes out when it is written, not when more might follow.
        let _ = stream.set_nodelay(true);
        let (service, calls) = (service.clone(), Calls::default());
        let door = Door::new(stream, calls.clone());
        let service = service_fn(move |mut request: Request<Incoming>| {
            calls.called(request.body().size_hint().exact());
            request.extensions_mut().insert(ConnectInfo(peer));
            let (calls, response) = (calls.clone(), service.clone().oneshot(request.map(Body::new)));
            response.inspect_ok(move |response| {
                calls.answered(response.extensions().get::<Streamed>().is_some());
            })
        });
        let connection = connections.watch(server.serve_connection(TokioIo::new(door), service));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                debug!(%error, "a connection ended early");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(grace, connections.shutdown()).await.is_err() {
        warn!("some connections were still open when the server stopped");
    }
}
