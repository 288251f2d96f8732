//! The janitor: a Lambda function on a schedule. Looks after jobs that are due, and sweeps what deletes left.

use app::janitor::Look;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> Result<(), Error> {
    lambda_runtime::tracing::init_default_subscriber();
    let app = app::App::new(aws::Clients::from_env().await.parts()?, app::Config::default());
    lambda_runtime::run(service_fn(|_: LambdaEvent<Value>| async {
        let (requeued, swept) = (app.requeue(Look::Due).await?, app.sweep().await?);
        Ok::<_, Error>(json!({"requeued": requeued, "swept": swept}))
    }))
    .await
}
