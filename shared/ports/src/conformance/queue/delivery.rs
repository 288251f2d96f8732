use std::time::Duration;

use super::{LONG, PATIENCE, QueueOptions, start};
use crate::Queue;

pub(super) async fn a_message_is_delivered_once_and_acked((queue, options): (&dyn Queue, QueueOptions)) {
    let message = start((queue, options)).await;
    queue.send(&message, Duration::ZERO).await.expect("send");
    let got = queue.receive(10, LONG, PATIENCE).await.expect("receive");
    assert_eq!(got.len(), 1, "{got:?}");
    assert_eq!((&got[0].message, got[0].receives), (&message, 1));
    assert_eq!(queue.receive(10, LONG, options.unit).await.expect("receive"), [], "it is hidden");
    queue.ack(&got[0].receipt).await.expect("ack");
    queue.ack(&got[0].receipt).await.expect("a second ack is no error");
}
