//! What [`Connections`] promises, case by case.

use async_trait::async_trait;
use futures::future::join_all;

use super::{Case, cases, eventually, fresh};
use crate::connections::MAX_MESSAGE;
use crate::{Close, ConnectionError, ConnectionId, Connections};

/// What the suite needs beside the port: clients, as the adapter's own tests make them.
#[async_trait]
pub trait Clients: Send + Sync {
    /// Connects one.
    async fn connect(&self) -> (ConnectionId, Box<dyn Client>);
}

/// The other end of a connection.
#[async_trait]
pub trait Client: Send {
    /// The next message; `None` once the connection is closed.
    async fn next(&mut self) -> Option<String>;

    /// Ends the connection.
    async fn hang_up(&mut self);
}

type Subject<'a> = (&'a dyn Connections, &'a dyn Clients);

pub(super) fn cases<'a>() -> Vec<Case<'a, Subject<'a>>> {
    use self as all;
    cases! {
        all {
            messages_come_whole_and_in_order,
            a_message_may_be_large_but_not_too_large,
            messages_go_to_their_connection,
            who_hung_up_is_gone,
            who_never_was_is_gone,
            what_was_sent_before_a_close_still_comes,
            many_at_once_all_come,
        }
    }
}

async fn send(connections: &dyn Connections, id: &ConnectionId, message: &str) {
    connections.send(id, message).await.expect("send");
}

async fn is_gone(connections: &dyn Connections, id: &ConnectionId) -> bool {
    matches!(connections.send(id, "there?").await, Err(ConnectionError::Gone))
}

async fn messages_come_whole_and_in_order((connections, clients): Subject<'_>) {
    let (id, mut client) = clients.connect().await;
    let messages = ["1", r#"{"a":"b"}"#, "한 é \u{1f980}", " ", "\n\0", "1"];
    for message in messages {
        send(connections, &id, message).await;
    }
    for message in messages {
        assert_eq!(client.next().await.as_deref(), Some(message));
    }
}

async fn a_message_may_be_large_but_not_too_large((connections, clients): Subject<'_>) {
    let (id, mut client) = clients.connect().await;
    let largest = "é".repeat(MAX_MESSAGE / 2);
    let refused = connections.send(&id, &format!("{largest}x")).await;
    assert!(matches!(refused, Err(ConnectionError::TooLarge)), "{refused:?}");
    send(connections, &id, &largest).await;
    assert!(client.next().await == Some(largest), "nothing of what was refused came before it");
}

async fn messages_go_to_their_connection((connections, clients): Subject<'_>) {
    let (one, mut first) = clients.connect().await;
    let (other, mut second) = clients.connect().await;
    assert_ne!(one, other);
    send(connections, &other, "second").await;
    send(connections, &one, "first").await;
    assert_eq!(first.next().await.as_deref(), Some("first"));
    assert_eq!(second.next().await.as_deref(), Some("second"));
}

async fn who_hung_up_is_gone((connections, clients): Subject<'_>) {
    let (id, mut client) = clients.connect().await;
    client.hang_up().await;
    eventually(true, || is_gone(connections, &id)).await;
    connections.close(&id, &Close::SILENT).await.expect("closing what is gone is no error");
}

async fn who_never_was_is_gone((connections, clients): Subject<'_>) {
    let (known, mut client) = clients.connect().await;
    assert!(is_gone(connections, &ConnectionId(fresh())).await);
    send(connections, &known, "still here").await;
    assert_eq!(client.next().await.as_deref(), Some("still here"));
}

async fn what_was_sent_before_a_close_still_comes((connections, clients): Subject<'_>) {
    let (id, mut client) = clients.connect().await;
    send(connections, &id, "last").await;
    connections.close(&id, &Close::RESTARTING).await.expect("close");
    assert!(is_gone(connections, &id).await, "from then on");
    assert_eq!(client.next().await.as_deref(), Some("last"));
    assert_eq!(client.next().await, None);
    connections.close(&id, &Close::RESTARTING).await.expect("again");
}

async fn many_at_once_all_come((connections, clients): Subject<'_>) {
    let mut connected = join_all((0..20).map(|_| clients.connect())).await;
    let sends = connected.iter().map(|(id, _)| async move {
        for n in 0..10 {
            send(connections, id, &format!("{n} to {id}")).await;
        }
    });
    join_all(sends).await;
    for (id, client) in &mut connected {
        for n in 0..10 {
            assert_eq!(client.next().await, Some(format!("{n} to {id}")));
        }
    }
}
