//! Users.

use domain::{Error, Kind, Result, User, UserId};
use ports::{Condition, Durability, Item, Write};

use crate::{Mark, Store, conflict, items, keys, quotas};

impl Store {
    /// Registers a user. 400 if the username is taken.
    pub async fn create_user(&self, user: &User, mark: Mark) -> Result<()> {
        let mut claim = Item::new(keys::username(&user.username));
        claim.attributes.insert("user_id".into(), user.id.0.into());
        let mut writes = vec![
            Write::Put(claim, Condition::Absent),
            Write::Put(items::item(keys::user(user.id), user)?, Condition::Absent),
            // They have nothing yet; what users of earlier releases have is counted when it first matters.
            Write::Put(quotas::counts(user.id, 0, 0), Condition::None),
        ];
        writes.extend(mark);
        self.table.write(writes, Durability::Crash).await.map_err(|error| {
            conflict(error, |index| match index {
                0 => Error::new(Kind::BadRequest, "USERNAME_TAKEN", "Username already registered"),
                1 | 2 => Error::internal("a user id was drawn twice"),
                _ => Error::key_in_use(),
            })
        })
    }

    /// The user with this id.
    pub async fn user(&self, id: UserId) -> Result<Option<User>> {
        self.get(&keys::user(id)).await
    }

    /// The user with this name, whatever its case.
    pub async fn user_by_name(&self, username: &str) -> Result<Option<User>> {
        let Some(claim) = self.table.get(&keys::username(username)).await? else { return Ok(None) };
        match claim.attributes.get("user_id").and_then(serde_json::Value::as_u64) {
            Some(id) => self.user(UserId(id)).await,
            None => Err(Error::internal(format!("{:?} has no user_id", claim.key))),
        }
    }
}
