//! What the table knows of a key.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use domain::limits;
use ports::{Attributes, Change, Check, Condition, Durability, Item, Key, TableError, Write};
use serde_json::Value;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::seal::{Answer, Sealer};
use crate::secrets::{hex, sha256};
use crate::{Result, Web};

/// How long a request may hold its key without an answer: longer than any takes, so that only a crash runs into it.
const LOCK: Duration = Duration::from_secs(60);

/// `running` until `done`.
const STATE: &str = "state";
const RUNNING: &str = "running";
const DONE: &str = "done";
/// Random: who changes the record must name it.
const LOCK_ID: &str = "lock";
/// Until when the lock holds, in milliseconds since the epoch.
const UNTIL: &str = "until";
/// What was asked; a key is good for one request only.
const FINGERPRINT: &str = "fingerprint";
/// The sealed answer, in Base64.
const ANSWER: &str = "answer";
/// Where the sealed answer lies, if it is a large one.
const BLOB: &str = "blob";

/// A key of a caller, used for a request.
pub(super) struct Record {
    web: Web,
    key: Key,
    lock: String,
    sealer: Sealer,
    /// What the request comes to under each secret; the first one is written.
    fingerprints: Vec<String>,
}

/// What came of beginning.
pub(super) enum Begun {
    /// It is for us to do.
    Mine,
    /// It has been done.
    Done(Answer),
    /// It is being done.
    Running,
    /// The key was used for something else.
    Other,
}

impl Record {
    pub(super) fn new(web: &Web, caller: &str, key: &str, request: &[&[u8]]) -> Self {
        let name = |text: &str| hex(&sha256(text.as_bytes()));
        // The body may hold a password, so what is stored of it can't be guessed at without the secret.
        let parts: Vec<&[u8]> =
            std::iter::once(b"idempotency-request".as_slice()).chain(request.iter().copied()).collect();
        Self {
            web: web.clone(),
            key: Key::new(format!("IDEMPOTENCY#{}#{}", name(caller), name(key)), "META"),
            lock: Uuid::new_v4().to_string(),
            sealer: Sealer::new(&web.secrets, caller, key),
            fingerprints: web.secrets.all().map(|secret| hex(&secret.derive(&parts))).collect(),
        }
    }

    /// Takes the key, unless someone has it.
    pub(super) async fn begin(&self) -> Result<Begun> {
        let mut condition = Condition::Absent;
        // Each round but the first begins with someone else's change in between; three of those are a stampede.
        for _ in 0..4 {
            match self.write(Write::Put(self.running(), condition)).await {
                Ok(()) => return Ok(Begun::Mine),
                Err(TableError::Condition { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            let Some(item) = self.web.table.get(&self.key).await? else {
                condition = Condition::Absent;
                continue;
            };
            let now = self.web.clock.now();
            let text = |name| item.attributes.get(name).and_then(Value::as_str).unwrap_or_default();
            let expired = item.ttl.is_some_and(|ttl| ttl <= now.as_seconds());
            if !expired {
                let written = text(FINGERPRINT).as_bytes();
                if !self.fingerprints.iter().any(|mine| bool::from(mine.as_bytes().ct_eq(written))) {
                    return Ok(Begun::Other);
                }
                if text(STATE) == DONE {
                    return self.answer(&item.attributes).await.map(Begun::Done);
                }
                if item.attributes.get(UNTIL).and_then(Value::as_i64).is_some_and(|end| end > now.as_millis())
                {
                    return Ok(Begun::Running);
                }
            }
            condition = Condition::Present(vec![Check::Equals(LOCK_ID, text(LOCK_ID).into())]);
        }
        Ok(Begun::Running)
    }

    /// Keeps the answer, or gives the key back where there is none to keep.
    pub(super) async fn finish(&self, answer: Option<Answer>) -> Result<()> {
        let mine = Condition::Present(vec![Check::Equals(LOCK_ID, self.lock.as_str().into())]);
        let write = match answer {
            None => Write::Delete(self.key.clone(), mine),
            Some(answer) => {
                let sealed = self.sealer.seal(&answer)?;
                let place = if sealed.len() > limits::INLINE_PAYLOAD {
                    let key = self.blob_key();
                    self.web.blobs.put(&key, sealed.into()).await?;
                    Change::Set(BLOB.into(), key.into())
                } else {
                    Change::Set(ANSWER.into(), BASE64.encode(sealed).into())
                };
                let changes = vec![Change::Set(STATE.into(), DONE.into()), place];
                Write::Update(self.key.clone(), changes, mine)
            }
        };
        match self.write(write).await {
            // Whoever took the key over after the lock ran out has the word now.
            Ok(()) | Err(TableError::Condition { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn write(&self, write: Write) -> Result<(), TableError> {
        self.web.table.write(vec![write], Durability::Crash).await
    }

    fn running(&self) -> Item {
        let now = self.web.clock.now();
        let mut item = Item::new(self.key.clone());
        item.ttl = Some((now + limits::IDEMPOTENCY).as_seconds());
        let fingerprint = self.fingerprints.first().map(String::as_str).unwrap_or_default();
        item.attributes = Attributes::from_iter([
            (STATE.to_owned(), RUNNING.into()),
            (LOCK_ID.to_owned(), self.lock.as_str().into()),
            (UNTIL.to_owned(), (now + LOCK).as_millis().into()),
            (FINGERPRINT.to_owned(), fingerprint.into()),
        ]);
        item
    }

    /// By day, so that a day's blobs can be swept together once they are past their time.
    fn blob_key(&self) -> String {
        format!("{}/{}", app::janitor::kept_answers(self.web.clock.now()), self.lock)
    }

    async fn answer(&self, attributes: &Attributes) -> Result<Answer> {
        let text = |name| attributes.get(name).and_then(Value::as_str);
        let sealed = match (text(ANSWER), text(BLOB)) {
            (Some(inline), _) => BASE64.decode(inline).map_err(domain::Error::internal)?,
            (None, Some(key)) => {
                let blob = self.web.blobs.get(key).await?;
                blob.ok_or_else(|| domain::Error::internal(format!("no blob {key}")))?.into()
            }
            (None, None) => return Err(domain::Error::internal("a kept answer without an answer").into()),
        };
        Ok(self.sealer.open(sealed)?)
    }
}
