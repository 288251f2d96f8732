//! What ids, leases and secrets are made of.

use std::sync::Arc;

use domain::{FunctionId, JobId, KeyId, UserId, WorkspaceId};

/// A source of random bytes, so that a simulation can be replayed.
pub trait Entropy: Send + Sync {
    /// Fills all of `bytes`. Where secrets are made of them, nobody may be able to guess them.
    fn fill(&self, bytes: &mut [u8]);
}

/// The operating system's randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system has randomness once it is up");
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

    pub(crate) fn user_id(&self) -> UserId {
        UserId::from_random(self.word())
    }

    pub(crate) fn job_id(&self) -> JobId {
        JobId::from_random(self.word())
    }

    pub(crate) fn workspace_id(&self) -> WorkspaceId {
        WorkspaceId::from_random(self.bytes())
    }

    pub(crate) fn function_id(&self) -> FunctionId {
        FunctionId::from_random(self.bytes())
    }

    pub(crate) fn key_id(&self) -> KeyId {
        KeyId::from_random(self.bytes())
    }

    /// Names a lease.
    pub(crate) fn lease_id(&self) -> String {
        format!("{:016x}", self.word())
    }
}
