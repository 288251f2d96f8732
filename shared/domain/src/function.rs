//! Functions: what a user saved, its versions, and the settings it runs with.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{FunctionId, Timestamp, UserId, WorkspaceId};

/// The language that a function is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Language {
    /// CPython: 3.13 on AWS, the machine's own `python3` locally.
    Python,
    /// Node.js: 22 on AWS, the machine's own `node` locally.
    Nodejs,
}

impl Language {
    /// The language that a label names: any `Python 3.x`, any `Node.js NN`.
    pub fn of_label(label: &str) -> Option<Self> {
        let is_number =
            |text: &str| (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        match (label.strip_prefix("Python 3."), label.strip_prefix("Node.js ")) {
            (Some(minor), _) if is_number(minor) => Some(Self::Python),
            (_, Some(major)) if is_number(major) => Some(Self::Nodejs),
            _ => None,
        }
    }

    /// What a function's runtime is called whose owner did not call it anything.
    pub fn label(self) -> &'static str {
        match self {
            Self::Python => "Python 3.12",
            Self::Nodejs => "Node.js 20",
        }
    }
}

/// Whether a caller waits for the result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ExecutionType {
    /// Runs now; the answer carries the result.
    #[default]
    Sync,
    /// Queued; the answer carries the job's id.
    Async,
}

/// Whether a function can be invoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Saved; its deployment is under way.
    Pending,
    /// Ready.
    Active,
    /// Its deployment failed; `status_reason` says why.
    Failed,
    /// Switched off by its owner.
    Disabled,
}

/// What a function runs with, apart from its code. In force for every version, from the next run on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// MiB, 128 to 10240.
    pub memory_mb: u32,
    /// Seconds, 1 to 900.
    pub timeout_seconds: u32,
    /// Environment variables. Their values never come back to a caller.
    pub environment: BTreeMap<String, String>,
    /// How often a job is run in all while the user's code fails, 1 to 10.
    pub max_attempts: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { memory_mb: 256, timeout_seconds: 30, environment: BTreeMap::new(), max_attempts: 1 }
    }
}

/// One immutable piece of code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Whose.
    pub function_id: FunctionId,
    /// 1, 2, …
    pub version: u32,
    /// The language.
    pub language: Language,
    /// How the shim gets at it.
    pub module: Module,
    /// Which of its functions is called.
    #[serde(default)]
    pub handler: Handler,
    /// Where the source lies in the blob store; made by the server only.
    pub code_key: String,
    /// SHA-256 of the source, in hex.
    pub code_sha256: String,
    /// Bytes of the source.
    pub code_size: usize,
    /// When it was saved.
    pub created_at: Timestamp,
}

/// How a source file is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Module {
    /// A Python module.
    Python,
    /// A CommonJS script: `exports.handler`, `module.exports = {handler}`, or a top-level `function handler`.
    CommonJs,
    /// An ECMAScript module: `export function handler` and the like.
    Esm,
}

/// Which function of a source is called with the event.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Handler {
    /// What it is called in its module. `default` is what the module exports as a whole.
    pub name: String,
    /// Whether it is declared at the top of an ECMAScript module that does not export it.
    #[serde(default)]
    pub local: bool,
}

impl Handler {
    /// One that the module gives out by this name.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), local: false }
    }
}

impl Default for Handler {
    fn default() -> Self {
        Self::named("handler")
    }
}

/// What is wrong with the code, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct CodeFault {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// For people: what is wrong, and what to do where that isn't plain.
    pub message: String,
}

/// Code that the interpreter has compiled, and that has a handler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// How it is loaded.
    pub module: Module,
    /// What is called.
    pub handler: Handler,
}

/// A function. Holds its current version, so that one read is enough to invoke it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Function {
    /// Random, unique.
    pub id: FunctionId,
    /// The workspace it is in.
    pub workspace_id: WorkspaceId,
    /// Whose that is.
    pub owner_id: UserId,
    /// As [`text::name`](crate::text::name) makes it.
    pub name: String,
    /// What it is unique by in its workspace, as [`text::name_key`](crate::text::name_key) makes it. `None` in records from
    /// when that was the name's lower case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_key: Option<String>,
    /// The description; may be empty.
    pub description: String,
    /// Whether callers wait.
    pub execution_type: ExecutionType,
    /// The path of its HTTP trigger below `/run/{workspace_id}`, unique in its workspace.
    pub endpoint: String,
    /// Whether its HTTP trigger answers without a key.
    pub public: bool,
    /// The HTTP methods that its trigger answers to; `None` for all.
    pub http_methods: Option<Vec<String>>,
    /// What its owner called its runtime, such as `Python 3.12`, if they did; see [`Function::runtime_label`].
    #[serde(default)]
    pub runtime_label: Option<String>,
    /// Whether it can be invoked.
    pub status: Status,
    /// Why it can't, if it can't.
    pub status_reason: Option<String>,
    /// What it runs with.
    pub settings: Settings,
    /// The version that an invocation runs.
    pub current: Version,
    /// The highest version there is; after a rollback more than `current.version`.
    pub latest_version: u32,
    /// The lowest version that is kept; those before it are gone, or go once no job needs them.
    #[serde(default = "first_version")]
    pub oldest_version: u32,
    /// Counts every change of this record, so that two at once can't overwrite each other.
    pub revision: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// When it was last made ready to run.
    pub deployed_at: Option<Timestamp>,
}

fn first_version() -> u32 {
    1
}

/// Every method that a trigger can be asked by.
pub const HTTP_METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

impl Function {
    /// What its runtime is called: as its owner did, while that still names its language.
    pub fn runtime_label(&self) -> &str {
        let language = self.current.language;
        let own = self.runtime_label.as_deref().filter(|label| Language::of_label(label) == Some(language));
        own.unwrap_or_else(|| language.label())
    }

    /// Whether its trigger answers to this method. Who answers GET answers HEAD.
    pub fn answers_to(&self, method: &str) -> bool {
        let method = if method == "HEAD" { "GET" } else { method };
        self.http_methods.as_ref().is_none_or(|methods| methods.iter().any(|allowed| allowed == method))
    }
}

/// The endpoint made from a name, where the caller gave none: `Hello World_2` becomes `/hello-world-2`. `None` where
/// nothing of the name can stand in one (a name of Hangul only, say).
pub fn endpoint_from_name(name: &str) -> Option<String> {
    let mut endpoint = String::from("/");
    for c in name.chars() {
        if c.is_ascii_alphanumeric() {
            endpoint.push(c.to_ascii_lowercase());
        } else if !endpoint.ends_with(['-', '/']) {
            endpoint.push('-');
        }
    }
    endpoint.truncate(100);
    let trimmed = endpoint.trim_end_matches('-');
    (trimmed.len() > 1).then(|| trimmed.to_owned())
}

/// Names that Lambda keeps for itself. Source: AWS Lambda developer guide, "Defined runtime environment variables".
pub const RESERVED_ENVIRONMENT: &[&str] = &[
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_LAMBDA_RUNTIME_API",
    "LAMBDA_TASK_ROOT",
    "LAMBDA_RUNTIME_DIR",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_name_languages() {
        for (label, language) in [
            ("Python 3.12", Some(Language::Python)),
            ("Python 3.9", Some(Language::Python)),
            ("Node.js 20", Some(Language::Nodejs)),
            ("Node.js 8", Some(Language::Nodejs)),
            ("Python 2.7", None),
            ("Python 3.", None),
            ("python 3.12", None),
            ("Node.js", None),
            ("Node.js 20.1", None),
            ("Ruby 3.2", None),
        ] {
            assert_eq!(Language::of_label(label), language, "{label}");
        }
    }

    #[test]
    fn names_make_endpoints() {
        assert_eq!(endpoint_from_name("Hello World_2").as_deref(), Some("/hello-world-2"));
        assert_eq!(endpoint_from_name("--a--").as_deref(), Some("/a"));
        assert_eq!(endpoint_from_name("함수"), None);
    }
}
