//! What tests run on keeps the promises of what it stands for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use ports::ConnectionId;
use ports::conformance::{self, Client, Clients};
use ports::memory::{MemoryBlobs, MemoryConnections, MemoryTable};

#[tokio::test]
async fn the_table_conforms() {
    conformance::table(&MemoryTable::default()).await;
}

#[tokio::test]
async fn the_blobs_conform() {
    conformance::blobs(&MemoryBlobs::default()).await;
}

#[derive(Default)]
struct Opened {
    connections: Arc<MemoryConnections>,
    last: AtomicUsize,
}

struct Reader {
    connections: Arc<MemoryConnections>,
    id: ConnectionId,
}

#[async_trait]
impl Clients for Opened {
    async fn connect(&self) -> (ConnectionId, Box<dyn Client>) {
        let id = ConnectionId(self.last.fetch_add(1, Ordering::Relaxed).to_string());
        self.connections.open(id.clone());
        (id.clone(), Box::new(Reader { connections: self.connections.clone(), id }))
    }
}

#[async_trait]
impl Client for Reader {
    async fn next(&mut self) -> Option<String> {
        self.connections.next(&self.id)
    }

    async fn hang_up(&mut self) {
        self.connections.hang_up(&self.id);
    }
}

#[tokio::test]
async fn the_connections_conform() {
    let opened = Opened::default();
    conformance::connections(&*opened.connections, &opened).await;
}
