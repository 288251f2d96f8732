//! Randomness, from the operating system.

use domain::{FunctionId, JobId, KeyId, UserId, WorkspaceId};

/// Random bytes.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system has randomness once it is up");
    bytes
}

fn word() -> u64 {
    u64::from_le_bytes(bytes())
}

pub(crate) fn user_id() -> UserId {
    UserId::from_random(word())
}

pub(crate) fn job_id() -> JobId {
    JobId::from_random(word())
}

pub(crate) fn workspace_id() -> WorkspaceId {
    WorkspaceId::from_random(bytes())
}

pub(crate) fn function_id() -> FunctionId {
    FunctionId::from_random(bytes())
}

pub(crate) fn key_id() -> KeyId {
    KeyId::from_random(bytes())
}

/// Names a lease.
pub(crate) fn lease_id() -> String {
    format!("{:016x}", word())
}
