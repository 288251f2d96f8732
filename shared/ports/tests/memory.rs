//! What tests run on keeps the promises of what it stands for.

use ports::conformance;
use ports::memory::{MemoryBlobs, MemoryTable};

#[tokio::test]
async fn the_table_conforms() {
    conformance::table(&MemoryTable::default()).await;
}

#[tokio::test]
async fn the_blobs_conform() {
    conformance::blobs(&MemoryBlobs::default()).await;
}
