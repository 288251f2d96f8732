//! The worker's Lambda entry.

use app::Services;
use aws_lambda_events::sqs::SqsEvent;
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    lambda_runtime::tracing::init_default_subscriber();
    let parts = aws::Clients::from_env().parts()?;
    lambda::warm_up(&parts, &["table", "runtime"]).await;
    let queue = parts.queue.clone();
    let services = Services::new(parts, app::Config::default());
    lambda_runtime::run(service_fn(|event: LambdaEvent<SqsEvent>| async {
        Ok::<_, Error>(worker::work(&services.worker, queue.as_ref(), event.payload).await)
    }))
    .await
}
