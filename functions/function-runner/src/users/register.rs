//! `POST /users/register`

use std::sync::Arc;

use app::{Accounts, NewUser};
use axum::extract::State;
use domain::fault::Content;
use domain::{Fault, Field, Rule};
use serde::Deserialize;
use utoipa::ToSchema;
use web::{Body, Fields, Input, Json, Result, Source};

use super::User;

/// A user to register.
#[derive(Deserialize, ToSchema)]
pub struct UserCreate {
    /// The username, unique regardless of case.
    #[schema(min_length = 3, max_length = 50, pattern = "^[A-Za-z0-9_.-]+$",
        extensions(("x-says" = json!("have only letters, digits, `_`, `.` and `-`"))))]
    username: String,
    /// The person's name.
    #[schema(min_length = 1, max_length = 100, extensions(("x-form" = json!("name"))))]
    name: String,
    /// 8 to 1024 bytes.
    #[schema(min_length = 8, max_length = 1024, format = Password)]
    password: String,
}

impl Input for UserCreate {
    fn extra(fields: &Fields<'_>) -> Vec<Fault> {
        let bytes = fields.text("password").map(str::len).filter(|bytes| *bytes > 1024);
        let rule = |count| Rule::MaxBytes { of: Content::Password, max: 1024, count };
        bytes.map(|count| Fault::new(Field::body("password"), rule(count))).into_iter().collect()
    }
}

/// Registers a user.
#[utoipa::path(
    post, path = "/users/register", operation_id = "users.register", tag = "users",
    request_body = UserCreate,
    responses(
        (status = 200, description = "Registered", body = User),
        (status = 400, description = "The username is taken"),
        (status = 429, description = "Too many registrations from this address"),
    ),
    extensions(("x-access" = json!(["table:read", "table:write"])), ("x-memory" = json!(1024))),
)]
pub async fn register(
    State(accounts): State<Arc<Accounts>>,
    source: Source,
    Body(new): Body<UserCreate>,
) -> Result<Json<User>> {
    let UserCreate { username, name, password } = new;
    let user = accounts.register(&source.network(), NewUser { username, name, password }).await?;
    Ok(Json(user.into()))
}
