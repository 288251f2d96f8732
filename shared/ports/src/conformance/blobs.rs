//! What [`Blobs`] promises, case by case.

use bytes::Bytes;

use super::{Case, cases, fresh};
use crate::Blobs;

pub(super) fn cases<'a>() -> Vec<Case<'a, &'a dyn Blobs>> {
    use self as all;
    cases! {
        all { bytes_come_back_as_they_were_put }
    }
}

async fn get(blobs: &dyn Blobs, key: &str) -> Option<Bytes> {
    blobs.get(key).await.expect("get")
}

async fn bytes_come_back_as_they_were_put(blobs: &dyn Blobs) {
    let key = format!("{}/a", fresh());
    assert_eq!(get(blobs, &key).await, None, "before the put");
    blobs.put(&key, Bytes::from_static(b"\x00\xff one")).await.expect("put");
    assert_eq!(get(blobs, &key).await.as_deref(), Some(&b"\x00\xff one"[..]));
}
