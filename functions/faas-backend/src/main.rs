//! The routes that need more than the table, as Lambda functions.

#[tokio::main]
async fn main() -> Result<(), lambda::Error> {
    lambda::routes(faas_backend_api::api).await
}
