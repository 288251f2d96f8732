//! The ports' suite on files.

use blobs::FileBlobs;
use ports::conformance;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_blobs_conform() {
    let dir = tempfile::tempdir().expect("a directory");
    conformance::blobs(&FileBlobs::open(dir.path()).expect("open")).await;
}
