//! What stands in paths and bodies: one of everything.

use serde_json::json;
use testkit::{Client, ECHO_PY};

/// An id that nothing has.
const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

/// The ids of one of everything.
pub(crate) struct Ids {
    pub(crate) workspace: String,
    pub(crate) function: String,
    key: String,
    job: String,
}

impl Ids {
    /// Of what this user then has.
    pub(crate) async fn of(user: &Client) -> Self {
        let workspace = user.workspace().await;
        let fields = json!({"runtime": "PYTHON", "code": ECHO_PY, "endpoint": "/secret-hook"});
        let function = user.function_with(&workspace, fields).await;
        let key = user.post(&format!("/workspaces/{workspace}/auth-keys"), &json!({})).await.expect(200);
        let job = user.invoke(&function, &json!({})).await["job_id"].to_string();
        Self { workspace, function, key: key["id"].as_str().unwrap().to_owned(), job }
    }

    /// The same text for all.
    pub(crate) fn all(id: &str) -> Self {
        Self { workspace: id.into(), function: id.into(), key: id.into(), job: id.into() }
    }

    pub(crate) fn of_nothing() -> Self {
        let job = "4503599627370496".to_owned();
        Self { workspace: NOBODY.into(), function: NOBODY.into(), key: NOBODY.into(), job }
    }

    /// What stands for a path's parameter, by the segment before it. A new kind of thing is made in [`Ids::of`].
    pub(crate) fn of_parameter(&self, collection: &str, parameter: &str) -> &str {
        match collection {
            "workspaces" | "run" => &self.workspace,
            "functions" => &self.function,
            "auth-keys" => &self.key,
            "jobs" => &self.job,
            _ if parameter == "{endpoint}" => "secret-hook",
            _ => panic!("say in every_route/ids.rs what stands for {parameter} after /{collection}/"),
        }
    }

    /// The id of this user's that a body's field is to have.
    pub(crate) fn of_field(&self, name: &str) -> Option<&str> {
        match name {
            "workspace_id" => Some(&self.workspace),
            "function_id" => Some(&self.function),
            _ => None,
        }
    }
}
