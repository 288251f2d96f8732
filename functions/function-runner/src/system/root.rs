//! `GET /`

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use web::{Json, Web};

/// What this is.
#[derive(Serialize, ToSchema)]
pub struct Root {
    /// Always `ok`.
    status: &'static str,
    /// Its name.
    message: &'static str,
    /// Its version.
    version: &'static str,
    /// Which deployment this is: `local` on one machine.
    environment: String,
    /// Where to read about it.
    docs: &'static str,
}

/// Says the name and version of the API.
#[utoipa::path(
    get, path = "/", operation_id = "system.root", tag = "system",
    responses((status = 200, description = "The name and version of the API", body = Root)),
    extensions(("x-access" = json!([]))),
)]
pub async fn root(State(web): State<Web>) -> Json<Root> {
    Json(Root {
        status: "ok",
        message: "Function Runner API",
        version: env!("CARGO_PKG_VERSION"),
        environment: web.config.environment.clone(),
        docs: "/docs",
    })
}
