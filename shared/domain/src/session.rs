//! Sessions: what begins with a login and ends with a logout, however many access tokens are issued in it.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::{Timestamp, UserId};

/// What a token says that we have signed. Whether it was ended since, and whether its user may still do something, is for
/// the records to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// Whose it is.
    pub user: UserId,
    /// Names it.
    pub id: Uuid,
    /// The session that it was issued in. Tokens of earlier releases name none.
    pub session: Option<SessionId>,
    /// From when it no longer works.
    pub expires_at: Timestamp,
}

/// Names a session, and says which of the user's passwords it began with. Its text is `<password changes>.<id>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionId {
    /// That of the access token which the login answered, so that whether one of the two was ended is one question.
    pub id: Uuid,
    /// How often the user's password had been changed when it began.
    pub password_changes: u32,
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.password_changes, self.id.simple())
    }
}

/// What names no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a session is named as <number>.<UUID>")]
pub struct NoSession;

impl FromStr for SessionId {
    type Err = NoSession;

    fn from_str(text: &str) -> Result<Self, NoSession> {
        let (changes, id) = text.split_once('.').ok_or(NoSession)?;
        Ok(Self {
            id: id.parse().map_err(|_| NoSession)?,
            password_changes: changes.parse().map_err(|_| NoSession)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_read_as_it_was_written() {
        let session = SessionId { id: Uuid::from_u128(7), password_changes: 3 };
        assert_eq!(session.to_string(), "3.00000000000000000000000000000007");
        assert_eq!(session.to_string().parse(), Ok(session));
        for none in ["", "3", ".", "x.00000000000000000000000000000007", "3.7"] {
            assert_eq!(none.parse::<SessionId>(), Err(NoSession), "{none}");
        }
    }
}
