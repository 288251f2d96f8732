//! What ids, leases and secrets are made of.

use std::cell::RefCell;
use std::sync::Arc;

use domain::{FunctionId, JobId, KeyId, UserId, WorkspaceId};

use crate::request;

/// A source of random bytes, so that a simulation can be replayed.
pub trait Entropy: Send + Sync {
    /// Fills all of `bytes`. Where secrets are made of them, nobody may be able to guess them.
    fn fill(&self, bytes: &mut [u8]);
}

/// The operating system's randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

/// How many bytes a thread asks the system for at once: a request takes about three ids.
const BLOCK: usize = 512;

thread_local! {
    /// Random bytes, and how many of them are left, at the end.
    static BYTES: RefCell<([u8; BLOCK], usize)> = const { RefCell::new(([0; BLOCK], 0)) };
}

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        let system = |bytes: &mut [u8]| {
            getrandom::fill(bytes).expect("the operating system has randomness once it is up");
        };
        BYTES.with_borrow_mut(|(block, left)| {
            if bytes.len() > BLOCK {
                return system(bytes);
            }
            if *left < bytes.len() {
                system(block);
                *left = BLOCK;
            }
            let taken = &mut block[BLOCK - *left..][..bytes.len()];
            bytes.copy_from_slice(taken);
            // Nothing is given twice, nor there to be read later.
            taken.fill(0);
            *left -= bytes.len();
        });
    }
}

/// Makes ids of what a source gives.
#[derive(Clone)]
pub(crate) struct Random(pub(crate) Arc<dyn Entropy>);

impl Random {
    /// Random bytes.
    pub(crate) fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill(&mut bytes);
        bytes
    }

    fn word(&self) -> u64 {
        u64::from_le_bytes(self.bytes())
    }

    /// Bytes for a thing that a request makes: the same ones when the request comes again. At most 32.
    pub(crate) fn own<const N: usize>(&self, what: &'static str) -> [u8; N] {
        match request::draw(what).as_ref().and_then(|drawn| drawn.first_chunk()) {
            Some(bytes) => *bytes,
            None => self.bytes(),
        }
    }

    pub(crate) fn user_id(&self) -> UserId {
        UserId::from_random(u64::from_le_bytes(self.own("user")))
    }

    pub(crate) fn job_id(&self) -> JobId {
        JobId::from_random(u64::from_le_bytes(self.own("job")))
    }

    pub(crate) fn workspace_id(&self) -> WorkspaceId {
        WorkspaceId::from_random(self.own("workspace"))
    }

    pub(crate) fn function_id(&self) -> FunctionId {
        FunctionId::from_random(self.own("function"))
    }

    pub(crate) fn key_id(&self) -> KeyId {
        KeyId::from_random(self.own("key"))
    }

    /// Names a lease.
    pub(crate) fn lease_id(&self) -> String {
        format!("{:016x}", self.word())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn nothing_is_given_twice() {
        let random = Random(Arc::new(SystemEntropy));
        let mut given: HashSet<Vec<u8>> = (0..1000).map(|_| random.bytes::<16>().to_vec()).collect();
        given.extend((0..1000).map(|_| random.word().to_le_bytes().to_vec()));
        let mut large = vec![0; BLOCK + 1];
        SystemEntropy.fill(&mut large);
        given.extend(large.chunks_exact(8).map(<[u8]>::to_vec));
        assert_eq!(given.len(), 2000 + BLOCK / 8);
        let zeros = |bytes: &&Vec<u8>| bytes.iter().all(|byte| *byte == 0);
        assert_eq!(given.iter().find(zeros), None);
    }
}
