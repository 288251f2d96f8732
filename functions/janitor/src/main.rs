//! The janitor: a Lambda function on a schedule. Looks after jobs that are due, and sweeps what deletes left.

use std::time::{Duration, SystemTime};

use app::Services;
use app::janitor::Scope;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

/// When to leave the rest to the next time: before Lambda ends this one in the middle of something.
const MARGIN: Duration = Duration::from_secs(20);

#[tokio::main]
async fn main() -> Result<(), Error> {
    lambda_runtime::tracing::init_default_subscriber();
    let services = Services::new(aws::Clients::from_env().parts()?, app::Config::default());
    let janitor = &services.janitor;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| async move {
        let until = event.context.deadline() - MARGIN;
        let requeued = janitor.requeue(Scope::Due).await?;
        while janitor.sweep().await? && SystemTime::now() < until {}
        Ok::<_, Error>(json!({"requeued": requeued}))
    }))
    .await
}
