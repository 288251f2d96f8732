//! Who may do what: roles of users, scopes of API keys, and the right that an act needs.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a user may do; each has one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// All that a user may, and what is for administrators only.
    Admin,
    /// Everything with what is their own.
    #[default]
    User,
    /// To look at what is their own.
    Viewer,
}

/// What an API key may do, as far as its user may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// To look.
    Read,
    /// To look, to change and to invoke.
    Write,
    /// To use and change stored credentials.
    Credentials,
    /// To read the audit log.
    Audit,
}

/// What an act needs of whoever asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// To look.
    Read,
    /// To change or invoke something.
    Write,
}

impl Role {
    /// Its name, as it is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::User => "user",
            Self::Viewer => "viewer",
        }
    }

    /// Whether a user of this role has the right.
    pub fn has(self, right: Right) -> bool {
        match right {
            Right::Read => true,
            Right::Write => self != Self::Viewer,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Credentials, Self::Audit];

    /// Its name, as it is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Credentials => "credentials",
            Self::Audit => "audit",
        }
    }

    /// The scope of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == name)
    }
}

impl Right {
    /// The scope that a key needs for it.
    pub fn scope(self) -> Scope {
        match self {
            Self::Read => Scope::Read,
            Self::Write => Scope::Write,
        }
    }

    /// Whether a key of these scopes has it.
    pub fn is_in(self, scopes: &[Scope]) -> bool {
        scopes.contains(&self.scope()) || (self == Self::Read && scopes.contains(&Scope::Write))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_viewer_only_looks() {
        for role in [Role::Admin, Role::User, Role::Viewer] {
            assert!(role.has(Right::Read));
            assert_eq!(role.has(Right::Write), role != Role::Viewer);
        }
    }

    #[test]
    fn who_may_write_may_read_and_nothing_else_follows_from_another() {
        for (scopes, reads, writes) in [
            (&[Scope::Read][..], true, false),
            (&[Scope::Write], true, true),
            (&[Scope::Credentials, Scope::Audit], false, false),
            (&[], false, false),
        ] {
            assert_eq!(
                (Right::Read.is_in(scopes), Right::Write.is_in(scopes)),
                (reads, writes),
                "{scopes:?}"
            );
        }
    }

    #[test]
    fn names_are_those_that_are_stored() {
        for role in [Role::Admin, Role::User, Role::Viewer] {
            assert_eq!(serde_json::to_value(role).unwrap(), role.as_str());
        }
        for scope in Scope::ALL {
            assert_eq!(serde_json::to_value(scope).unwrap(), scope.as_str());
            assert_eq!(Scope::named(scope.as_str()), Some(scope));
        }
        assert_eq!(Scope::named("Read"), None);
    }
}
