//! The token secret, in Secrets Manager.

use aws_sdk_secretsmanager::Client;

use crate::config::{Clients, ConfigError};
use crate::retry::describe;

/// Where the token secret is.
#[derive(Clone, Debug)]
pub struct SecretSource {
    client: Client,
    id: String,
}

/// Why the secret can't be read.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Secrets Manager refuses, or isn't reached.
    #[error("the token secret can't be read: {0}")]
    Unreadable(String),
    /// It is bytes.
    #[error("the token secret is no text")]
    NoText,
}

impl SecretSource {
    /// Needs `TOKEN_SECRET_ID`.
    pub fn new(clients: &Clients) -> Result<Self, ConfigError> {
        let id = clients.config().token_secret_id.clone();
        let id = id.ok_or(ConfigError::Missing("TOKEN_SECRET_ID"))?;
        Ok(Self { client: Client::new(clients.sdk()), id })
    }

    /// Reads it, as it is now.
    pub async fn read(&self) -> Result<String, SecretError> {
        let answer = self.client.get_secret_value().secret_id(&self.id).send().await;
        let answer = answer.map_err(|error| SecretError::Unreadable(describe(&error)))?;
        answer.secret_string.ok_or(SecretError::NoText)
    }
}
