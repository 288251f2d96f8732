//! Passwords: argon2id with 19 MiB, t=2, p=1 (OWASP Password Storage Cheat Sheet), a few at a time since each takes
//! that memory and about 50 ms of a core.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use domain::{Error, Result};
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};

pub(crate) struct Passwords {
    turns: Arc<Semaphore>,
    /// Registrations go through here first, one by one, so that a login waits behind one of them at most.
    registrations: Arc<Semaphore>,
    /// The hash of a password that nobody has: what a password for an unknown name is checked against, so that it
    /// takes as long as for a known one.
    nobody: OnceCell<String>,
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(19 * 1024, 2, 1, None).expect("these parameters are within argon2's limits");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

impl Passwords {
    pub(crate) fn new(at_once: usize) -> Self {
        Self {
            turns: Arc::new(Semaphore::new(at_once.max(1))),
            registrations: Arc::new(Semaphore::new(1)),
            nobody: OnceCell::new(),
        }
    }

    /// The hash of a new password, in PHC string format.
    pub(crate) async fn hash(&self, password: &str) -> Result<String> {
        let only = self.registrations.clone().acquire_owned().await.map_err(Error::internal)?;
        self.hashed(password, Some(only)).await
    }

    /// The hash of a password. `held` is given back when it is done, even if nobody waits for it any more.
    async fn hashed(&self, password: &str, held: Option<OwnedSemaphorePermit>) -> Result<String> {
        let password = password.to_owned();
        self.on_a_core(move || {
            let _held = held;
            let hash = argon2().hash_password(password.as_bytes()).map_err(|error| error.to_string())?;
            Ok(hash.to_string())
        })
        .await
    }

    /// Whether this is the password of that hash. Without a hash it isn't, and takes as long.
    pub(crate) async fn verify(&self, password: &str, hash: Option<&str>) -> Result<bool> {
        let known = hash.is_some();
        let hash = match hash {
            Some(hash) => hash.to_owned(),
            None => {
                self.nobody.get_or_try_init(|| self.hashed("nobody has this password", None)).await?.clone()
            }
        };
        let password = password.to_owned();
        let right = self
            .on_a_core(move || {
                let hash = PasswordHash::new(&hash).map_err(|error| error.to_string())?;
                Ok(argon2().verify_password(password.as_bytes(), &hash).is_ok())
            })
            .await?;
        Ok(right && known)
    }

    async fn on_a_core<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, String> + Send + 'static,
    ) -> Result<T> {
        let turn = self.turns.clone().acquire_owned().await.map_err(Error::internal)?;
        let done = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        done.await.map_err(Error::internal)?.map_err(Error::internal)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_login_waits_behind_one_registration_at_most() {
        let passwords = Arc::new(Passwords::new(1));
        let hash = passwords.hash("password1").await.unwrap();
        let done = Arc::new(AtomicUsize::new(0));
        let mut registrations = tokio::task::JoinSet::new();
        for _ in 0..10 {
            let (passwords, done) = (passwords.clone(), done.clone());
            registrations.spawn(async move {
                passwords.hash("password2").await.unwrap();
                done.fetch_add(1, Ordering::SeqCst);
            });
        }
        // All of them have asked, and one has its turn.
        while passwords.turns.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let before = done.load(Ordering::SeqCst);
        assert!(passwords.verify("password1", Some(&hash)).await.unwrap());
        let behind = done.load(Ordering::SeqCst) - before;
        assert!(behind <= 2, "{behind} of them ended first");
        registrations.join_all().await;
        assert_eq!(done.load(Ordering::SeqCst), 10);
    }

    /// Hashing for nobody is a login's, too.
    #[tokio::test]
    async fn an_unknown_name_does_not_wait_for_registrations() {
        let passwords = Passwords::new(1);
        let _lane = passwords.registrations.clone().acquire_owned().await.unwrap();
        assert!(!passwords.verify("password1", None).await.unwrap());
    }
}
