//! Users, and what they claim: a username, an email address, to have been the first.

use domain::{Error, Kind, Result, User, UserId};
use ports::{Check, Condition, Durability, Item, TableError, Write};

use crate::workspaces::changed_meanwhile;
use crate::{Mark, Store, conflict, items, keys, quotas};

/// Which claims have been made already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// The username.
    pub username: bool,
    /// The email address, if there is one.
    pub email: bool,
    /// To be the first user.
    pub first_admin: bool,
}

/// What a caller hears whose username another has.
pub fn username_taken() -> Error {
    Error::new(Kind::BadRequest, "USERNAME_TAKEN", "Username already registered")
}

/// What a caller hears whose email address another has.
pub fn email_taken() -> Error {
    Error::new(Kind::BadRequest, "EMAIL_TAKEN", "Email already registered")
}

impl Store {
    /// Which of these claims have been made: one read.
    pub async fn claimed(&self, username: &str, email: Option<&str>) -> Result<Claimed> {
        let mut places = vec![keys::username(username), keys::first_admin()];
        places.extend(email.map(keys::email));
        let found = self.table.get_many(&places).await?;
        let is_there = |at: usize| found.get(at).is_some_and(Option::is_some);
        Ok(Claimed { username: is_there(0), first_admin: is_there(1), email: is_there(2) })
    }

    /// Whether nobody has registered yet. Where somebody had before there was a claim to be the first, that claim is made in
    /// nobody's name, so that this is looked for once.
    pub async fn has_no_users(&self) -> Result<bool> {
        if !self.table.any_partition(keys::USER_PREFIX).await? {
            return Ok(true);
        }
        let closed = Write::Put(Item::new(keys::first_admin()), Condition::Absent);
        match self.table.write(vec![closed], Durability::Crash).await {
            Ok(()) | Err(TableError::Condition { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Registers a user with all claims in one write; `first` claims to be the first, and `false` says that another was. 400
    /// if the username or the email address is taken.
    pub async fn create_user(&self, user: &User, first: bool, mark: Mark) -> Result<bool> {
        let mut writes = vec![
            (
                Write::Put(claim(keys::username(&user.username), user.id), Condition::Absent),
                Refused::Username,
            ),
            (Write::Put(items::item(keys::user(user.id), user)?, Condition::Absent), Refused::Id),
            // They have nothing yet; what users of earlier releases have is counted when it first matters.
            (Write::Put(quotas::counts(user.id, 0, 0), Condition::None), Refused::Id),
        ];
        if let Some(email) = &user.email {
            let claim = claim(keys::email(email), user.id);
            writes.push((Write::Put(claim, Condition::Absent), Refused::Email));
        }
        if first {
            let claim = claim(keys::first_admin(), user.id);
            writes.push((Write::Put(claim, Condition::Absent), Refused::First));
        }
        writes.extend(mark.map(|mark| (mark, Refused::Mark)));
        let (writes, refused): (Vec<_>, Vec<_>) = writes.into_iter().unzip();
        match self.table.write(writes, Durability::Crash).await {
            Ok(()) => Ok(true),
            Err(TableError::Condition { index }) => match refused.get(index) {
                Some(Refused::Username) => Err(username_taken()),
                Some(Refused::Email) => Err(email_taken()),
                Some(Refused::First) => Ok(false),
                Some(Refused::Mark) => Err(Error::key_in_use()),
                Some(Refused::Id) | None => Err(Error::internal("a user id was drawn twice")),
            },
            Err(error) => Err(error.into()),
        }
    }

    /// Stores a changed user. 400 if the email address is taken, 409 if the user was changed meanwhile.
    pub async fn update_user(&self, before: &User, after: &User) -> Result<()> {
        // Records of earlier releases have no revision.
        let unchanged = match before.revision {
            0 => Check::LessOrMissing("revision", 1),
            revision => Check::Equals("revision", revision.into()),
        };
        let record = items::item(keys::user(after.id), after)?;
        let mut writes = vec![Write::Put(record, Condition::Present(vec![unchanged]))];
        let claims = [&before.email, &after.email].map(|email| email.as_deref().map(keys::email));
        if let [had, wants] = claims
            && had != wants
        {
            writes.extend(wants.map(|key| Write::Put(claim(key, after.id), Condition::Absent)));
            writes.extend(had.map(|key| Write::Delete(key, Condition::None)));
        }
        self.table.write(writes, Durability::Crash).await.map_err(|error| {
            conflict(error, |index| match index {
                0 => changed_meanwhile(),
                _ => email_taken(),
            })
        })
    }

    /// The user with this id.
    pub async fn user(&self, id: UserId) -> Result<Option<User>> {
        self.get(&keys::user(id)).await
    }

    /// Who logs in by this: a username or, as no username has an `@`, an email address; whatever their case.
    pub async fn user_id_by_login(&self, login: &str) -> Result<Option<UserId>> {
        let key = if login.contains('@') { keys::email(login) } else { keys::username(login) };
        let Some(claim) = self.table.get(&key).await? else { return Ok(None) };
        let id = claim.attributes.get("user_id").and_then(serde_json::Value::as_u64);
        id.map(|id| Some(UserId(id)))
            .ok_or_else(|| Error::internal(format!("{:?} has no user_id", claim.key)))
    }
}

/// Why a registration was refused, by the write whose condition did not hold.
enum Refused {
    Username,
    Email,
    Id,
    First,
    Mark,
}

fn claim(key: ports::Key, user: UserId) -> Item {
    let mut claim = Item::new(key);
    claim.attributes.insert("user_id".into(), user.0.into());
    claim
}
