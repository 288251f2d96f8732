//! `GET /health`

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use http::StatusCode;
use serde::Serialize;
use tracing::error;
use utoipa::ToSchema;
use web::Json;

/// Whether the platform works.
#[derive(Serialize, ToSchema)]
pub struct Health {
    /// `healthy`, or `unhealthy` when a part it needs is down.
    status: &'static str,
    /// Each part: `ok`, `down`, or for `runtime` how user code is kept apart.
    checks: BTreeMap<&'static str, String>,
}

/// Says whether the platform works.
#[utoipa::path(
    get, path = "/health", operation_id = "system.health", tag = "system",
    responses(
        (status = 200, description = "Healthy", body = Health),
        (status = 503, description = "A part that the platform needs is down", body = Health),
    ),
    extensions(("x-access" = json!(["table:read", "code:read", "queue:read", "runtime:read"]))),
)]
pub async fn health(State(health): State<Arc<app::Health>>) -> (StatusCode, Json<Health>) {
    let mut healthy = true;
    let mut checks = BTreeMap::new();
    for (part, state) in health.check().await {
        let shown = state.unwrap_or_else(|reason| {
            // Why is for whoever runs the platform, not for whoever asks.
            error!(part, reason, "a part of the platform is down");
            healthy = false;
            "down".to_owned()
        });
        checks.insert(part, shown);
    }
    let (code, status) = match healthy {
        true => (StatusCode::OK, "healthy"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "unhealthy"),
    };
    (code, Json(Health { status, checks }))
}
