//! The platform in this process, on ports that a test has made.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::connect_info::IntoMakeServiceWithConnectInfo;
use ports::Parts;
use testkit::Client;
use web::{AppState, Secrets, Tokens, Web};

/// Serves every API on these parts until the test ends.
pub(crate) async fn serve(parts: Parts, config: app::Config) -> Client {
    let secrets = Secrets::new("a secret of at least thirty-two bytes", []).unwrap();
    let web = Web::new(web::Parts {
        tokens: Tokens::new(&secrets, parts.clock.clone()),
        secrets,
        table: parts.table.clone(),
        blobs: parts.blobs.clone(),
        clock: parts.clock.clone(),
        config: web::Config::default(),
    });
    let state = AppState { services: Arc::new(app::Services::new(parts, config)), web: web.clone() };
    let site = catalogue::site(web, &state);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let service: IntoMakeServiceWithConnectInfo<_, SocketAddr> =
        site.into_router().into_make_service_with_connect_info();
    tokio::spawn(async move { axum::serve(listener, service).await });
    Client::new(&url)
}
