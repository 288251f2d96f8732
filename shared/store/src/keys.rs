//! Every key of the one table, and so every way it is read.
//!
//! | what is asked | how it is answered |
//! |---|---|
//! | a user by id | `USER#id` / `PROFILE` |
//! | a user by username, by email | `USERNAME#lower`, `EMAIL#folded` / `UNIQUE`, then by id |
//! | has anybody been the first user | `FIRST-ADMIN` / `UNIQUE` |
//! | was a token or its session ended | `REVOKED#id` / `META` |
//! | an API key; a user's API keys | `USER#id` / `APIKEY#id`; prefix `APIKEY#` |
//! | how many keys a user has, and their names | `USER#id` / `APIKEYS` |
//! | when an API key was last used | `APIKEYUSE#id` / `META` |
//! | how often a password was wrong | `LOGIN#source#…` / `WINDOW` |
//! | how often a source registered somebody | `REGISTER#source` / `WINDOW` |
//! | a workspace | `WORKSPACE#id` / `META` |
//! | is a workspace name taken | `USER#owner` / `WNAME#folded` |
//! | a user's workspaces, newest first | GSI1 `USER#owner` / `WORKSPACE#created#id` |
//! | an auth key | `WORKSPACE#id` / `KEY#id` |
//! | a workspace's auth keys, newest first | GSI1 `WORKSPACE#id` / `KEY#created#id` |
//! | a function (with its current version) | `FUNCTION#id` / `META` |
//! | is a function name, an endpoint taken | `WORKSPACE#id` / `FNAME#folded`, `ENDPOINT#path` |
//! | a workspace's functions, newest first | GSI1 `WORKSPACE#id` / `FUNCTION#created#id` |
//! | a user's functions, newest first | GSI2 `USER#owner` / `FUNCTION#created#id` |
//! | a version; a function's versions | `FUNCTION#id` / `VERSION#000001`; prefix `VERSION#` |
//! | a job | `JOB#id` / `META` |
//! | a function's jobs, newest first | GSI1 `FUNCTION#id` / `JOB#created#id` |
//! | … of one status | GSI2 `FUNCTION#id#status` / `JOB#created#id` |
//! | jobs to look at by now (janitor) | `DUE#shard` / up to `time` |
//! | counters, all-time and of a period | `METRICS#scope#id#shard` / `TOTAL`; between `HOUR#from` and `HOUR#to` |
//! | how much of everything a user has | `USER#id` / `QUOTA` |
//! | what a delete left to sweep by now (janitor) | `SWEEP` / up to `time` |
//! | blobs that no record names by now (janitor) | `UPLOAD#shard` / up to `time` |
//! | an open socket; the sockets that listen to a topic | `CONNECTION#id` / `META`; `TOPIC#…` / `id` |
//! | an answer given before | `IDEMPOTENCY#caller` / `key` (kept by `web`) |
//!
//! Partition keys spread: nothing but the janitor's small partitions is shared between tenants. Times in keys have
//! three decimals always, so that they sort.

use domain::job::JobStatus;
use domain::text::name_key;
use domain::{ApiKeyId, FunctionId, JobId, KeyId, Timestamp, UserId, WorkspaceId};
use ports::{ConnectionId, Key, Sort};
use uuid::Uuid;

use crate::connections::Topic;

/// Over how many partitions the counters of one function or workspace, and the janitor's dues, are spread. DynamoDB
/// takes about 1,000 writes a second per partition; a reader asks all of them.
pub const SHARDS: u64 = 4;

/// The sort key of the one record of an entity.
pub const META: &str = "META";
/// The prefix of a workspace's keys.
pub const KEY_PREFIX: &str = "KEY#";
/// The prefix of a workspace's function names.
pub const NAME_PREFIX: &str = "FNAME#";
/// The prefix of a user's workspace names.
pub const WORKSPACE_NAME_PREFIX: &str = "WNAME#";
/// The prefix of a function's versions.
pub const VERSION_PREFIX: &str = "VERSION#";
/// The prefix of functions in an index.
pub const FUNCTION_PREFIX: &str = "FUNCTION#";
/// The prefix of workspaces in an index.
pub const WORKSPACE_PREFIX: &str = "WORKSPACE#";
/// The prefix of jobs in an index.
pub const JOB_PREFIX: &str = "JOB#";
/// The prefix of a user's API keys.
pub const API_KEY_PREFIX: &str = "APIKEY#";
/// The prefix of the partitions of all users.
pub const USER_PREFIX: &str = "USER#";
/// The sort key of all-time counters.
pub const TOTAL: &str = "TOTAL";
/// The partition of what a delete left to sweep.
pub const SWEEP: &str = "SWEEP";

/// A user's record.
pub fn user(id: UserId) -> Key {
    Key::new(user_partition(id), "PROFILE")
}

/// Where a user's workspaces and functions are listed, and the names of the former are taken.
pub fn user_partition(id: UserId) -> String {
    format!("{USER_PREFIX}{id}")
}

/// How much of everything a user has.
pub fn quota(id: UserId) -> Key {
    Key::new(user_partition(id), "QUOTA")
}

/// The claim to a username.
pub fn username(username: &str) -> Key {
    Key::new(format!("USERNAME#{}", username.to_ascii_lowercase()), "UNIQUE")
}

/// The claim to an email address.
pub fn email(email: &str) -> Key {
    Key::new(format!("EMAIL#{}", name_key(email)), "UNIQUE")
}

/// The claim to be the user who registered first, and so an administrator.
pub fn first_admin() -> Key {
    Key::new("FIRST-ADMIN", "UNIQUE")
}

/// The note that the token or the session of this id was ended.
pub fn revoked(id: Uuid) -> Key {
    Key::new(format!("REVOKED#{}", id.simple()), META)
}

/// An API key's record.
pub fn api_key(id: ApiKeyId) -> Key {
    Key::new(user_partition(id.user()), format!("{API_KEY_PREFIX}{id}"))
}

/// An API key's place among its user's.
pub fn api_key_of_user(user: UserId, created: Timestamp, id: ApiKeyId) -> Key {
    Key::new(user_partition(user), format!("{API_KEY_PREFIX}{created}#{id}"))
}

/// What a user's API keys are called and when each expires.
pub fn api_keys(user: UserId) -> Key {
    Key::new(user_partition(user), "APIKEYS")
}

/// When an API key was last used. In a partition of its own, so that a route which only reads may be allowed to write
/// this and nothing else.
pub fn api_key_use(id: ApiKeyId) -> Key {
    Key::new(format!("APIKEYUSE#{id}"), META)
}

/// The count of wrong passwords of a source, for a name or for all.
pub fn login(source: &str, username: Option<&str>) -> Key {
    let name = username.map(str::to_ascii_lowercase).unwrap_or_default();
    Key::new(format!("LOGIN#{source}#{name}"), "WINDOW")
}

/// The count of a source's registrations.
pub fn registrations(source: &str) -> Key {
    Key::new(format!("REGISTER#{source}"), "WINDOW")
}

/// A workspace's record.
pub fn workspace(id: WorkspaceId) -> Key {
    Key::new(workspace_partition(id), META)
}

/// Where a workspace's keys, names and endpoints are, and its functions are listed.
pub fn workspace_partition(id: WorkspaceId) -> String {
    format!("WORKSPACE#{id}")
}

/// The claim to a workspace's name. `name` as [`domain::text::name_key`] makes it.
pub fn workspace_name(owner: UserId, name: &str) -> Key {
    Key::new(user_partition(owner), format!("{WORKSPACE_NAME_PREFIX}{name}"))
}

/// A workspace's place among its owner's.
pub fn workspace_of_user(owner: UserId, created: Timestamp, id: WorkspaceId) -> Key {
    Key::new(user_partition(owner), format!("{WORKSPACE_PREFIX}{created}#{id}"))
}

/// An auth key's record.
pub fn auth_key(workspace: WorkspaceId, id: KeyId) -> Key {
    Key::new(workspace_partition(workspace), format!("{KEY_PREFIX}{id}"))
}

/// An auth key's place among its workspace's.
pub fn auth_key_of_workspace(workspace: WorkspaceId, created: Timestamp, id: KeyId) -> Key {
    Key::new(workspace_partition(workspace), format!("{KEY_PREFIX}{created}#{id}"))
}

/// A function's record.
pub fn function(id: FunctionId) -> Key {
    Key::new(function_partition(id), META)
}

/// Where a function's versions are, and its jobs are listed.
pub fn function_partition(id: FunctionId) -> String {
    format!("FUNCTION#{id}")
}

/// The claim to a function's name. `name` as [`domain::text::name_key`] makes it.
pub fn function_name(workspace: WorkspaceId, name: &str) -> Key {
    Key::new(workspace_partition(workspace), format!("{NAME_PREFIX}{name}"))
}

/// The claim to an endpoint.
pub fn endpoint(workspace: WorkspaceId, endpoint: &str) -> Key {
    Key::new(workspace_partition(workspace), format!("ENDPOINT#{endpoint}"))
}

/// A function's place among its workspace's.
pub fn function_of_workspace(workspace: WorkspaceId, created: Timestamp, id: FunctionId) -> Key {
    Key::new(workspace_partition(workspace), format!("{FUNCTION_PREFIX}{created}#{id}"))
}

/// A function's place among its owner's.
pub fn function_of_user(owner: UserId, created: Timestamp, id: FunctionId) -> Key {
    Key::new(user_partition(owner), format!("{FUNCTION_PREFIX}{created}#{id}"))
}

/// A version's record.
pub fn version(function: FunctionId, version: u32) -> Key {
    Key::new(function_partition(function), format!("{VERSION_PREFIX}{version:06}"))
}

/// A job's record.
pub fn job(id: JobId) -> Key {
    Key::new(format!("JOB#{id}"), META)
}

/// A job's place among its function's.
pub fn job_of_function(function: FunctionId, created: Timestamp, id: JobId) -> Key {
    Key::new(function_partition(function), format!("{JOB_PREFIX}{created}#{id}"))
}

/// Where a function's jobs of one status are listed.
pub fn status_partition(function: FunctionId, status: JobStatus) -> String {
    format!("FUNCTION#{function}#{}", status.as_str())
}

/// A job's place among its function's of one status.
pub fn job_of_status(function: FunctionId, status: JobStatus, created: Timestamp, id: JobId) -> Key {
    Key::new(status_partition(function, status), format!("{JOB_PREFIX}{created}#{id}"))
}

/// The note that a job is to be looked at.
pub fn due(id: JobId, due: Timestamp) -> Key {
    Key::new(due_partition(id.0 % SHARDS), format!("{due}#{id}"))
}

/// A shard of those notes.
pub fn due_partition(shard: u64) -> String {
    format!("DUE#{shard}")
}

/// Whose counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// A function's.
    Function(FunctionId),
    /// A workspace's.
    Workspace(WorkspaceId),
}

/// A shard of counters.
pub fn metrics_partition(scope: Scope, shard: u64) -> String {
    match scope {
        Scope::Function(id) => format!("METRICS#FUNCTION#{id}#{shard}"),
        Scope::Workspace(id) => format!("METRICS#WORKSPACE#{id}#{shard}"),
    }
}

/// All-time counters.
pub fn total(scope: Scope, shard: u64) -> Key {
    Key::new(metrics_partition(scope, shard), TOTAL)
}

/// The sort key of an hour's counters.
pub fn hour(start: Timestamp) -> String {
    format!("HOUR#{start}")
}

/// The note that something deleted is to be swept.
pub fn sweep(due: Timestamp, what: &str) -> Key {
    Key::new(SWEEP, format!("{due}#{what}"))
}

/// The note of blobs that no record names yet.
pub fn upload(id: Uuid, due: Timestamp) -> Key {
    let shard = u64::from(id.as_bytes()[0]) % SHARDS;
    Key::new(upload_partition(shard), format!("{due}#{id}"))
}

/// A shard of those notes.
pub fn upload_partition(shard: u64) -> String {
    format!("UPLOAD#{shard}")
}

/// An open socket's record.
pub fn connection(id: &ConnectionId) -> Key {
    Key::new(format!("CONNECTION#{id}"), META)
}

/// Where the sockets are noted that listen to a topic.
pub fn topic_partition(topic: &Topic) -> String {
    format!("TOPIC#{topic}")
}

/// The note that a socket listens to a topic.
pub fn listener(topic: &Topic, id: &ConnectionId) -> Key {
    Key::new(topic_partition(topic), &id.0)
}

/// Of a partition whose sort keys begin with a time: all up to that time, it included.
pub fn until(time: Timestamp) -> Sort {
    // Every time begins with a digit; `~` comes after the `#` that follows it.
    Sort::Between("0".to_owned(), format!("{time}~"))
}
