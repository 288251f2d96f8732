//! What Function Runner is about: ids, entities, rules, the job state machine, errors.
//!
//! No I/O, no clock, no randomness of its own: everything here is a value or a pure rule, so that both homes
//! (AWS and one machine) and every API document mean the same thing by it.

pub mod access;
pub mod api_key;
pub mod auth_key;
pub mod error;
pub mod fault;
pub mod function;
pub mod id;
pub mod job;
pub mod limits;
pub mod logs;
pub mod metrics;
pub mod session;
pub mod text;
pub mod time;
pub mod user;
pub mod workspace;

pub use access::{Right, Role, Scope};
pub use api_key::ApiKey;
pub use auth_key::AuthKey;
pub use error::{Error, Kind, Result};
pub use fault::{Attribute, Fault, Field, Part, Rule, Step};
pub use function::{ExecutionType, Function, Language, Settings, Status, Version};
pub use id::{ApiKeyId, FunctionId, JobId, KeyId, UserId, WorkspaceId};
pub use job::{Job, JobKind, JobStatus, Payload};
pub use logs::{Level, LogLine, Logs};
pub use session::{SessionId, Token};
pub use time::Timestamp;
pub use user::{Plan, Standing, User};
pub use workspace::Workspace;
