//! The routes that need nothing but the table, as Lambda functions.

#[tokio::main]
async fn main() -> Result<(), lambda::Error> {
    lambda::table_routes(function_runner_api::table_api).await
}
