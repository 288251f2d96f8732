//! The FaaS Backend API as a caller sees it. One module per subject; what holds of every route of every API is in
//! the catalogue's `every_route`.

#![allow(clippy::unwrap_used, reason = "a test that can't go on says where")]

mod both_apis;
mod errors;
mod functions;
mod lists;
mod logs;
mod urls;
mod workspaces;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use testkit::{Client, Server, unique};

const ECHO_JS: &str = "exports.handler = async (event) => { console.log('hello'); return event; };\n";
const ECHO_PY: &str = "def handler(event):\n    return event\n";

fn base64(source: &str) -> String {
    BASE64_STANDARD.encode(source)
}

/// A workspace of a new name; its path.
async fn workspace(user: &Client) -> String {
    let made = user.post("/api/workspaces", &json!({"name": unique("ws ")})).await.expect(201);
    format!("/api/workspaces/{}", made["id"].as_str().unwrap())
}

/// A function in a workspace with these fields beside a new name; as it is shown.
async fn made(user: &Client, workspace: &str, source: &str, fields: Value) -> Value {
    let mut new = json!({"name": unique("fn-"), "runtime": "Node.js 20", "code": base64(source)});
    new.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let made = user.post(&format!("{workspace}/functions"), &new).await.expect(201);
    assert_eq!(made["status"], "active", "{made}");
    made
}

/// A function's path.
fn path(function: &Value) -> String {
    let id = |name: &str| function[name].as_str().unwrap().to_owned();
    format!("/api/workspaces/{}/functions/{}", id("workspaceId"), id("id"))
}

/// The path of a function's URL, which begins where callers reach the platform.
fn url(function: &Value) -> String {
    let url = function["invocationUrl"].as_str().unwrap();
    url.strip_prefix(Server::shared().url()).unwrap_or_else(|| panic!("{url} is elsewhere")).to_owned()
}
