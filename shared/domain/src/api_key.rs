//! API keys: a secret with which a program acts as a user, within its scopes.
//!
//! A key's text is `fr_<id>_<secret>_<checksum>`, all in lower-case hexadecimal: 32 digits that name its record and its
//! user, 40 that are random, and 8 that are the CRC-32 of what stands before them. So a scanner of secrets knows one when it
//! sees it, a mistyped one is known without a read, and one read finds the record together with the user's.

use serde::{Deserialize, Serialize};

use crate::{ApiKeyId, Scope, Timestamp, UserId};

/// What every key begins with. A workspace's auth keys begin with [`frk_`](crate::auth_key::PREFIX).
pub const PREFIX: &str = "fr_";

/// The record of a key. The secret itself is shown once and only the key's hash is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Names the record, and whose it is.
    pub id: ApiKeyId,
    /// As whom the key acts.
    pub user_id: UserId,
    /// What it is for. As [`text::name`](crate::text::name) makes it, unique among the user's keys that work.
    pub name: String,
    /// In the order of [`Scope`], each once.
    pub scopes: Vec<Scope>,
    /// SHA-256 of the key's text, in hex. The secret has 160 random bits, so a slow hash would add nothing.
    pub hash: String,
    /// When it was issued.
    pub created_at: Timestamp,
    /// From when it no longer works.
    pub expires_at: Timestamp,
}

impl ApiKey {
    /// What its text begins with, enough for people to know it by.
    pub fn prefix(&self) -> String {
        format!("{PREFIX}{}", &self.id.0.simple().to_string()[..8])
    }
}
