//! The server's secret, and what is derived from it. It lives in the deployment's own secret store, never in the table.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// The shortest secret that is taken, in bytes.
pub const MIN_SECRET: usize = 32;

/// The secret that signs, and those before it, which are still good for checking: so a secret can be replaced while
/// tokens and cursors made with it are about.
#[derive(Clone)]
pub struct Secrets {
    /// The first one signs.
    all: Vec<Secret>,
}

/// One secret. Each use derives a key of its own from it, so that a signature made for one means nothing to another.
#[derive(Clone)]
pub(crate) struct Secret(Vec<u8>);

/// A secret that is too short to be one.
#[derive(Debug, thiserror::Error)]
#[error("a server secret needs at least {MIN_SECRET} bytes; make one with `openssl rand -hex 32`")]
pub struct SecretTooShort;

impl Secrets {
    /// Of the current secret and any before it, each at least [`MIN_SECRET`] bytes.
    pub fn new<B: AsRef<[u8]>>(
        current: B,
        previous: impl IntoIterator<Item = B>,
    ) -> Result<Self, SecretTooShort> {
        let all = std::iter::once(current).chain(previous).map(|secret| Secret::new(secret.as_ref()));
        Ok(Self { all: all.collect::<Result<_, _>>()? })
    }

    /// All that are good for checking, the current one first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Secret> {
        self.all.iter()
    }
}

impl Secret {
    fn new(bytes: &[u8]) -> Result<Self, SecretTooShort> {
        if bytes.len() < MIN_SECRET { Err(SecretTooShort) } else { Ok(Self(bytes.to_vec())) }
    }

    /// The key for one use. Each of `parts` is written with its length, so that no two lists of parts look alike.
    pub(crate) fn derive(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = hmac(&self.0);
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

/// HMAC-SHA256 under a key of any length.
pub(crate) fn hmac(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

/// SHA-256.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        for half in [byte >> 4, byte & 15] {
            text.push(char::from_digit(half.into(), 16).unwrap_or_default());
        }
        text
    })
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(…)")
    }
}
