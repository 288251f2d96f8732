//! Sources of functions, kept in memory for when a worker has to load one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use domain::Version;
use domain::function::{Handler, Module};
use ports::{Blobs, RuntimeError};

/// The most bytes that are kept.
const ROOM: usize = 16 * 1024 * 1024;

/// What a source is loaded from: its hash, its kind of module, its handler.
type Key = (String, Module, Handler);

/// A cache by the sources' hashes, in front of the blob store.
pub(super) struct Sources {
    blobs: Arc<dyn Blobs>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    bytes: usize,
    clock: u64,
    /// The source as the shims load it, and when it was last asked for.
    sources: HashMap<Key, (Bytes, u64)>,
}

impl std::fmt::Debug for Sources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sources")
    }
}

impl Sources {
    pub(super) fn new(blobs: Arc<dyn Blobs>) -> Self {
        Self { blobs, kept: Mutex::default() }
    }

    /// The source of a version, ready for the shim.
    pub(super) async fn get(&self, version: &Version) -> Result<Bytes, RuntimeError> {
        let key = (version.code_sha256.clone(), version.module, version.handler.clone());
        if let Some(source) = self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(source);
        }
        let failed = |reason: String| RuntimeError::Failed(format!("code {}: {reason}", version.code_key));
        let stored = self.blobs.get(&version.code_key).await.map_err(|error| failed(error.to_string()))?;
        let stored = stored.ok_or_else(|| failed("it is not in the blob store".to_owned()))?;
        let source = Bytes::from(runtime::package::loadable(version.module, &version.handler, &stored));
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).put(key, source.clone());
        Ok(source)
    }
}

impl Kept {
    fn get(&mut self, key: &Key) -> Option<Bytes> {
        self.clock += 1;
        let (source, used) = self.sources.get_mut(key)?;
        *used = self.clock;
        Some(source.clone())
    }

    fn put(&mut self, key: Key, source: Bytes) {
        self.clock += 1;
        self.bytes += source.len();
        if let Some((old, _)) = self.sources.insert(key, (source, self.clock)) {
            self.bytes -= old.len();
        }
        while self.bytes > ROOM {
            let oldest = self.sources.iter().min_by_key(|(_, (_, used))| *used).map(|(key, _)| key.clone());
            let Some((old, _)) = oldest.and_then(|key| self.sources.remove(&key)) else { return };
            self.bytes -= old.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_sources_go_first() {
        let mut kept = Kept::default();
        let key = |n: usize| (n.to_string(), Module::Python, Handler::default());
        for n in 0..20 {
            kept.put(key(n), Bytes::from(vec![0; 1024 * 1024]));
            assert!(kept.get(&key(0)).is_some(), "asked for all the time");
        }
        assert!(kept.bytes <= ROOM && kept.sources.len() == 16);
        assert!(kept.get(&key(1)).is_none() && kept.get(&key(19)).is_some());
    }
}
