//! The routes that need more than the table, as Lambda functions.

#[tokio::main]
async fn main() -> Result<(), web::lambda::Error> {
    aws::serve::routes(faas_backend_api::api).await
}
