//! Identifiers. Integers (users, jobs) are random and at most 2^53 - 1, so that every JSON reader keeps them exactly
//! and no counter is hot; the others are version 4 UUIDs.

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

        impl $name {
            /// Makes a version 4 UUID of 16 random bytes.
            pub fn from_random(bytes: [u8; 16]) -> Self {
                Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
            }
        }

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

integer_id! {
    /// A person who registered.
    UserId
}
integer_id! {
    /// One invocation, SYNC or ASYNC.
    JobId
}
uuid_id! {
    /// A workspace: the tenant's container of functions and keys.
    WorkspaceId
}
uuid_id! {
    /// A function, whatever its version.
    FunctionId
}
uuid_id! {
    /// A workspace's auth key (the record of it, not its secret).
    KeyId
}
