//! `GET /`

use serde::Serialize;
use utoipa::ToSchema;
use web::Json;

/// What this is.
#[derive(Serialize, ToSchema)]
pub struct Root {
    /// Its name.
    message: &'static str,
    /// Its version.
    version: &'static str,
    /// Where to read about it.
    docs: &'static str,
}

/// Says what this is.
#[utoipa::path(
    get, path = "/", operation_id = "system.root", tag = "system",
    responses((status = 200, description = "What this is", body = Root)),
    extensions(("x-access" = json!([]))),
)]
pub async fn root() -> Json<Root> {
    Json(Root { message: "Function Runner API", version: env!("CARGO_PKG_VERSION"), docs: "/docs" })
}
