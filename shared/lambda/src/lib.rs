//! The front door on AWS: API documents' routes as Lambda functions behind an API Gateway (HTTP API, payload 2.0).
//!
//! ```text
//! #[tokio::main]
//! async fn main() -> Result<(), lambda::Error> {
//!     lambda::routes(function_runner_api::api).await
//! }
//! ```

mod absent;
mod entry;
mod fit;
mod gateway;
mod warm;

pub use entry::{app_config, fallback, routes, table_routes};
pub use lambda_http::Error;
pub use warm::warm_up;
