//! Workspace auth keys.
//!
//! A key's text is `frk_` and the base64url of: the workspace's id (16 bytes), the record's id (16), the secret (20),
//! and a CRC-32 of those (4). So one read finds its record together with whatever is asked for, and a mistyped key is
//! known without any. The record keeps the SHA-256 of the text.

use std::sync::Arc;
use std::time::Duration;

use ::base64::Engine as _;
use ::base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::auth_key::PREFIX;
use domain::{AuthKey, Error, Function, FunctionId, KeyId, Result, Timestamp, UserId, WorkspaceId};
use ports::Clock;
use store::{Listed, PageRequest, Store};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::digest::sha256;
use crate::random::Random;
use crate::request;
use crate::workspaces::Workspaces;

/// How many random bytes a secret has.
const SECRET: usize = 20;
const BODY: usize = 16 + 16 + SECRET;

/// A key just issued: the only time its text is seen.
pub struct Issued {
    /// The record.
    pub record: AuthKey,
    /// The text that a caller sends as bearer.
    pub key: String,
}

/// What a key's text says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Claim {
    workspace: WorkspaceId,
    id: KeyId,
}

fn bad_key() -> Error {
    Error::unauthenticated("Could not validate workspace credentials")
}

/// The keys of workspaces.
pub struct AuthKeys {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Random,
    pub(crate) workspaces: Arc<Workspaces>,
}

impl AuthKeys {
    /// Issues a key to a user's workspace. 404 if it isn't there, or isn't theirs.
    pub async fn create(&self, caller: UserId, workspace: WorkspaceId, hours: u32) -> Result<Issued> {
        self.workspaces.get(caller, workspace).await?;
        let id = self.random.key_id();
        let key = text(workspace, id, self.random.own("secret"));
        if request::was_made() {
            let record = self.store.auth_key(workspace, id).await?;
            return Ok(Issued { record: record.ok_or_else(store::workspaces::key_not_found)?, key });
        }
        let now = self.clock.now();
        let record = AuthKey {
            id,
            workspace_id: workspace,
            owner_id: caller,
            hash: sha256(&key),
            created_at: now,
            expires_at: now + Duration::from_secs(u64::from(hours) * 3600),
        };
        self.store.create_auth_key(&record, request::mark()).await?;
        Ok(Issued { record, key })
    }

    /// A workspace's keys that still work, newest first.
    pub async fn list(
        &self,
        caller: UserId,
        workspace: WorkspaceId,
        page: PageRequest,
    ) -> Result<Listed<AuthKey>> {
        self.workspaces.get(caller, workspace).await?;
        let mut listed = self.store.auth_keys(workspace, page).await?;
        let now = self.clock.now();
        listed.items.retain(|key| key.expires_at > now);
        Ok(listed)
    }

    /// Revokes a key, at once.
    pub async fn revoke(&self, caller: UserId, workspace: WorkspaceId, id: KeyId) -> Result<()> {
        self.workspaces.get(caller, workspace).await?;
        self.store.delete_auth_key(workspace, id).await
    }

    /// The function, if this key opens its workspace: one read. 401 if the key is no good, 404 if the function isn't
    /// there or is in another workspace.
    pub async fn function(&self, key: &str, function: FunctionId) -> Result<(Function, AuthKey)> {
        let workspace = claim(key).ok_or_else(bad_key)?.workspace;
        let (function, record) = self.function_and_record(workspace, function, Some(key)).await?;
        let record = self.opened(record, key)?;
        let function = function.filter(|function| function.workspace_id == record.workspace_id);
        Ok((function.ok_or_else(store::functions::not_found)?, record))
    }

    /// A function that is said to be in this workspace, and the record that a key for it names: one read. Whether the
    /// function is in it, and whether the key is that record's, is not checked yet.
    pub(crate) async fn function_and_record(
        &self,
        workspace: WorkspaceId,
        function: FunctionId,
        key: Option<&str>,
    ) -> Result<(Option<Function>, Option<AuthKey>)> {
        match key.and_then(claim) {
            Some(Claim { workspace: of, id }) => {
                self.store.function_and_key(workspace, function, (of, id)).await
            }
            None => Ok((self.store.function_in(workspace, function).await?, None)),
        }
    }

    /// The record of this key. 401 if it is no good.
    pub async fn check(&self, key: &str) -> Result<AuthKey> {
        let claim = claim(key).ok_or_else(bad_key)?;
        let record = self.store.auth_key(claim.workspace, claim.id).await?;
        self.opened(record, key)
    }

    /// The record, if the key is its own and still good. 401 if not.
    pub(crate) fn opened(&self, record: Option<AuthKey>, key: &str) -> Result<AuthKey> {
        let record = record.filter(|record| opens(record, key, self.clock.now()));
        record.ok_or_else(bad_key)
    }
}

/// Looks whether a workspace key is still good. 401 if it is not; what isn't one is not this function's affair.
pub async fn check_unless_other(store: &store::Store, key: &str, now: Timestamp) -> Result<()> {
    let Some(claim) = claim(key) else { return Ok(()) };
    let record = store.auth_key(claim.workspace, claim.id).await?;
    match record.is_some_and(|record| opens(&record, key, now)) {
        true => Ok(()),
        false => Err(bad_key()),
    }
}

fn opens(record: &AuthKey, key: &str, now: Timestamp) -> bool {
    let same: bool = record.hash.as_bytes().ct_eq(sha256(key).as_bytes()).into();
    same && record.expires_at > now
}

fn text(workspace: WorkspaceId, id: KeyId, secret: [u8; SECRET]) -> String {
    let mut bytes = Vec::with_capacity(BODY + 4);
    bytes.extend_from_slice(workspace.0.as_bytes());
    bytes.extend_from_slice(id.0.as_bytes());
    bytes.extend_from_slice(&secret);
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
    format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
}

fn claim(key: &str) -> Option<Claim> {
    let bytes = URL_SAFE_NO_PAD.decode(key.strip_prefix(PREFIX)?).ok()?;
    let (body, checksum) = bytes.split_at_checked(BODY)?;
    if checksum != crc32fast::hash(body).to_be_bytes() {
        return None;
    }
    let id = |from: usize| Uuid::from_slice(&body[from..from + 16]).ok();
    Some(Claim { workspace: WorkspaceId(id(0)?), id: KeyId(id(16)?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_its_record_and_notices_a_typo() {
        let (workspace, id) = (WorkspaceId::from_random([1; 16]), KeyId::from_random([2; 16]));
        let key = text(workspace, id, [3; SECRET]);
        assert_eq!(claim(&key), Some(Claim { workspace, id }));
        for wrong in ["", "frk_", "frk_AAAA", &key[1..], &key.to_lowercase(), &format!("{key}A")] {
            assert_eq!(claim(wrong), None, "{wrong}");
        }
    }
}
