//! What the table knows of a key.

use std::pin::pin;
use std::time::Duration;

use app::request::Identity;
use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use domain::{Timestamp, limits};
use ports::{Attributes, Change, Check, Condition, Durability, Item, Key, TableError, Write};
use serde_json::Value;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::seal::{Answer, Sealer};
use crate::secrets::{hex, sha256};
use crate::{Result, Web};

/// For how long a request holds its key before it says that it still runs, and how often it says so. Whose process dies
/// holds it no longer than this; the only server of a table knows at once.
const LEASE: Duration = Duration::from_secs(15);
const RENEW: Duration = Duration::from_secs(5);

/// `running` until `done`.
const STATE: &str = "state";
const RUNNING: &str = "running";
const DONE: &str = "done";
/// Random: who changes the record must name it. An answer leaves it as it is, so who takes a running request over must
/// say that it runs, too.
const LOCK_ID: &str = "lock";
/// Until when the lock holds, in milliseconds since the epoch.
const UNTIL: &str = "until";
/// What was asked; a key is good for one request only.
const FINGERPRINT: &str = "fingerprint";
/// The sealed answer, in Base64.
const ANSWER: &str = "answer";
/// Where the sealed answer lies, if it is a large one.
const BLOB: &str = "blob";
/// Random, and the same for each try of a request: with the server's secret, what it makes takes its ids from this.
const SEED: &str = "seed";
/// 1 once the request has had its effect.
const MADE: &str = "made";

/// A key of a caller, used for a request.
pub(super) struct Record {
    web: Web,
    key: Key,
    lock: String,
    sealer: Sealer,
    /// What the request comes to under each secret; the first one is written.
    fingerprints: Vec<String>,
    caller: String,
    seed: String,
}

/// What came of beginning.
pub(super) enum Begun {
    /// It is for us to do, as this request; and whether it was begun before.
    Mine(Box<Identity>, bool),
    /// It has been done.
    Done(Answer),
    /// It is being done.
    Running,
    /// The key was used for something else.
    Other,
}

/// What became of a request.
pub(super) enum End {
    /// This answer, which is to be kept.
    Answered(Answer),
    /// It was refused, and has had no effect.
    Nothing,
    /// Nobody knows: it goes on when it comes again.
    Unknown,
}

impl Drop for Record {
    fn drop(&mut self) {
        self.web.running().remove(&self.lock);
    }
}

impl Record {
    pub(super) fn new(web: &Web, caller: &str, key: &str, request: &[&[u8]]) -> Self {
        let name = |text: &str| hex(&sha256(text.as_bytes()));
        // The body may hold a password, so what is stored of it can't be guessed at without the secret.
        let parts: Vec<&[u8]> =
            std::iter::once(b"idempotency-request".as_slice()).chain(request.iter().copied()).collect();
        let lock = Uuid::new_v4().to_string();
        // Before it is written: a lock that is not here is nobody's.
        web.running().insert(lock.clone());
        Self {
            web: web.clone(),
            key: Key::new(format!("IDEMPOTENCY#{}#{}", name(caller), name(key)), "META"),
            lock,
            caller: caller.to_owned(),
            seed: Uuid::new_v4().simple().to_string(),
            sealer: Sealer::new(&web.secrets, caller, key),
            fingerprints: web.secrets.all().map(|secret| hex(&secret.derive(&parts))).collect(),
        }
    }

    /// Takes the key, unless someone has it.
    pub(super) async fn begin(&self) -> Result<Begun> {
        let mut write = Write::Put(self.running(), Condition::Absent);
        let mut begun = Some(self.identity(0, &self.seed));
        let mut again = false;
        // Each round but the first begins with someone else's change in between; three of those are a stampede.
        for _ in 0..4 {
            match self.write(write).await {
                Ok(()) => {
                    let identity = begun.take().ok_or_else(|| domain::Error::internal("begun twice"))?;
                    return Ok(Begun::Mine(Box::new(identity), again));
                }
                Err(TableError::Condition { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            let Some(item) = self.web.table.get(&self.key).await? else {
                write = Write::Put(self.running(), Condition::Absent);
                (begun, again) = (Some(self.identity(0, &self.seed)), false);
                continue;
            };
            let now = self.web.clock.now();
            let text = |name| item.attributes.get(name).and_then(Value::as_str).unwrap_or_default();
            let lock = text(LOCK_ID);
            let unchanged = Check::Equals(LOCK_ID, lock.into());
            if item.ttl.is_some_and(|ttl| ttl <= now.as_seconds()) {
                write = Write::Put(self.running(), Condition::Present(vec![unchanged]));
                (begun, again) = (Some(self.identity(0, &self.seed)), false);
                continue;
            }
            let written = text(FINGERPRINT).as_bytes();
            let same = |mine: &String| bool::from(mine.as_bytes().ct_eq(written));
            let Some(secret) = self.fingerprints.iter().position(same) else { return Ok(Begun::Other) };
            if text(STATE) == DONE {
                return self.answer(&item.attributes).await.map(Begun::Done);
            }
            let until = item.attributes.get(UNTIL).and_then(Value::as_i64);
            let runs = match self.web.config.only_server {
                true => self.web.running().contains(lock),
                false => until.is_some_and(|end| end > now.as_millis()),
            };
            if runs {
                return Ok(Begun::Running);
            }
            // A record of an earlier release has none.
            let seed = Some(text(SEED)).filter(|seed| !seed.is_empty()).unwrap_or(&self.seed);
            let made = item.attributes.contains_key(MADE);
            let as_read = if made { None } else { Some(Check::LessOrMissing(MADE, 0)) };
            let taken = vec![
                Change::Set(LOCK_ID.into(), self.lock.as_str().into()),
                Change::Set(UNTIL.into(), self.until()),
                Change::Set(SEED.into(), seed.into()),
            ];
            // It may have been answered since it was read.
            let unanswered = Check::Equals(STATE, RUNNING.into());
            let checks = [unchanged, unanswered].into_iter().chain(as_read).collect();
            write = Write::Update(self.key.clone(), taken, Condition::Present(checks));
            (begun, again) = (Some(self.identity(secret, seed).again(made)), true);
        }
        Ok(Begun::Running)
    }

    /// Who this request is, whichever try it is.
    fn identity(&self, secret: usize, seed: &str) -> Identity {
        let parts: [&[u8]; 4] =
            [b"idempotency-identity", self.caller.as_bytes(), self.key.pk.as_bytes(), seed.as_bytes()];
        let secret = self.web.secrets.all().nth(secret);
        let seed = secret.map(|secret| secret.derive(&parts)).unwrap_or_default();
        let made = vec![Change::Set(MADE.into(), 1.into())];
        Identity::new(seed, Write::Update(self.key.clone(), made, self.mine()))
    }

    /// Waits for the work, and says while it takes that it still runs.
    pub(super) async fn held_while<F: Future>(&self, work: F) -> F::Output {
        if self.web.config.only_server {
            return work.await;
        }
        let mut work = pin!(work);
        loop {
            if let Ok(done) = tokio::time::timeout(RENEW, &mut work).await {
                return done;
            }
            let renewed = vec![Change::Set(UNTIL.into(), self.until())];
            let write = self.write(Write::Update(self.key.clone(), renewed, self.mine()));
            tokio::select! {
                biased;
                done = &mut work => return done,
                // Where another has taken it over, this one can have no effect any more but a job's, which is one.
                written = write => if let Err(error) = written {
                    tracing::info!(target: "web", %error, "the record of a request with an Idempotency-Key could not be renewed; a repetition of the request may take it over");
                },
            }
        }
    }

    fn mine(&self) -> Condition {
        Condition::Present(vec![Check::Equals(LOCK_ID, self.lock.as_str().into())])
    }

    fn until(&self) -> Value {
        (self.web.clock.now() + LEASE).as_millis().into()
    }

    /// Keeps the answer, or gives the key back where there is none to keep.
    pub(super) async fn finish(&self, end: End) -> Result<()> {
        let mine = self.mine();
        let write = match end {
            End::Nothing => Write::Delete(self.key.clone(), mine),
            End::Unknown => Write::Update(self.key.clone(), vec![Change::Set(UNTIL.into(), 0.into())], mine),
            End::Answered(answer) => {
                let sealed = self.sealer.seal(&answer)?;
                let place = if sealed.len() > limits::INLINE_PAYLOAD {
                    let now = self.web.clock.now();
                    let key = self.blob_key(now);
                    if self.web.config.only_server {
                        // Once told of the day, the janitor removes whatever is kept of it. In a bucket that several
                        // share a lifecycle rule does.
                        app::janitor::note_answers(self.web.table.as_ref(), now).await?;
                    }
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
            (UNTIL.to_owned(), self.until()),
            (SEED.to_owned(), self.seed.as_str().into()),
            (FINGERPRINT.to_owned(), fingerprint.into()),
        ]);
        item
    }

    /// By day, so that a day's blobs can be swept together once they are past their time.
    fn blob_key(&self, day: Timestamp) -> String {
        format!("{}/{}", app::janitor::kept_answers(day), self.lock)
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
