//! Bytes by key: code, and payloads too large for the table. S3, or files.

use async_trait::async_trait;
use bytes::Bytes;

use crate::PortError;

/// A blob store. Keys are made by the platform only: segments of 1 to 200 of `[A-Za-z0-9._-]`, none of them `.` or `..`,
/// joined by `/`, 512 bytes in all. An adapter refuses any other. `a` and `a/b` can both be there.
#[async_trait]
pub trait Blobs: Send + Sync {
    /// Stores the bytes, in place of any that were there. What was acknowledged survives a crash of the process; a
    /// reader never sees half of it.
    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), PortError>;

    /// Waits until what was put at the key survives power loss too. S3 always does.
    async fn sync(&self, key: &str) -> Result<(), PortError> {
        let _ = key;
        Ok(())
    }

    /// The bytes, or `None` where there are none.
    async fn get(&self, key: &str) -> Result<Option<Bytes>, PortError>;

    /// Removes everything whose key is `prefix` or begins with `prefix/`. Nothing there is no error.
    async fn delete_prefix(&self, prefix: &str) -> Result<(), PortError>;

    /// Fails when the store can't be reached.
    async fn health(&self) -> Result<(), PortError>;
}

/// The longest segment of a key, in bytes: what a file's name can be, with room for an adapter's mark.
const MAX_SEGMENT: usize = 200;

/// Whether an adapter takes this key.
pub fn is_valid_key(key: &str) -> bool {
    !key.is_empty()
        && key.len() <= 512
        && key.split('/').all(|segment| {
            !matches!(segment, "" | "." | "..")
                && segment.len() <= MAX_SEGMENT
                && segment.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        })
}
