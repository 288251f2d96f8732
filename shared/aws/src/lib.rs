//! The ports on AWS: [`Table`](ports::Table) on DynamoDB, [`Blobs`](ports::Blobs) on S3, [`Queue`](ports::Queue) on
//! SQS, [`Runtime`](ports::Runtime) on Lambda, [`Connections`](ports::Connections) on API Gateway; and the token secret in
//! Secrets Manager.
//!
//! A `main` reads [`Config`] once, makes [`Clients`] once, and asks it for the adapters that it needs. One cargo feature
//! per service, so that a route that only needs the table links no other SDK.

pub mod config;
#[cfg(feature = "connections")]
pub mod connections;
#[cfg(feature = "dynamodb")]
pub mod dynamodb;
#[cfg(feature = "lambda")]
pub mod lambda;
#[cfg_attr(
    not(all(feature = "dynamodb", feature = "sqs")),
    allow(dead_code, reason = "a binary of one service needs a part of it")
)]
mod retry;
#[cfg(feature = "s3")]
pub mod s3;
#[cfg(feature = "secretsmanager")]
pub mod secret;
#[cfg(feature = "sqs")]
pub mod sqs;

pub use config::{Clients, Config, ConfigError};
#[cfg(feature = "connections")]
pub use connections::ApiGatewayConnections;
#[cfg(feature = "dynamodb")]
pub use dynamodb::DynamoDbTable;
#[cfg(feature = "lambda")]
pub use lambda::LambdaRuntime;
#[cfg(feature = "s3")]
pub use s3::S3Blobs;
#[cfg(feature = "sqs")]
pub use sqs::SqsQueue;
