//! What can go wrong, free of any transport. An API document's crate turns a [`Kind`] into its own status and words,
//! in one place; `source` is for the log only and never leaves the platform.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use crate::Fault;

/// What sort of thing went wrong.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// The input breaks a rule; every fault of it.
    Invalid(Vec<Fault>),
    /// The request makes no sense as a whole (a cursor of another list, a taken username).
    BadRequest,
    /// No caller, or not one we know.
    Unauthenticated,
    /// A caller whom we know, and who lacks the right, whatever it is that they ask for.
    Forbidden,
    /// Not there, or not the caller's: the two are never told apart.
    NotFound,
    /// At odds with what is stored.
    Conflict,
    /// The method is not one that this resource answers to; the ones it does.
    MethodNotAllowed(Vec<String>),
    /// More bytes than are taken.
    TooLarge,
    /// Well-formed, but refused for what it says (an idempotency key used for another body).
    Unprocessable,
    /// Too much at once; when to come back.
    TooMany {
        /// How long the caller should wait.
        retry_after: Duration,
    },
    /// A part of the platform that this needs is away; trying again is right.
    Unavailable,
    /// A defect or an outage of ours. Says nothing to the caller.
    Internal,
}

/// An error of the platform: what the caller may know, and what only the log may.
#[derive(Debug)]
pub struct Error {
    /// What sort.
    pub kind: Kind,
    /// A stable word for programs, `SCREAMING_SNAKE_CASE`, such as `FUNCTION_NOT_FOUND`.
    pub code: &'static str,
    /// What the caller reads.
    pub message: String,
    /// What only the log reads.
    pub source: Option<Box<dyn StdError + Send + Sync>>,
}

/// Shorthand for what fails with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The code of [`key_in_use`](Self::key_in_use).
    pub const KEY_IN_USE: &str = "IDEMPOTENCY_KEY_IN_USE";

    /// An error without a source.
    pub fn new(kind: Kind, code: &'static str, message: impl Into<String>) -> Self {
        Self { kind, code, message: message.into(), source: None }
    }

    /// The input breaks rules: all the faults found.
    pub fn invalid(faults: Vec<Fault>) -> Self {
        Self::new(Kind::Invalid(faults), "VALIDATION_ERROR", "The request is not valid")
    }

    /// `what` (as in "Function") is not there, or not the caller's.
    pub fn not_found(what: &'static str, code: &'static str) -> Self {
        Self::new(Kind::NotFound, code, format!("{what} not found"))
    }

    /// At odds with what is stored.
    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Kind::Conflict, code, message)
    }

    /// Another try of the same request, as its `Idempotency-Key` says, is not over.
    pub fn key_in_use() -> Self {
        Self::conflict(Self::KEY_IN_USE, "A request with this Idempotency-Key is still running")
    }

    /// No caller that we know.
    pub fn unauthenticated(message: impl Into<String>) -> Self {
        Self::new(Kind::Unauthenticated, "UNAUTHENTICATED", message)
    }

    /// A caller whom we know, and who lacks the right. `message` says which, and who has it.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(Kind::Forbidden, "FORBIDDEN", message)
    }

    /// Too much at once.
    pub fn too_many(retry_after: Duration, message: impl Into<String>) -> Self {
        Self::new(Kind::TooMany { retry_after }, "TOO_MANY_REQUESTS", message)
    }

    /// A part is away. `source` goes to the log.
    pub fn unavailable(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self {
            source: Some(source.into()),
            ..Self::new(
                Kind::Unavailable,
                "UNAVAILABLE",
                "The service is overloaded or partly unavailable. Try again in a moment",
            )
        }
    }

    /// A defect or outage of ours. `source` goes to the log.
    pub fn internal(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self {
            source: Some(source.into()),
            ..Self::new(Kind::Internal, "INTERNAL_ERROR", "Something went wrong on the server")
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)?;
        match &self.source {
            Some(source) => write!(f, " ({source})"),
            None => Ok(()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
