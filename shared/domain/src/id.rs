//! Identifiers. Integers (users, jobs) are random and at most 2^53 - 1, so that every JSON reader keeps them exactly
//! and no counter is hot; the others are UUIDs.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The largest integer that JavaScript (and so many a JSON reader) holds exactly: `Number.MAX_SAFE_INTEGER`.
pub const MAX_INTEGER_ID: u64 = (1 << 53) - 1;

macro_rules! integer_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// Makes an id in `1..=MAX_INTEGER_ID` of 64 random bits.
            pub fn from_random(bits: u64) -> Self {
                Self((bits & MAX_INTEGER_ID).max(1))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    };
}

macro_rules! random_uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        uuid_id! { $(#[$doc])* $name }

        impl $name {
            /// Makes a version 4 UUID of 16 random bytes.
            pub fn from_random(bytes: [u8; 16]) -> Self {
                Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
            }
        }
    };
}

integer_id! {
    /// A person who registered.
    UserId
}
integer_id! {
    /// One invocation, SYNC or ASYNC.
    JobId
}
random_uuid_id! {
    /// A workspace: the tenant's container of functions and keys.
    WorkspaceId
}
random_uuid_id! {
    /// A function, whatever its version.
    FunctionId
}
random_uuid_id! {
    /// A workspace's auth key (the record of it, not its secret).
    KeyId
}
uuid_id! {
    /// A user's API key (the record of it, not its secret): a UUID of version 8 that holds the user's id.
    ApiKeyId
}

impl ApiKeyId {
    /// Makes an id for a key of this user. 69 of the random bits are used; those come first, so that a user's ids differ
    /// where people look.
    pub fn of_user(user: UserId, random: [u8; 16]) -> Self {
        let bits =
            (u128::from_be_bytes(random) & !u128::from(MAX_INTEGER_ID)) | u128::from(user.0 & MAX_INTEGER_ID);
        Self(uuid::Builder::from_custom_bytes(bits.to_be_bytes()).into_uuid())
    }

    /// Whose key it is. The id says so and nobody has checked it: the record does.
    pub fn user(self) -> UserId {
        UserId(self.0.as_u64_pair().1 & MAX_INTEGER_ID)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keys_id_says_whose_it_is() {
        for user in [UserId(1), UserId(MAX_INTEGER_ID), UserId(4_503_599_627_370_497)] {
            for random in [[0; 16], [0xff; 16], [0xa5; 16]] {
                let id = ApiKeyId::of_user(user, random);
                assert_eq!(id.user(), user);
                assert_eq!((id.0.get_version_num(), id.0.get_variant()), (8, uuid::Variant::RFC4122));
            }
        }
        assert_ne!(ApiKeyId::of_user(UserId(1), [1; 16]), ApiKeyId::of_user(UserId(1), [2; 16]));
    }
}
