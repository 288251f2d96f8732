//! Every number that a caller can run into. Source: `decisions.md`, unless said otherwise.

use std::time::Duration;

/// A request's body, in bytes: what a Lambda invocation takes.
pub const REQUEST_BODY: usize = 6 * 1024 * 1024;
/// A handler's result, in bytes of JSON.
pub const OUTPUT: usize = 6 * 1024 * 1024;
/// A function's source, in bytes of UTF-8.
pub const CODE: usize = 1024 * 1024;
/// A name of a workspace, function or person, in characters after trimming.
pub const NAME: usize = 100;
/// A description, in characters.
pub const DESCRIPTION: usize = 1000;
/// How deep JSON may nest.
pub const JSON_DEPTH: usize = 128;
/// What a job keeps of what its code printed, in bytes.
pub const LOGS: usize = 256 * 1024;
/// What a job keeps of an error's text, in bytes.
pub const ERROR: usize = 64 * 1024;
/// All keys and values of a function's environment together, in bytes (Lambda's own limit).
pub const ENVIRONMENT: usize = 4 * 1024;
/// Payloads larger than this, in bytes, live in the blob store and not in the table (DynamoDB items end at 400 KB).
pub const INLINE_PAYLOAD: usize = 64 * 1024;
/// A page of jobs or versions, when the caller doesn't say.
pub const PAGE: usize = 50;
/// A page of any other list, when the caller doesn't say: all there is, up to this.
pub const WHOLE_LIST: usize = 1000;
/// What a page holds at most of texts, in bytes, whatever its `limit`: an answer through Lambda ends at 6 MB.
pub const PAGE_BYTES: usize = 4 * 1024 * 1024;
/// How long a SYNC caller is kept waiting before 202: just under the gateway's 30 s.
pub const GATEWAY_WAIT: Duration = Duration::from_secs(29);
/// How long an access token lives.
pub const ACCESS_TOKEN: Duration = Duration::from_secs(2 * 3600);
/// How long a refresh token lives, and so a session.
pub const REFRESH_TOKEN: Duration = Duration::from_secs(30 * 24 * 3600);
/// An email address, in characters after trimming.
pub const EMAIL: usize = 254;
/// A user's API keys that work.
pub const API_KEYS_PER_USER: usize = 20;
/// How long an answer is kept for its `Idempotency-Key`.
pub const IDEMPOTENCY: Duration = Duration::from_secs(24 * 3600);
/// How often the platform tries a job again for faults that are its own (house.md, promises).
pub const PLATFORM_ATTEMPTS: u32 = 5;
/// How often a job's process may be lost under it before the platform takes the job for the cause.
pub const LOSSES: u32 = 100;
/// Workspaces of one user, where the operator doesn't say otherwise.
pub const WORKSPACES_PER_USER: u32 = 100;
/// Functions of one user, where the operator doesn't say otherwise.
pub const FUNCTIONS_PER_USER: u32 = 1000;
/// Kept versions of one function, where the operator doesn't say otherwise.
pub const VERSIONS_PER_FUNCTION: u32 = 1000;
/// Wrong passwords for one username from one source, per window, before 429.
pub const WRONG_PASSWORDS_PER_NAME: u64 = 10;
/// Wrong passwords from one source, per window, before 429.
pub const WRONG_PASSWORDS_PER_SOURCE: u64 = 300;
/// Registrations from one source, per window, before 429, unless the operator set another number.
pub const REGISTRATIONS_PER_SOURCE: u64 = 300;
/// The window of the three limits above.
pub const COUNTING_WINDOW: Duration = Duration::from_secs(300);
