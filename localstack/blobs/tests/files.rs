//! What blobs on files promise beyond the port.

use std::fs;
use std::sync::Arc;

use blobs::FileBlobs;
use ports::Blobs;

#[tokio::test]
async fn what_a_server_left_unfinished_is_swept() {
    let dir = tempfile::tempdir().expect("a directory");
    let blobs = FileBlobs::open(dir.path()).expect("open");
    blobs.put("a/b", "kept".into()).await.expect("put");
    let temp = dir.path().join("blobs/~tmp");
    fs::write(temp.join("7"), "half of a blob").expect("write");
    fs::create_dir_all(temp.join("8/deep/down")).expect("create");
    fs::write(temp.join("8/deep/down/c~"), "half deleted").expect("write");
    let blobs = FileBlobs::open(dir.path()).expect("open again");
    assert_eq!(fs::read_dir(&temp).expect("it is there").count(), 0);
    assert_eq!(blobs.get("a/b").await.expect("get"), Some("kept".into()));
}

#[tokio::test]
async fn nothing_is_left_beside_the_blobs() {
    let dir = tempfile::tempdir().expect("a directory");
    let blobs = FileBlobs::open(dir.path()).expect("open");
    for n in 0..10 {
        blobs.put(&format!("a/{n}"), "x".into()).await.expect("put");
    }
    blobs.health().await.expect("health");
    blobs.delete_prefix("a").await.expect("delete");
    let names = |path: &str| {
        let entries = fs::read_dir(dir.path().join(path)).expect("read_dir");
        entries
            .map(|entry| entry.expect("entry").file_name().into_string().expect("UTF-8"))
            .collect::<Vec<_>>()
    };
    assert_eq!(names("blobs"), ["~tmp"]);
    assert_eq!(names("blobs/~tmp"), [""; 0]);
}

#[tokio::test]
async fn a_disk_that_fails_is_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let blobs = FileBlobs::open(dir.path()).expect("open");
    blobs.health().await.expect("health");
    fs::remove_dir_all(dir.path().join("blobs")).expect("remove");
    assert!(blobs.health().await.is_err());
    assert!(blobs.put("a", "x".into()).await.is_err());
    assert_eq!(blobs.get("a").await.expect("get"), None);
}

/// Directories come and go under files that are on their way there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn puts_and_deletes_go_on_at_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let blobs = Arc::new(FileBlobs::open(dir.path()).expect("open"));
    let puts: Vec<_> = (0..4)
        .map(|task| {
            let blobs = blobs.clone();
            tokio::spawn(async move {
                for n in 0..100 {
                    blobs.put(&format!("p/{}/{task}/{n}", n % 2), "x".into()).await.expect("put");
                }
            })
        })
        .collect();
    let deletes = tokio::spawn({
        let blobs = blobs.clone();
        async move {
            for n in 0..200 {
                blobs.delete_prefix(["p", "p/0", "p/1/2"][n % 3]).await.expect("delete");
            }
        }
    });
    for put in puts {
        put.await.expect("no panic");
    }
    deletes.await.expect("no panic");
    blobs.put("p/0/0/0", "last".into()).await.expect("put");
    assert_eq!(blobs.get("p/0/0/0").await.expect("get"), Some("last".into()));
}
