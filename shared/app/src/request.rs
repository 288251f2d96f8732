//! What a request is known by that may be sent again because nobody knows what became of it.
//!
//! A caller names such a request (`Idempotency-Key`), and `web` keeps a record of it. Everything that it makes takes its
//! id from the request, so that the second try finds what the first one made, or goes on with it: a job is recorded
//! under its id once; what can be deleted again is made in one write with a [mark](Identity::new) in the request's
//! record. Use cases get all this from [`Random`](crate::random::Random) and [`was_made`]; whoever adds one that makes
//! something asks [`was_made`] first, and hands [`mark`] to the store.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use ports::Write;
use sha2::{Digest, Sha256};

tokio::task_local! {
    static REQUEST: Arc<Identity>;
}

/// A request that may be sent again.
#[derive(Debug)]
pub struct Identity {
    /// Secret: keys are made of it.
    seed: [u8; 32],
    /// Whether it was begun before, and nobody knows how that ended.
    begun_before: bool,
    /// Whether it has had its effect.
    was_made: bool,
    mark: Write,
    /// How many of each kind of thing it has made an id for.
    drawn: Mutex<BTreeMap<&'static str, u32>>,
}

impl Identity {
    /// A request begun for the first time. `mark` is the write that notes its effect; its condition holds as long as
    /// nobody else has taken the request over.
    pub fn new(seed: [u8; 32], mark: Write) -> Self {
        Self { seed, begun_before: false, was_made: false, mark, drawn: Mutex::default() }
    }

    /// The same request begun once more. `was_made` says whether its mark was found.
    pub fn again(self, was_made: bool) -> Self {
        Self { begun_before: true, was_made, ..self }
    }

    /// Does the work as that of this request.
    pub async fn scope<F: Future>(self, work: F) -> F::Output {
        REQUEST.scope(Arc::new(self), work).await
    }

    fn draw(&self, what: &'static str) -> [u8; 32] {
        let number = {
            let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
            let count = drawn.entry(what).or_default();
            *count += 1;
            *count
        };
        let hash = Sha256::new().chain_update(self.seed).chain_update(number.to_be_bytes());
        hash.chain_update(what).finalize().into()
    }
}

fn of_this<T>(f: impl FnOnce(&Identity) -> T) -> Option<T> {
    REQUEST.try_with(|identity| f(identity)).ok()
}

/// The bytes of which the next thing of this kind that this request makes takes its id; `None` for a request that is sent
/// once.
pub(crate) fn draw(what: &'static str) -> Option<[u8; 32]> {
    of_this(|identity| identity.draw(what))
}

/// Whether this request may be sent again.
pub(crate) fn may_come_again() -> bool {
    of_this(|_| ()).is_some()
}

/// Whether it was begun before, and nobody knows how that ended.
pub(crate) fn was_begun() -> bool {
    of_this(|identity| identity.begun_before).unwrap_or(false)
}

/// Whether it has had its effect: what it was to make has been made, and may have been changed or deleted since.
pub(crate) fn was_made() -> bool {
    of_this(|identity| identity.was_made).unwrap_or(false)
}

/// The write that goes with its effect.
pub(crate) fn mark() -> store::Mark {
    of_this(|identity| identity.mark.clone())
}

#[cfg(test)]
mod tests {
    use ports::{Condition, Key};

    use super::*;
    use crate::random::{Random, SystemEntropy};

    fn identity(seed: u8) -> Identity {
        Identity::new([seed; 32], Write::Delete(Key::new("a", "b"), Condition::None))
    }

    #[tokio::test]
    async fn the_same_request_makes_the_same_ids() {
        let random = Random(Arc::new(SystemEntropy));
        let ids = async || {
            (random.job_id(), random.job_id(), random.workspace_id(), random.user_id(), random.lease_id())
        };
        let once = identity(1).scope(ids()).await;
        let again = identity(1).again(true).scope(ids()).await;
        assert_eq!((once.0, once.1, once.2, once.3), (again.0, again.1, again.2, again.3));
        assert_ne!(once.4, again.4, "a lease is each try's own");
        assert_ne!(once.0, once.1);
        assert_ne!(once.0, identity(2).scope(ids()).await.0);
        assert_ne!(ids().await.0, ids().await.0);
    }
}
