//! People.

use serde::{Deserialize, Serialize};

use crate::{Timestamp, UserId};

/// A person who registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Random, unique.
    pub id: UserId,
    /// As typed; unique whatever its case.
    pub username: String,
    /// The person's name.
    pub name: String,
    /// argon2id, in PHC string format. Never leaves the platform.
    pub password_hash: String,
    /// When they registered.
    pub created_at: Timestamp,
    /// When they last changed something about themselves.
    pub updated_at: Timestamp,
}
