//! What no route of API Gateway answers, as a Lambda function: the 404s and 405s of every API in its own words, and the
//! documents of all of them in one. It knows every API, as the server of one machine does, and may touch nothing.

#[tokio::main]
async fn main() -> Result<(), lambda::Error> {
    lambda::fallback(catalogue::DOCUMENTS).await
}
