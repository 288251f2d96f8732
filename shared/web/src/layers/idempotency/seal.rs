//! Kept answers are sealed: some hold what is shown only once (an auth key), and the table holds no secrets. The key
//! comes of the server's secret, the caller and the `Idempotency-Key`, so that nobody else's request can open it.

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use chacha20poly1305::aead::Aead;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit, Nonce};
use domain::Error;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};

use crate::secrets::Secrets;

/// The header that an answer given again has.
pub(crate) const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// An answer to give again.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    head: Head,
    body: Bytes,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    status: u16,
    headers: Vec<(String, String)>,
}

impl Answer {
    /// Headers that are no text are left out; no route sets any.
    pub(super) fn new(status: StatusCode, headers: &HeaderMap, body: Bytes) -> Self {
        let text = |(name, value): (&HeaderName, &HeaderValue)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        };
        let headers = headers.iter().filter_map(text).collect();
        Self { head: Head { status: status.as_u16(), headers }, body }
    }

    pub(super) fn replayed(self) -> Response {
        let mut response = self.body.into_response();
        *response.status_mut() = StatusCode::from_u16(self.head.status).unwrap_or(StatusCode::OK);
        let headers = response.headers_mut();
        headers.clear();
        for (name, value) in self.head.headers {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                headers.append(name, value);
            }
        }
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
        response
    }
}

/// Seals and opens the answers of one caller's key.
pub(super) struct Sealer {
    /// Under the current secret, and those before it.
    ciphers: Vec<ChaCha20Poly1305>,
}

/// Bytes of a nonce.
const NONCE: usize = 12;

impl Sealer {
    pub(super) fn new(secrets: &Secrets, caller: &str, key: &str) -> Self {
        let parts: [&[u8]; 3] = [b"idempotency-answer", caller.as_bytes(), key.as_bytes()];
        let cipher = |key: [u8; 32]| ChaCha20Poly1305::new(&key.into());
        Self { ciphers: secrets.all().map(|secret| cipher(secret.derive(&parts))).collect() }
    }

    /// `nonce | sealed(length of head, big-endian u32 | head | body)`
    pub(super) fn seal(&self, answer: &Answer) -> domain::error::Result<Vec<u8>> {
        let head = serde_json::to_vec(&answer.head).map_err(Error::internal)?;
        let mut plain = Vec::with_capacity(4 + head.len() + answer.body.len());
        plain.extend(u32::try_from(head.len()).map_err(Error::internal)?.to_be_bytes());
        plain.extend(&head);
        plain.extend(&answer.body);
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(|error| Error::internal(error.to_string()))?;
        let cipher = self.ciphers.first().expect("there is a current secret");
        let sealed = cipher.encrypt(&Nonce::from(nonce), plain.as_slice());
        let sealed = sealed.map_err(|error| Error::internal(error.to_string()))?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    pub(super) fn open(&self, sealed: Vec<u8>) -> domain::error::Result<Answer> {
        let broken = || Error::internal("a kept answer can't be opened");
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE>().ok_or_else(broken)?;
        let nonce = Nonce::from(*nonce);
        let plain = self.ciphers.iter().find_map(|cipher| cipher.decrypt(&nonce, sealed).ok());
        let plain = Bytes::from(plain.ok_or_else(broken)?);
        let (length, rest) = plain.split_first_chunk::<4>().ok_or_else(broken)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| broken())?;
        let head = rest.get(..length).ok_or_else(broken)?;
        let head = serde_json::from_slice(head).map_err(Error::internal)?;
        Ok(Answer { head, body: plain.slice(4 + length..) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "an old secret, which is long enough for us";
    const NEW: &str = "the new secret, which is long enough for us";

    fn sealer(current: &str, previous: &[&str], caller: &str, key: &str) -> Sealer {
        Sealer::new(&Secrets::new(current, previous.iter().copied()).unwrap(), caller, key)
    }

    fn answer() -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert("location", HeaderValue::from_static("/jobs/1"));
        Answer::new(StatusCode::ACCEPTED, &headers, Bytes::from_static(b"{\"key\":\"frk_secret\"}"))
    }

    #[test]
    fn only_the_same_caller_and_key_open_it() {
        let sealed = sealer(OLD, &[], "user:1", "k").seal(&answer()).unwrap();
        assert!(!sealed.windows(6).any(|part| part == b"secret"));
        assert_eq!(sealer(OLD, &[], "user:1", "k").open(sealed.clone()).unwrap(), answer());
        assert_eq!(sealer(NEW, &[OLD], "user:1", "k").open(sealed.clone()).unwrap(), answer());
        for other in [
            sealer(NEW, &[], "user:1", "k"),
            sealer(OLD, &[], "user:2", "k"),
            sealer(OLD, &[], "user:1", "l"),
            sealer(OLD, &[], "user:1k", ""),
        ] {
            assert!(other.open(sealed.clone()).is_err());
        }
        for end in 0..sealed.len() {
            assert!(sealer(OLD, &[], "user:1", "k").open(sealed[..end].to_vec()).is_err());
        }
    }
}
