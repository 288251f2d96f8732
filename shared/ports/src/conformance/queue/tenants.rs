use super::{LONG, PATIENCE, Subject, ack_all, message, messages, send, start};
use domain::WorkspaceId;
use uuid::Uuid;

pub(super) async fn tenants_take_turns((queue, options): Subject<'_>) {
    if !options.takes_turns {
        return;
    }
    let flood = start((queue, options)).await;
    for message in messages(&flood, 60) {
        send(queue, &message).await;
    }
    let small: Vec<_> =
        (0..3).map(|_| message(WorkspaceId::from_random(Uuid::new_v4().into_bytes()))).collect();
    for message in &small {
        send(queue, message).await;
    }
    let mut order = Vec::new();
    while order.len() < 63 {
        let got = queue.receive(2, LONG, PATIENCE).await.expect("receive");
        assert!(!got.is_empty(), "{} of 63 came", order.len());
        ack_all(queue, &got).await;
        order.extend(got.into_iter().map(|delivery| delivery.message.tenant));
    }
    for message in small {
        let turn = order.iter().position(|workspace| *workspace == message.tenant);
        assert!(
            turn.is_some_and(|turn| turn < 20),
            "a tenant with one message came {turn:?}, after the flood"
        );
    }
}
