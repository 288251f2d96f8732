//! The blob store passes the suite of the ports, against an emulator.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use aws::S3Blobs;
use bytes::Bytes;
use ports::{Blobs, conformance};

async fn bucket(test: &str) -> Option<S3Blobs> {
    let sdk = support::emulator(test)?;
    let name = support::fresh("bucket");
    let config = aws_sdk_s3::config::Builder::from(&sdk).force_path_style(true).build();
    aws_sdk_s3::Client::from_conf(config).create_bucket().bucket(&name).send().await.unwrap();
    Some(S3Blobs::new(&sdk, name, true))
}

#[tokio::test]
async fn passes_the_suite() {
    let Some(blobs) = bucket("blobs").await else { return };
    conformance::blobs(&blobs).await;
}

#[tokio::test]
async fn a_prefix_of_several_pages_goes_whole() {
    let Some(blobs) = bucket("a prefix of several pages").await else { return };
    for n in 0..1005 {
        blobs.put(&format!("a/{n}"), Bytes::from_static(b"x")).await.unwrap();
    }
    blobs.put("ab", Bytes::from_static(b"stays")).await.unwrap();
    blobs.delete_prefix("a").await.unwrap();
    assert_eq!(blobs.get("a/0").await.unwrap(), None);
    assert_eq!(blobs.get("a/1004").await.unwrap(), None);
    assert_eq!(blobs.get("ab").await.unwrap().as_deref(), Some(&b"stays"[..]));
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_no_empty_one() {
    let Some(sdk) = support::emulator("a bucket that is not there") else { return };
    let blobs = S3Blobs::new(&sdk, support::fresh("none"), true);
    assert!(blobs.health().await.is_err());
    assert!(blobs.get("a").await.is_err());
}

/// Needs no emulator: it is refused before anything is asked.
#[tokio::test]
async fn keys_of_another_shape_are_refused() {
    let blobs = S3Blobs::new(&support::sdk("http://127.0.0.1:1"), "bucket", true);
    for key in ["", "/a", "a/", "a//b", "../a", "a/./b", "a b", "é"] {
        let fault = blobs.delete_prefix(key).await.unwrap_err();
        assert!(fault.to_string().contains("no key for a blob"), "{key:?}: {fault}");
    }
}
