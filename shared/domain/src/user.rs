//! People.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Role, SessionId, Timestamp, UserId};

/// A person who registered. Records of earlier releases lack what has a default here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Random, unique.
    pub id: UserId,
    /// As typed; unique whatever its case.
    pub username: String,
    /// As typed; unique whatever its case. No mail is ever sent to it, so it proves nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The person's name.
    pub name: String,
    /// argon2id, in PHC string format. Never leaves the platform.
    pub password_hash: String,
    /// What they may do.
    #[serde(default)]
    pub role: Role,
    /// What they have paid for.
    #[serde(default)]
    pub plan: Plan,
    /// Whether they may do anything at all: of one who isn't, no token and no key works.
    #[serde(default = "yes")]
    pub is_active: bool,
    /// How often the password was changed. A session says under which of them it began, so that a change ends all sessions
    /// from before.
    #[serde(default)]
    pub password_changes: u32,
    /// The session in which the password was last changed, which goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_session: Option<Uuid>,
    /// Counts every change, so that two at once can't overwrite each other.
    #[serde(default)]
    pub revision: u64,
    /// When they registered.
    pub created_at: Timestamp,
    /// When they last changed something about themselves.
    pub updated_at: Timestamp,
}

fn yes() -> bool {
    true
}

/// What a user has paid for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Plan {
    /// Nothing.
    #[default]
    Free,
    /// More of everything.
    Pro,
    /// The most.
    Enterprise,
}

impl Plan {
    /// Its name, as it is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Pro => "pro",
            Self::Enterprise => "enterprise",
        }
    }
}

/// What a user's record says of whether they may do something now. It is read with nearly every request, so only this
/// much of the record is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Standing {
    /// What they may do.
    #[serde(default)]
    pub role: Role,
    /// Whether they may do anything at all.
    #[serde(default = "yes")]
    pub is_active: bool,
    /// See [`User::password_changes`].
    #[serde(default)]
    pub password_changes: u32,
    /// See [`User::kept_session`].
    #[serde(default)]
    pub kept_session: Option<Uuid>,
}

impl Standing {
    /// Whether a token of this session, or of none, still works as far as the user's record goes.
    pub fn admits(&self, session: Option<SessionId>) -> bool {
        // Tokens of earlier releases name no session; there were no changes of passwords then.
        let began_under = session.map_or(0, |session| session.password_changes);
        let kept = session.is_some_and(|session| Some(session.id) == self.kept_session);
        self.is_active && (kept || began_under == self.password_changes)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_user_of_an_earlier_release_is_an_active_one_without_rights_over_others() {
        let stored = json!({
            "id": 7, "username": "ada", "name": "Ada", "password_hash": "$argon2id$",
            "created_at": "2024-01-01T00:00:00.000Z", "updated_at": "2024-01-01T00:00:00.000Z"
        });
        let user: User = serde_json::from_value(stored.clone()).unwrap();
        assert_eq!((user.role, user.plan, user.is_active), (Role::User, Plan::Free, true));
        assert_eq!((user.email, user.password_changes, user.revision), (None, 0, 0));
        let standing: Standing = serde_json::from_value(stored).unwrap();
        assert!(standing.admits(None), "tokens of before work");
    }

    #[test]
    fn a_changed_password_ends_all_sessions_but_the_one_that_changed_it() {
        let id = Uuid::from_u128;
        let session = |n, password_changes| Some(SessionId { id: id(n), password_changes });
        let changed =
            Standing { role: Role::User, is_active: true, password_changes: 1, kept_session: Some(id(1)) };
        for (session, works) in [
            (session(1, 0), true),
            (session(2, 0), false),
            (session(3, 1), true),
            (session(4, 2), false),
            (None, false),
        ] {
            assert_eq!(changed.admits(session), works, "{session:?}");
            assert!(!Standing { is_active: false, ..changed }.admits(session));
        }
    }
}
