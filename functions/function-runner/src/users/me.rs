//! `GET /users/me`

use std::sync::Arc;

use app::Accounts;
use axum::extract::State;
use web::{Caller, Json, Result};

use super::User;

/// Shows the user of the access token.
#[utoipa::path(
    get, path = "/users/me", operation_id = "users.me", tag = "users",
    responses((status = 200, description = "The user of the access token", body = User)),
    extensions(("x-access" = json!(["table:read"]))),
    security(("user" = []))
)]
pub async fn me(State(accounts): State<Arc<Accounts>>, caller: Caller) -> Result<Json<User>> {
    Ok(Json(accounts.user(caller.user_id).await?.into()))
}
