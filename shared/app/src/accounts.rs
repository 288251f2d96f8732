//! The people who use the platform: registering and logging in.

use std::sync::Arc;
use std::time::Duration;

use domain::{Error, Plan, Result, Role, User, UserId, text};
use ports::Clock;
use store::Store;
use store::logins::{Full, Try};
use tokio::time::Instant;
use tracing::warn;

use crate::background::Background;
use crate::passwords::Passwords;
use crate::random::Random;
use crate::request;

/// How long a login waits for others to be decided, and how often it looks.
const UNDECIDED: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(50);

/// Who wants to register. Lengths and characters have been checked.
pub struct NewUser {
    /// The username, unique regardless of case.
    pub username: String,
    /// The person's name.
    pub name: String,
    /// In the clear.
    pub password: String,
}

/// Registers people, and knows them again.
#[derive(Clone)]
pub struct Accounts {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Random,
    pub(crate) passwords: Arc<Passwords>,
    pub(crate) background: Background,
    /// How many registrations one source may make in five minutes; 0 for any number.
    pub(crate) registrations_per_source: u64,
}

impl Accounts {
    /// Registers from `source` (an address). 400 if the username is taken, 429 when that source registered too many.
    pub async fn register(&self, source: &str, new: NewUser) -> Result<User> {
        let id = self.random.user_id();
        if request::was_made() {
            return self.user(id).await;
        }
        let limit = self.registrations_per_source;
        if limit > 0
            && let Err(wait) = self.store.count_registration(source, limit, self.clock.now()).await?
        {
            let message = "Too many registrations from your address. Try again after the time in Retry-After";
            return Err(Error::too_many(wait, message));
        }
        // Asked first because hashing is dear; the write asks again, and that one counts.
        if self.store.claimed(&new.username, None).await?.username {
            return Err(store::users::username_taken());
        }
        let password_hash = self.passwords.hash(&new.password).await?;
        let now = self.clock.now();
        let user = User {
            id,
            username: new.username,
            email: None,
            role: Role::User,
            plan: Plan::Free,
            is_active: true,
            password_changes: 0,
            kept_session: None,
            revision: 1,
            name: text::name(&new.name).into_owned(),
            password_hash,
            created_at: now,
            updated_at: now,
        };
        self.store.create_user(&user, false, request::mark()).await?;
        Ok(user)
    }

    /// Logs in from `source` (an address). 401 if the name or the password is wrong, in the same words and time for
    /// both; 429 when they were wrong too often.
    ///
    /// It goes on when the caller hangs up: a right password would stay counted as a wrong one.
    pub async fn log_in(&self, source: &str, username: &str, password: &str) -> Result<User> {
        let (accounts, source) = (self.clone(), source.to_owned());
        let (username, password) = (username.to_owned(), password.to_owned());
        let login = async move { accounts.check_login(&source, &username, &password).await };
        self.background.go_on(login).await
    }

    async fn check_login(&self, source: &str, username: &str, password: &str) -> Result<User> {
        let counted = self.begin_login(source, username).await?;
        let user = match self.store.user_id_by_login(username).await? {
            Some(id) => self.store.user(id).await?,
            None => None,
        };
        let hash = user.as_ref().map(|user| user.password_hash.as_str());
        let right = self.passwords.verify(password, hash).await?;
        self.store.end_login(counted, right).await?;
        let user = user.filter(|_| right);
        let user = user.ok_or_else(|| Error::unauthenticated("Incorrect username or password"))?;
        // What they read and invoke from now on finds the counts of what they have.
        if let Err(error) = self.store.count_once(user.id).await {
            warn!(user = %user.id, %error, "what a user of an earlier version has could not be counted; their next login tries again");
        }
        Ok(user)
    }

    /// Counts a login. While others of its name or source are not decided, it waits to see whether they were right.
    async fn begin_login(&self, source: &str, username: &str) -> Result<Try> {
        let until = Instant::now() + UNDECIDED;
        loop {
            let Full { wait, undecided } =
                match self.store.begin_login(source, username, self.clock.now()).await? {
                    Ok(counted) => return Ok(counted),
                    Err(full) => full,
                };
            if !undecided || Instant::now() >= until {
                // They may be decided in a moment.
                let wait = if undecided { LOOK } else { wait };
                return Err(Error::too_many(
                    wait,
                    "Too many wrong passwords. Try again after the time in Retry-After",
                ));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The user with this id. 401 if there is none: their token outlived them.
    pub async fn user(&self, id: UserId) -> Result<User> {
        let user = self.store.user(id).await?;
        user.ok_or_else(|| Error::unauthenticated("Could not validate credentials"))
    }
}
