//! The worker: a Lambda function behind the job queue. Runs the jobs of a batch side by side, and tells SQS which messages
//! it must show again (`ReportBatchItemFailures`).

use std::time::Duration;

use app::Worker;
use app::worker::Disposition;
use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use futures::future::join_all;
use ports::{PortError, Queue};
use tracing::warn;

/// Works on a batch.
pub async fn work(worker: &Worker, queue: &dyn Queue, event: SqsEvent) -> SqsBatchResponse {
    let failed = join_all(event.records.into_iter().map(|record| one(worker, queue, record))).await;
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = failed.into_iter().flatten().collect();
    response
}

/// Works on a message. `Some` keeps SQS from deleting it.
async fn one(worker: &Worker, queue: &dyn Queue, record: SqsMessage) -> Option<BatchItemFailure> {
    let receipt = record.receipt_handle.unwrap_or_default();
    let settled = settle(worker, queue, &record.body.unwrap_or_default(), &receipt).await;
    let keep = settled.unwrap_or_else(|error| {
        warn!(%error, "a job could not be started; its message will be delivered again");
        true
    });
    keep.then(|| {
        let mut failure = BatchItemFailure::default();
        failure.item_identifier = record.message_id.unwrap_or_default();
        failure
    })
}

/// Whether the message is to be kept.
async fn settle(worker: &Worker, queue: &dyn Queue, body: &str, receipt: &str) -> Result<bool, PortError> {
    let message = aws::sqs::message_from_body(body)?;
    let disposition = worker.work(&message).await.unwrap_or_else(|error| {
        warn!(job = %message.id, %error, "the platform failed before the job started");
        Disposition::Release(Duration::from_secs(1))
    });
    match disposition {
        Disposition::Ack => Ok(false),
        Disposition::Release(after) => queue.release(receipt, after).await.map(|()| true),
        Disposition::DeadLetter => queue.dead_letter(receipt, &message).await.map(|()| false),
    }
}
