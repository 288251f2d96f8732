//! What a route does is what it declares: its role on AWS has the rights for that, and no others.

use std::sync::Arc;

use blobs::FileBlobs;
use pool::{Pool, PoolConfig};
use ports::Parts;
use ports::clock::SystemClock;
use ports::connections::NoConnections;
use sqlite::{Database, QueueConfig};
use testkit::recorder::{Asked, record};
use testkit::{Client, Server};

use crate::ids::Ids;
use crate::operations::operations;
use crate::platform::serve;

/// The platform in this process, on ports that write down what is asked of them.
async fn recorded(data: &std::path::Path) -> (Client, Asked, Database) {
    let database = Database::open(data).unwrap();
    let blobs = Arc::new(FileBlobs::open(data).unwrap());
    let pool =
        Pool::start(PoolConfig::new(Server::binary(), data.join("pool")), blobs.clone()).await.unwrap();
    let (parts, asked) = record(Parts {
        table: database.table(),
        blobs,
        queue: database.queue(QueueConfig::default()),
        runtime: pool,
        connections: Arc::new(NoConnections),
        clock: Arc::new(SystemClock),
    });
    (serve(parts, app::Config::default()).await, asked, database)
}

#[tokio::test]
async fn a_route_does_no_more_than_it_declares() {
    let directory = tempfile::tempdir().unwrap();
    let (anyone, asked, _database) = recorded(directory.path()).await;
    let user = anyone.registered().await;
    for operation in operations().await {
        let ids = Ids::of(&user).await;
        let client = operation.caller(&user, &ids).await;
        asked.take();
        operation.call(&client, &ids).await;
        let did = asked.take();
        for word in &did {
            assert!(
                operation.access.iter().any(|declared| declared == word),
                "{} does {word}, and declares {:?}",
                operation.id,
                operation.access
            );
        }
        let idle = operation.access.is_empty();
        assert_eq!(
            did.is_empty(),
            idle,
            "{} declares {:?}, and does {did:?}",
            operation.id,
            operation.access
        );
    }
}
