//! Registering and logging in.

use domain::{Error, Result, User, UserId};

use crate::App;

/// Who wants to register. Lengths and characters have been checked.
pub struct NewUser {
    /// Unique whatever its case.
    pub username: String,
    /// What to call them.
    pub name: String,
    /// In the clear.
    pub password: String,
}

impl App {
    /// Registers. 400 if the username is taken.
    pub async fn register(&self, new: NewUser) -> Result<User> {
        // Asked first because hashing is dear; the write asks again, and that one counts.
        if self.store.user_by_name(&new.username).await?.is_some() {
            return Err(Error::new(
                domain::Kind::BadRequest,
                "USERNAME_TAKEN",
                "Username already registered",
            ));
        }
        let password_hash = self.passwords.hash(&new.password).await?;
        let now = self.clock.now();
        let user = User {
            id: self.random.user_id(),
            username: new.username,
            name: new.name.trim().to_owned(),
            password_hash,
            created_at: now,
            updated_at: now,
        };
        self.store.create_user(&user).await?;
        Ok(user)
    }

    /// Logs in from `source` (an address). 401 if the name or the password is wrong, in the same words and time for
    /// both; 429 when they were wrong too often.
    pub async fn log_in(&self, source: &str, username: &str, password: &str) -> Result<User> {
        if let Err(wait) = self.store.count_login(source, username, self.clock.now()).await? {
            return Err(Error::too_many(wait, "Too many wrong passwords; wait before the next try"));
        }
        let user = self.store.user_by_name(username).await?;
        let hash = user.as_ref().map(|user| user.password_hash.as_str());
        if !self.passwords.verify(password, hash).await? {
            return Err(Error::unauthenticated("Incorrect username or password"));
        }
        self.store.uncount_login(source, username).await?;
        user.ok_or_else(|| Error::internal("a password was right for nobody"))
    }

    /// The user with this id. 401 if there is none: their token outlived them.
    pub async fn user(&self, id: UserId) -> Result<User> {
        let user = self.store.user(id).await?;
        user.ok_or_else(|| Error::unauthenticated("Could not validate credentials"))
    }
}
