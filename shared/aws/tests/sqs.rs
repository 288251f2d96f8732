//! The queue passes the suite of the ports, against an emulator.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::time::Duration;

use aws::SqsQueue;
use aws_sdk_sqs::types::QueueAttributeName;
use ports::Queue;
use ports::conformance::{self, QueueOptions};
use ports::queue::MAX_RECEIVES;

struct Made {
    queue: SqsQueue,
    client: aws_sdk_sqs::Client,
    queue_url: String,
    dlq_url: String,
}

/// Makes a queue and its dead letters, as `template.yaml` has them.
async fn queue(test: &str) -> Option<Made> {
    let sdk = support::emulator(test)?;
    let client = aws_sdk_sqs::Client::new(&sdk);
    let name = support::fresh("queue");
    let made = client.create_queue().queue_name(format!("{name}-dlq")).send().await.unwrap();
    let dlq_url = made.queue_url.unwrap();
    let arn = client
        .get_queue_attributes()
        .queue_url(&dlq_url)
        .attribute_names(QueueAttributeName::QueueArn)
        .send()
        .await
        .unwrap()
        .attributes
        .unwrap()
        .remove(&QueueAttributeName::QueueArn)
        .unwrap();
    let redrive = serde_json::json!({"deadLetterTargetArn": arn, "maxReceiveCount": MAX_RECEIVES});
    let made = client
        .create_queue()
        .queue_name(&name)
        .attributes(QueueAttributeName::RedrivePolicy, redrive.to_string())
        .send()
        .await
        .unwrap();
    let queue_url = made.queue_url.unwrap();
    Some(Made { queue: SqsQueue::new(&sdk, &queue_url, &dlq_url), client, queue_url, dlq_url })
}

#[tokio::test]
async fn passes_the_suite() {
    let Some(made) = queue("queue").await else { return };
    let options = QueueOptions { unit: Duration::from_secs(1), takes_turns: false, has_dead_letters: true };
    conformance::queue(&made.queue, options).await;
}

#[tokio::test]
async fn what_is_none_of_ours_goes_to_the_dead_letters() {
    let Some(made) = queue("a message that is none of ours").await else { return };
    made.client.send_message().queue_url(&made.queue_url).message_body("not ours").send().await.unwrap();
    let got = made.queue.receive(1, Duration::from_secs(60), Duration::from_secs(5)).await.unwrap();
    assert_eq!(got, []);
    let dead =
        made.client.receive_message().queue_url(&made.dlq_url).wait_time_seconds(5).send().await.unwrap();
    assert_eq!(dead.messages()[0].body(), Some("not ours"));
}
