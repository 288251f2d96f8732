//! `POST /users/login`

use std::sync::Arc;

use app::Accounts;
use axum::extract::State;
use domain::limits;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use web::{Body, Input, Json, Result, Source, Web};

/// Username and password.
#[derive(Deserialize, ToSchema)]
pub struct UserLogin {
    /// The username, in upper or lower case.
    #[schema(max_length = 50)]
    username: String,
    /// The password.
    #[schema(max_length = 1024, format = Password)]
    password: String,
}

impl Input for UserLogin {}

/// An access token.
#[derive(Serialize, ToSchema)]
pub struct Token {
    /// To be sent as `Authorization: Bearer …`.
    access_token: String,
    /// Always `bearer`.
    token_type: &'static str,
    /// Seconds until it no longer works.
    expires_in: u64,
}

/// Logs a user in.
#[utoipa::path(
    post, path = "/users/login", operation_id = "users.login", tag = "users",
    request_body = UserLogin,
    responses(
        (status = 200, description = "An access token", body = Token),
        (status = 401, description = "Incorrect username or password"),
        (status = 429, description = "Too many wrong passwords"),
    ),
    extensions(("x-access" = json!(["table:read", "table:write"])), ("x-memory" = json!(1024))),
)]
pub async fn login(
    State(accounts): State<Arc<Accounts>>,
    State(web): State<Web>,
    source: Source,
    Body(login): Body<UserLogin>,
) -> Result<Json<Token>> {
    let user = accounts.log_in(&source.network(), &login.username, &login.password).await?;
    let (issued, _) = web.tokens.begin(user.id, user.password_changes, limits::ACCESS_TOKEN)?;
    Ok(Json(Token { access_token: issued.access_token, token_type: "bearer", expires_in: issued.expires_in }))
}
