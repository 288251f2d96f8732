use std::time::{Duration, Instant};

use super::{LONG, Subject, ack_all, assert_elapsed, assert_empty, next, send, start};
use crate::queue::MAX_RECEIVES;

pub(super) async fn a_message_not_acked_is_delivered_again((queue, options): Subject<'_>) {
    let message = start((queue, options)).await;
    send(queue, &message).await;
    let (begun, visibility) = (Instant::now(), options.unit * 2);
    let mut receipts = Vec::new();
    for receives in 1..=3 {
        let got = next(queue, visibility).await;
        assert_elapsed(begun, visibility * (receives - 1), options);
        assert_eq!((&got.message, got.receives), (&message, receives));
        assert!(!receipts.contains(&got.receipt), "each delivery has a receipt of its own");
        receipts.push(got.receipt);
    }
    queue.ack(&receipts[2]).await.expect("ack");
    assert_empty((queue, options), "it was acked").await;
}

pub(super) async fn a_released_message_is_delivered_again((queue, options): Subject<'_>) {
    let message = start((queue, options)).await;
    send(queue, &message).await;
    for receives in 1..=4 {
        let got = next(queue, LONG).await;
        assert_eq!((&got.message, got.receives), (&message, receives));
        if receives == 4 {
            ack_all(queue, &[got]).await;
        } else {
            queue.release(&got.receipt, Duration::ZERO).await.expect("release");
        }
    }
    assert_empty((queue, options), "it was acked").await;
}

pub(super) async fn a_released_message_may_be_delayed((queue, options): Subject<'_>) {
    let message = start((queue, options)).await;
    send(queue, &message).await;
    let got = next(queue, LONG).await;
    let (begun, delay) = (Instant::now(), options.unit * 3);
    queue.release(&got.receipt, delay).await.expect("release");
    let again = next(queue, LONG).await;
    assert_elapsed(begun, delay, options);
    assert_eq!((&again.message, again.receives), (&message, 2));
    ack_all(queue, &[again]).await;
}

pub(super) async fn an_old_receipt_does_nothing((queue, options): Subject<'_>) {
    let message = start((queue, options)).await;
    send(queue, &message).await;
    let old = next(queue, LONG).await;
    queue.release(&old.receipt, Duration::ZERO).await.expect("release");
    let new = next(queue, LONG).await;
    queue.release(&old.receipt, Duration::ZERO).await.expect("an old receipt is no error");
    assert_empty((queue, options), "the new delivery still hides it").await;
    ack_all(queue, std::slice::from_ref(&new)).await;
    queue
        .release(&new.receipt, Duration::ZERO)
        .await
        .expect("a receipt of a message that is gone is no error");
    assert_empty((queue, options), "it was acked").await;
}

pub(super) async fn what_is_no_receipt_is_no_error((queue, options): Subject<'_>) {
    let message = start((queue, options)).await;
    send(queue, &message).await;
    let got = next(queue, LONG).await;
    queue.ack(&got.receipt).await.expect("ack");
    queue.ack(&got.receipt).await.expect("again");
    queue.release(&got.receipt, Duration::ZERO).await.expect("after the ack");
    assert_empty((queue, options), "it was acked").await;
}

pub(super) async fn a_buried_message_is_not_delivered_again((queue, options): Subject<'_>) {
    let message = start((queue, options)).await;
    send(queue, &message).await;
    let got = next(queue, options.unit * 2).await;
    queue.dead_letter(&got.receipt, &got.message).await.expect("dead letter");
    assert_empty((queue, options), "at once").await;
    assert_empty((queue, options), "nor when it would have been visible").await;
    assert_empty((queue, options), "nor after").await;
}

pub(super) async fn a_message_delivered_too_often_is_given_up((queue, options): Subject<'_>) {
    if !options.has_dead_letters {
        return;
    }
    let message = start((queue, options)).await;
    send(queue, &message).await;
    for receives in 1..=MAX_RECEIVES {
        let got = next(queue, LONG).await;
        assert_eq!((&got.message, got.receives), (&message, receives));
        queue.release(&got.receipt, Duration::ZERO).await.expect("release");
    }
    assert_empty((queue, options), "it went to the dead letters").await;
}
