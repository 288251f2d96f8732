//! What open sockets are sent, and when they are closed.

#![allow(clippy::unwrap_used, reason = "a test that can't go on says where")]

use std::sync::Arc;
use std::time::Duration;

use app::sockets::{Connection, Sockets, Topic};
use domain::{SessionId, Token, UserId};
use ports::memory::{ManualClock, MemoryBlobs, MemoryConnections, MemoryTable};
use ports::{Clock, Close, ConnectionId};
use uuid::Uuid;

struct Home {
    table: Arc<MemoryTable>,
    connections: Arc<MemoryConnections>,
    clock: Arc<ManualClock>,
    sockets: Sockets,
}

const ADA: UserId = UserId(1);
const BOB: UserId = UserId(2);

fn topic() -> Topic {
    Topic::of("WORKSPACE", 7)
}

impl Home {
    fn new() -> Self {
        let (table, connections) = (Arc::<MemoryTable>::default(), Arc::<MemoryConnections>::default());
        let clock = Arc::<ManualClock>::default();
        let store = app::Store::new(table.clone(), Arc::<MemoryBlobs>::default());
        let sockets = Sockets::new(store, connections.clone(), clock.clone());
        Self { table, connections, clock, sockets }
    }

    /// A socket of a user's session, which listens to `topic`.
    async fn open(&self, id: &str, user: UserId, session: u128) -> Connection {
        let id = ConnectionId(id.into());
        self.connections.open(id.clone());
        let now = self.clock.now();
        let mut connection = Connection {
            id,
            operation: "events".into(),
            user: None,
            topics: [topic()].into(),
            closes_at: now + Duration::from_secs(10),
        };
        connection.authenticate(&Token {
            user,
            id: Uuid::new_v4(),
            session: Some(SessionId { id: Uuid::from_u128(session), password_changes: 0 }),
            expires_at: now + Duration::from_secs(3600),
        });
        self.sockets.keep(None, &connection).await.unwrap();
        connection
    }

    async fn publish(&self, message: &str) {
        self.sockets.publish(&topic(), message).await.unwrap();
    }

    fn next(&self, connection: &Connection) -> Option<String> {
        self.connections.next(&connection.id)
    }

    fn closed(&self, connection: &Connection) -> Option<Close> {
        self.connections.closed(&connection.id)
    }
}

#[tokio::test]
async fn messages_go_to_those_who_listen() {
    let home = Home::new();
    let mut some = Vec::new();
    for n in 0..70 {
        some.push(home.open(&n.to_string(), ADA, n).await);
    }
    let other = home.open("other", BOB, 99).await;
    let mut narrowed = other.clone();
    narrowed.topics.remove(&topic());
    narrowed.topics.insert(Topic::of("WORKSPACE", 8));
    home.sockets.keep(Some(&other), &narrowed).await.unwrap();

    home.publish("one").await;
    home.publish("two").await;
    for connection in &some {
        assert_eq!(home.next(connection).as_deref(), Some("one"));
        assert_eq!(home.next(connection).as_deref(), Some("two"));
    }
    assert_eq!(home.next(&other), None);
    home.sockets.publish(&Topic::of("WORKSPACE", 8), "eight").await.unwrap();
    assert_eq!(home.next(&other).as_deref(), Some("eight"));
    assert_eq!(home.sockets.get(&other.id).await.unwrap(), Some(narrowed));
}

#[tokio::test]
async fn who_is_gone_is_forgotten() {
    let home = Home::new();
    let (gone, stays) = (home.open("gone", ADA, 1).await, home.open("stays", ADA, 2).await);
    home.connections.hang_up(&gone.id);
    home.publish("one").await;
    assert_eq!(home.next(&stays).as_deref(), Some("one"));
    assert_eq!(home.sockets.get(&gone.id).await.unwrap(), None);
    home.connections.hang_up(&stays.id);
    home.publish("two").await;
    assert_eq!(home.table.items(), [], "of neither anything is left");
}

#[tokio::test]
async fn a_socket_is_sent_nothing_once_its_token_has_expired() {
    let home = Home::new();
    let expired = home.open("expired", ADA, 1).await;
    home.clock.advance(Duration::from_secs(3600));
    let fresh = home.open("fresh", ADA, 2).await;
    home.publish("one").await;
    assert_eq!((home.next(&expired), home.closed(&expired)), (None, Some(Close::UNAUTHORIZED)));
    assert_eq!((home.next(&fresh).as_deref(), home.closed(&fresh)), (Some("one"), None));
}

#[tokio::test]
async fn a_session_that_ends_takes_its_sockets_along() {
    let home = Home::new();
    let first = [home.open("a", ADA, 1).await, home.open("b", ADA, 1).await];
    let (second, other) = (home.open("c", ADA, 2).await, home.open("d", BOB, 3).await);
    home.sockets.end_session(Uuid::from_u128(1)).await.unwrap();
    for connection in &first {
        assert_eq!(home.closed(connection), Some(Close::UNAUTHORIZED));
        assert_eq!(home.sockets.get(&connection.id).await.unwrap(), None);
    }
    assert_eq!(home.closed(&second), None);
    home.sockets.end_user(ADA).await.unwrap();
    assert_eq!(home.closed(&second), Some(Close::UNAUTHORIZED));
    assert_eq!(home.closed(&other), None);
}
