//! A data directory that an earlier version made opens and keeps everything.
//!
//! `data/0.1.0-before-backup.tar.gz` was made by the build before this program linked another SQLite, let its file shrink
//! and had backups: by a server that was killed while six jobs of the queue waited or ran. `ids.json` in it names what it
//! holds.

#![allow(clippy::unwrap_used, reason = "a test that can't go on says where")]

use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Client, Server, poll};

fn unpacked(into: &Path) -> Value {
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/0.1.0-before-backup.tar.gz");
    let status = Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(into).status().unwrap();
    assert!(status.success(), "tar: {status}");
    serde_json::from_slice(&std::fs::read(into.join("ids.json")).unwrap()).unwrap()
}

async fn login(anyone: &Client, username: &str, password: &str) -> Client {
    let login = json!({"username": username, "password": password});
    let token = anyone.post("/users/login", &login).await.expect(200);
    anyone.with_token(token["access_token"].as_str().unwrap())
}

/// Which secret signed a token.
fn signed_by(token: &str) -> Value {
    let head = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    serde_json::from_slice::<Value>(&head).unwrap()["kid"].clone()
}

/// What there is, as it was acknowledged.
async fn assert_all_is_there(server: &Server, ids: &Value) {
    let id = |name: &str| ids[name].as_str().unwrap().to_owned();
    let user = login(&server.anyone(), "ada", "correct horse").await;
    assert_eq!(signed_by(user.token().unwrap()), signed_by(&id("token")), "the secret is the same");
    let other = login(&server.anyone(), "Grace.H", "another password").await;
    assert_eq!(other.get("/users/me").await.expect(200)["name"], "Grace Hopper");
    assert_eq!(other.get(&format!("/workspaces/{}", id("workspace"))).await.status, 404, "it is ada's");

    let listed = user.get("/workspaces/").await.expect(200);
    let mut names: Vec<_> =
        listed["workspaces"].as_array().unwrap().iter().map(|each| &each["name"]).collect();
    names.sort_by_key(|name| name.to_string());
    assert_eq!(names, [&json!("Blog"), &json!("Straße")]);
    assert_eq!(
        user.get(&format!("/workspaces/{}", id("workspace"))).await.expect(200)["description"],
        "kept"
    );
    assert_eq!(user.get(&format!("/workspaces/{}", id("deleted_workspace"))).await.status, 404);
    assert_eq!(user.get(&format!("/functions/{}", id("deleted_function"))).await.status, 404);

    let python = user.get(&format!("/functions/{}", id("python"))).await.expect(200);
    assert_eq!((&python["name"], &python["version"]), (&json!("greet"), &json!(2)));
    assert!(python["code"].as_str().unwrap().contains("version two"), "{python}");
    let versions = user.get(&format!("/functions/{}/versions", id("python"))).await.expect(200);
    let codes: Vec<_> =
        versions["versions"].as_array().unwrap().iter().map(|version| version["code"].to_string()).collect();
    assert!(
        codes.len() == 2 && codes[0].contains("version two") && codes[1].contains("greeting"),
        "{codes:?}"
    );
    let disabled = user.get(&format!("/functions/{}", id("disabled_node_esm"))).await.expect(200);
    assert_eq!(disabled["status"], "disabled");
    let site =
        format!("/api/workspaces/{}/functions/{}", id("site_workspace"), ids["site"]["id"].as_str().unwrap());
    assert_eq!(user.get(&site).await.expect(200)["code"], ids["site"]["code"]);

    let jobs = user.get(&format!("/functions/{}/jobs", id("python"))).await.expect(200);
    let with_input = |name: &str| {
        let all = jobs["jobs"].as_array().unwrap();
        all.iter().find(|job| job["input"]["name"] == name).unwrap_or_else(|| panic!("{name}: {jobs}"))
    };
    for name in ["A", "B", "C", "once"] {
        let job = with_input(name);
        assert_eq!(job["output"], json!({"hi": name, "secret": "kept value"}), "{job}");
        assert_eq!((&job["logs"], &job["status"]), (&json!("version two\n"), &json!("success")), "{job}");
    }
    assert_eq!(with_input("once")["id"], ids["idempotent_answer"]["job_id"]);
    // Texts that are blobs, not rows.
    let large = jobs["jobs"].as_array().unwrap().iter().find(|job| job["omitted"].is_array()).unwrap();
    let large = user.get(&format!("/jobs/{}", large["id"])).await.expect(200);
    assert_eq!(large["input"]["name"].as_str().unwrap().len(), 70_000);
    assert_eq!(large["output"]["hi"], large["input"]["name"]);
    let outputs = user.get(&format!("/functions/{}/jobs", id("big_output"))).await.expect(200);
    let output = user.get(&format!("/jobs/{}", outputs["jobs"][0]["id"])).await.expect(200);
    assert_eq!(output["output"].as_str().unwrap(), "x".repeat(100_000));
    let failed = user.get(&format!("/functions/{}/jobs", id("disabled_node_esm"))).await.expect(200);
    assert!(failed["jobs"][0]["error"].as_str().unwrap().contains("kept error"), "{failed}");
    let figures = user.get(&format!("/functions/{}/metrics", id("python"))).await.expect(200);
    assert_eq!(
        (&figures["total_executions"], &figures["success_count"]),
        (&json!(5), &json!(5)),
        "{figures}"
    );
    let finished = user.get(&format!("/jobs/{}", ids["finished_async_job"])).await.expect(200);
    assert_eq!((&finished["output"], &finished["logs"]), (&json!(42), &json!("n 21\n")), "{finished}");

    // What was queued runs, and is counted.
    for (job, n) in ids["queued"].as_array().unwrap().iter().zip(1..) {
        let job = user.finished(job).await;
        assert_eq!((&job["status"], &job["output"]), (&json!("success"), &json!(2 * n)), "{job}");
        assert_eq!(job["logs"], json!(format!("n {n}\n")));
    }
    let figures = user.get(&format!("/functions/{}/metrics", id("node_async"))).await.expect(200);
    assert_eq!(figures["total_executions"], 7, "{figures}");
}

/// All of it still works.
async fn use_it(server: &Server, ids: &Value) {
    let id = |name: &str| ids[name].as_str().unwrap().to_owned();
    let user = login(&server.anyone(), "ada", "correct horse").await;
    let hidden = user.invoke(&id("big_output"), &json!({})).await;
    assert_eq!(hidden["output"].as_str().unwrap().len(), 100_000);
    let path = format!("/workspaces/{}/auth-keys", id("workspace"));
    let keys = user.get(&path).await.expect(200);
    // It was issued for a year.
    if let Some(key) = keys["auth_keys"].get(0) {
        assert_eq!(key["expires_at"], "2027-11-26T01:29:15.343Z");
        let invoke = format!("/functions/{}/invoke/workspace", id("python"));
        let ran = server.anyone().with_token(&id("workspace_key")).post(&invoke, &json!({"name": "K"})).await;
        assert_eq!(ran.expect(200)["output"]["hi"], "K");
    }
    let url = ids["site"]["invocationUrl"].as_str().unwrap();
    let request = server.anyone().request(Method::POST, &url[url.find("/run/").unwrap()..]).body("body one");
    let answer = server.anyone().send(request).await;
    assert_eq!((answer.status, &answer.body[..]), (201, &b"body one"[..]));
    let old =
        format!("/api/workspaces/{}/functions/{}", id("site_workspace"), ids["site"]["id"].as_str().unwrap());
    let code = BASE64_STANDARD.encode("exports.handler = async () => 'new';");
    user.patch(&old, &json!({"code": code})).await.expect(200);
    user.delete(&format!("/functions/{}", id("big_output"))).await.expect(200);
}

#[tokio::test]
async fn a_data_directory_of_an_earlier_version_keeps_everything() {
    let directory = tempfile::tempdir().unwrap();
    let ids = unpacked(directory.path());
    let data = directory.path().join("data");
    let secret = std::fs::read(data.join("secret")).unwrap();
    let mut server = Server::start_on(&data, &[]);
    assert_all_is_there(&server, &ids).await;
    // And so it does when it is opened again as this version left it.
    for kill in [true, false] {
        if kill {
            server.kill();
        } else {
            server.stop();
        }
        server.begin();
        assert_all_is_there(&server, &ids).await;
    }
    use_it(&server, &ids).await;
    assert_eq!(std::fs::read(data.join("secret")).unwrap(), secret);
    poll("its file can shrink", async || {
        let open = rusqlite::Connection::open(data.join("function-runner.db")).unwrap();
        let mode = open.pragma_query_value(None, "auto_vacuum", |row| row.get::<_, i64>(0)).unwrap();
        (mode == 2).then_some(())
    })
    .await;
}
