//! Open WebSockets on API Gateway, by its management API. Which there are is kept in the table (`store::connections`).
//!
//! Needs of IAM: `execute-api:ManageConnections` on `arn:aws:execute-api:REGION:ACCOUNT:API-ID/STAGE/*/@connections/*`.

use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_apigatewaymanagement::Client;
use aws_sdk_apigatewaymanagement::primitives::Blob;
use ports::connections::MAX_MESSAGE;
use ports::{Close, ConnectionError, ConnectionId, Connections, PortError};

use crate::retry::{code, describe};

/// [`Connections`] of a WebSocket API.
#[derive(Clone, Debug)]
pub struct ApiGatewayConnections {
    client: Client,
}

impl ApiGatewayConnections {
    /// Those of the API stage that is at this URL (`https://API-ID.execute-api.REGION.amazonaws.com/STAGE`).
    pub fn new(sdk: &SdkConfig, url: impl Into<String>) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(2))
            .operation_attempt_timeout(Duration::from_secs(5))
            .build();
        let config = aws_sdk_apigatewaymanagement::config::Builder::from(sdk)
            .endpoint_url(url)
            .timeout_config(timeouts)
            .build();
        Self { client: Client::from_conf(config) }
    }
}

#[async_trait]
impl Connections for ApiGatewayConnections {
    /// Where a client reads too slowly API Gateway refuses, after three tries, and closes it once its buffer stays full.
    async fn send(&self, id: &ConnectionId, message: &str) -> Result<(), ConnectionError> {
        if message.len() > MAX_MESSAGE {
            return Err(ConnectionError::TooLarge);
        }
        let request = self.client.post_to_connection().connection_id(&id.0).data(Blob::new(message));
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) if code(&error) == Some(GONE) => Err(ConnectionError::Gone),
            Err(error) => Err(failed(describe(&error))),
        }
    }

    /// API Gateway closes with a code of its own.
    async fn close(&self, id: &ConnectionId, _close: &Close) -> Result<(), ConnectionError> {
        match self.client.delete_connection().connection_id(&id.0).send().await {
            Ok(_) => Ok(()),
            Err(error) if code(&error) == Some(GONE) => Ok(()),
            Err(error) => Err(failed(describe(&error))),
        }
    }
}

/// What API Gateway calls a connection that is no more.
const GONE: &str = "GoneException";

fn failed(reason: String) -> ConnectionError {
    PortError::new("connections", reason).into()
}
