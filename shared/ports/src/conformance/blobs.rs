//! What [`Blobs`] promises, case by case.

use bytes::Bytes;
use futures::future::join_all;

use super::{Case, cases, fresh};
use crate::Blobs;

pub(super) fn cases<'a>() -> Vec<Case<'a, &'a dyn Blobs>> {
    use self as all;
    cases! {
        all {
            bytes_come_back_as_they_were_put,
            a_put_replaces_what_was_there,
            blobs_may_be_empty_or_large,
            keys_are_told_apart,
            a_key_may_begin_with_another,
            long_keys_are_keys,
            what_is_no_key_is_refused,
            a_prefix_is_deleted_with_all_below,
            a_prefix_ends_where_a_segment_ends,
            deleting_nothing_is_no_error,
            readers_see_whole_blobs,
        }
    }
}

async fn get(blobs: &dyn Blobs, key: &str) -> Option<Bytes> {
    blobs.get(key).await.expect("get")
}

async fn put(blobs: &dyn Blobs, key: &str, bytes: impl Into<Bytes>) {
    blobs.put(key, bytes.into()).await.expect("put");
}

async fn bytes_come_back_as_they_were_put(blobs: &dyn Blobs) {
    let key = format!("{}/a", fresh());
    assert_eq!(get(blobs, &key).await, None, "before the put");
    let every_byte: Vec<u8> = (0..=255).collect();
    put(blobs, &key, every_byte.clone()).await;
    assert_eq!(get(blobs, &key).await, Some(every_byte.into()));
    blobs.health().await.expect("health");
}

async fn a_put_replaces_what_was_there(blobs: &dyn Blobs) {
    let key = fresh();
    for text in ["a longer text", "short", "", "again"] {
        put(blobs, &key, text).await;
        assert_eq!(get(blobs, &key).await, Some(text.into()));
    }
}

async fn blobs_may_be_empty_or_large(blobs: &dyn Blobs) {
    let space = fresh();
    for size in [0, 1, 65_537, 7 << 20] {
        let bytes: Vec<u8> = (0..size).map(|n: usize| (n % 251) as u8).collect();
        let key = format!("{space}/{size}");
        put(blobs, &key, bytes.clone()).await;
        assert!(get(blobs, &key).await == Some(bytes.into()), "{size} bytes");
    }
}

async fn keys_are_told_apart(blobs: &dyn Blobs) {
    let space = fresh();
    let keys =
        ["a", "A", "a.b", "a-b", "a_b", "a/b", "a/b.c", "0", "-", "_", "...", ".a", "a.", "tmp", "a/tmp/b"];
    let keys = keys.map(|key| format!("{space}/{key}"));
    for key in &keys {
        put(blobs, key, key.clone()).await;
    }
    for key in &keys {
        assert_eq!(get(blobs, key).await, Some(key.clone().into()));
    }
}

async fn a_key_may_begin_with_another(blobs: &dyn Blobs) {
    let space = fresh();
    let keys = [format!("{space}/a/b/c"), format!("{space}/a"), format!("{space}/a/b")];
    for key in &keys {
        put(blobs, key, key.clone()).await;
    }
    for key in &keys {
        assert_eq!(get(blobs, key).await, Some(key.clone().into()));
    }
}

async fn long_keys_are_keys(blobs: &dyn Blobs) {
    let space = fresh();
    let longest = format!("{space}/{}/{}/{}", "a".repeat(200), "b".repeat(200), "c".repeat(76));
    assert_eq!(longest.len(), 512, "the longest key there is");
    put(blobs, &longest, "long").await;
    assert_eq!(get(blobs, &longest).await, Some("long".into()));
}

async fn what_is_no_key_is_refused(blobs: &dyn Blobs) {
    let space = fresh();
    put(blobs, &format!("{space}/kept"), "kept").await;
    let segments = [
        "", ".", "..", "a b", "a\\b", "a\0", "é", "~", "%2e", "a:b", "*", "a\n", "/", "//", "a//b", "../a",
        "a/..", "./a", "a/.",
    ];
    let keys =
        segments.iter().flat_map(|segment| [format!("{space}/{segment}"), format!("{segment}/{space}")]);
    let long = [format!("{space}/{}", "a".repeat(201)), vec![space.as_str(); 20].join("/"), String::new()];
    for key in keys.chain(long) {
        assert!(blobs.put(&key, Bytes::from_static(b"x")).await.is_err(), "put of {key:?}");
        assert!(blobs.get(&key).await.is_err(), "get of {key:?}");
        assert!(blobs.delete_prefix(&key).await.is_err(), "delete of {key:?}");
    }
    assert_eq!(get(blobs, &format!("{space}/kept")).await, Some("kept".into()));
}

async fn a_prefix_is_deleted_with_all_below(blobs: &dyn Blobs) {
    let space = fresh();
    // More than S3 lists or deletes at once would be 1000; this is about what a function leaves.
    let doomed: Vec<_> = (0..30).map(|n| format!("{space}/doomed/{}/{n}", n % 3)).collect();
    let doomed = [doomed, vec![format!("{space}/doomed")]].concat();
    for key in &doomed {
        put(blobs, key, "x").await;
    }
    put(blobs, &format!("{space}/kept"), "kept").await;
    blobs.delete_prefix(&format!("{space}/doomed")).await.expect("delete_prefix");
    for key in &doomed {
        assert_eq!(get(blobs, key).await, None, "{key}");
    }
    assert_eq!(get(blobs, &format!("{space}/kept")).await, Some("kept".into()));
    put(blobs, &doomed[0], "new").await;
    assert_eq!(get(blobs, &doomed[0]).await, Some("new".into()), "the place can be used again");
}

async fn a_prefix_ends_where_a_segment_ends(blobs: &dyn Blobs) {
    let space = fresh();
    let kept = ["ab", "ab/c", "a.b", "a-", "A/c"].map(|key| format!("{space}/{key}"));
    for key in &kept {
        put(blobs, key, "x").await;
    }
    put(blobs, &format!("{space}/a"), "x").await;
    put(blobs, &format!("{space}/a/c"), "x").await;
    blobs.delete_prefix(&format!("{space}/a")).await.expect("delete_prefix");
    for key in &kept {
        assert_eq!(get(blobs, key).await, Some("x".into()), "{key}");
    }
    assert_eq!(get(blobs, &format!("{space}/a/c")).await, None);
    assert_eq!(get(blobs, &format!("{space}/a")).await, None);
}

async fn deleting_nothing_is_no_error(blobs: &dyn Blobs) {
    let space = fresh();
    blobs.delete_prefix(&space).await.expect("nothing there");
    put(blobs, &format!("{space}/a"), "x").await;
    for _ in 0..2 {
        blobs.delete_prefix(&format!("{space}/a")).await.expect("delete_prefix");
    }
    blobs.delete_prefix(&format!("{space}/a/b/c")).await.expect("below nothing");
}

async fn readers_see_whole_blobs(blobs: &dyn Blobs) {
    let key = format!("{}/a", fresh());
    let versions = [Bytes::from(vec![b'a'; 300_000]), Bytes::from(vec![b'b'; 200_000])];
    put(blobs, &key, versions[0].clone()).await;
    let writes = join_all((0..20).map(|n| blobs.put(&key, versions[n % 2].clone())));
    let reads = join_all((0..20).map(|_| blobs.get(&key)));
    let (writes, reads) = futures::future::join(writes, reads).await;
    assert!(writes.iter().all(Result::is_ok), "{writes:?}");
    for read in reads {
        let read = read.expect("get").expect("it is there all the time");
        assert!(versions.contains(&read), "{} bytes that nobody put", read.len());
    }
}
