//! `/users`: registering, logging in, who am I.

pub mod login;
pub mod me;
pub mod register;

use domain::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// A user, as shown.
#[derive(Serialize, ToSchema)]
pub struct User {
    /// Unique, at most 2^53 - 1.
    #[schema(minimum = 1, maximum = 9007199254740991_i64)]
    id: u64,
    /// The username, unique regardless of case.
    username: String,
    /// The person's name.
    name: String,
    /// When they registered.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When they last changed something about themselves.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<domain::User> for User {
    fn from(user: domain::User) -> Self {
        let domain::User { id, username, name, created_at, updated_at, .. } = user;
        Self { id: id.0, username, name, created_at, updated_at }
    }
}
