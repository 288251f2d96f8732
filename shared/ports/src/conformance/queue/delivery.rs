use std::collections::HashSet;
use std::time::{Duration, Instant};

use domain::JobKind;
use futures::future::{join, join_all};

use super::{
    LONG, PATIENCE, Subject, ack_all, assert_elapsed, assert_empty, messages, next, receive, send, start,
};
use crate::Message;

pub(super) async fn a_message_is_delivered_once_and_acked((queue, options): Subject<'_>) {
    let message = start((queue, options)).await;
    send(queue, &message).await;
    let got = receive(queue, LONG, PATIENCE).await;
    assert_eq!(got.len(), 1, "{got:?}");
    assert_eq!((&got[0].message, got[0].receives), (&message, 1));
    assert_empty((queue, options), "it is hidden").await;
    queue.ack(&got[0].receipt).await.expect("ack");
    queue.ack(&got[0].receipt).await.expect("a second ack is no error");
}

pub(super) async fn receive_takes_no_more_than_it_may((queue, options): Subject<'_>) {
    let first = start((queue, options)).await;
    for message in messages(&first, 4) {
        send(queue, &message).await;
    }
    let mut seen = 0;
    while seen < 4 {
        let got = queue.receive(3, LONG, PATIENCE).await.expect("receive");
        assert!((1..=3).contains(&got.len()), "{} of at most 3", got.len());
        seen += got.len();
        ack_all(queue, &got).await;
    }
    assert_empty((queue, options), "each was delivered once").await;
}

pub(super) async fn every_message_is_delivered((queue, options): Subject<'_>) {
    let first = start((queue, options)).await;
    let sent = messages(&first, 50);
    let sends = join_all(sent.iter().map(|message| queue.send(message, Duration::ZERO))).await;
    assert!(sends.iter().all(Result::is_ok), "{sends:?}");
    let mut got = Vec::new();
    while got.len() < sent.len() {
        let deliveries = receive(queue, LONG, PATIENCE).await;
        assert!(!deliveries.is_empty(), "{} of {} came", got.len(), sent.len());
        ack_all(queue, &deliveries).await;
        got.extend(deliveries.into_iter().map(|delivery| delivery.message));
    }
    assert_eq!(got.len(), sent.len());
    assert_eq!(HashSet::from_iter(got), sent.into_iter().collect::<HashSet<_>>());
    assert_empty((queue, options), "all were acked").await;
}

pub(super) async fn a_message_keeps_its_kind((queue, options): Subject<'_>) {
    let message = Message { kind: JobKind::Other("training".to_owned()), ..start((queue, options)).await };
    send(queue, &message).await;
    let got = next(queue, LONG).await;
    assert_eq!(got.message, message);
    ack_all(queue, &[got]).await;
}

pub(super) async fn receive_waits_for_a_message((queue, options): Subject<'_>) {
    let message = start((queue, options)).await;
    let (got, ()) = join(receive(queue, LONG, PATIENCE), send(queue, &message)).await;
    assert_eq!(got.iter().map(|delivery| &delivery.message).collect::<Vec<_>>(), [&message]);
    ack_all(queue, &got).await;
}

pub(super) async fn receive_ends_its_wait_without_messages((queue, options): Subject<'_>) {
    start((queue, options)).await;
    let begun = Instant::now();
    assert_eq!(receive(queue, LONG, options.unit).await, []);
    assert_elapsed(begun, options.unit, options);
    assert_eq!(receive(queue, LONG, Duration::ZERO).await, [], "without a wait");
    assert!(begun.elapsed() < options.unit + PATIENCE, "it came back");
}

pub(super) async fn a_delayed_message_comes_late((queue, options): Subject<'_>) {
    let late = start((queue, options)).await;
    let soon = messages(&late, 1).remove(0);
    let delay = options.unit * 3;
    let begun = Instant::now();
    queue.send(&late, delay).await.expect("send");
    send(queue, &soon).await;
    let first = next(queue, LONG).await;
    assert_eq!(first.message, soon, "what is not delayed comes first");
    let second = next(queue, LONG).await;
    assert_elapsed(begun, delay, options);
    assert_eq!((&second.message, second.receives), (&late, 1));
    ack_all(queue, &[first, second]).await;
}

pub(super) async fn concurrent_receivers_get_each_message_once((queue, options): Subject<'_>) {
    let first = start((queue, options)).await;
    let sent = messages(&first, 40);
    let work = async || {
        let mut done = Vec::new();
        loop {
            let got = queue.receive(3, LONG, options.unit * 2).await.expect("receive");
            if got.is_empty() {
                return done;
            }
            ack_all(queue, &got).await;
            done.extend(got.into_iter().map(|delivery| (delivery.message, delivery.receives)));
        }
    };
    let sends = join_all(sent.iter().map(|message| send(queue, message)));
    let (_, done) = join(sends, join_all((0..8).map(|_| work()))).await;
    let done: Vec<_> = done.into_iter().flatten().collect();
    assert!(done.iter().all(|(_, receives)| *receives == 1), "{done:?}");
    assert_eq!(done.len(), sent.len(), "none twice");
    let expected: HashSet<_> = sent.into_iter().map(|message| (message, 1)).collect();
    assert_eq!(HashSet::from_iter(done), expected);
}
