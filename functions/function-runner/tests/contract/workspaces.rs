//! `/workspaces`

use serde_json::json;
use testkit::{ECHO_PY, Server, unique};

use crate::NOBODY;

#[tokio::test]
async fn is_made_shown_changed_and_deleted() {
    let user = Server::shared().user().await;
    let me = user.get("/users/me").await.expect(200);
    let made = user.post("/workspaces/", &json!({"name": "  Blog  ", "owner_id": 1})).await.expect(200);
    assert_eq!(
        (&made["name"], &made["description"], &made["owner_id"]),
        (&json!("Blog"), &json!(null), &me["id"])
    );
    let path = format!("/workspaces/{}", made["id"].as_str().unwrap());
    assert_eq!(user.get(&path).await.expect(200), made);
    assert_eq!(user.get(&format!("{path}/")).await.expect(200), made);

    let changed = user.put(&path, &json!({"description": "All about it", "name": null})).await.expect(200);
    assert_eq!((&changed["name"], &changed["description"]), (&json!("Blog"), &json!("All about it")));
    let renamed = user.put(&path, &json!({"name": "BLOG"})).await.expect(200);
    assert_eq!(renamed["name"], "BLOG");

    assert_eq!(user.delete(&path).await.expect(200), json!({"success": true}));
    assert_eq!(user.get(&path).await.expect(404)["detail"], "Workspace not found");
    user.delete(&path).await.expect(404);
    // Its name is free again.
    user.post("/workspaces/", &json!({"name": "blog"})).await.expect(200);
}

#[tokio::test]
async fn names_are_unique_per_owner_whatever_their_case() {
    let (user, other) = (Server::shared().user().await, Server::shared().user().await);
    user.post("/workspaces/", &json!({"name": "Straße"})).await.expect(200);
    let taken = user.post("/workspaces/", &json!({"name": " STRAßE "})).await.expect(409);
    assert_eq!(taken["code"], "WORKSPACE_NAME_TAKEN");
    other.post("/workspaces/", &json!({"name": "Straße"})).await.expect(200);
    let second = user.post("/workspaces/", &json!({"name": "second"})).await.expect(200);
    let path = format!("/workspaces/{}", second["id"].as_str().unwrap());
    for same in ["strasse", "straße", "STRASSE"] {
        user.put(&path, &json!({"name": same})).await.expect(409);
    }
    // However its accents are written, it is kept in one form.
    let third = user.post("/workspaces/", &json!({"name": "Cafe\u{301}"})).await.expect(200);
    assert_eq!(third["name"], "Caf\u{e9}");
    user.post("/workspaces/", &json!({"name": "CAF\u{c9}"})).await.expect(409);
    // Its own name in another case is no conflict, and the old one is free after a change.
    let path = format!("/workspaces/{}", third["id"].as_str().unwrap());
    user.put(&path, &json!({"name": "CAF\u{c9}"})).await.expect(200);
    user.put(&path, &json!({"name": "Tea"})).await.expect(200);
    user.post("/workspaces/", &json!({"name": "caf\u{e9}"})).await.expect(200);
}

#[tokio::test]
async fn bad_names_and_ids_are_refused() {
    let user = Server::shared().user().await;
    let fault = |loc: &str, kind: &str| vec![(loc.to_owned(), kind.to_owned())];
    for (body, kind) in [
        (json!({}), "missing"),
        (json!({"name": null}), "string_type"),
        (json!({"name": ["a"]}), "string_type"),
        (json!({"name": " \t "}), "string_too_short"),
        (json!({"name": "n".repeat(101)}), "string_too_long"),
        (json!({"name": "a\u{0}b"}), "value_error"),
        (json!({"name": "a\u{202e}b"}), "value_error"),
        (json!({"name": "a\u{200b}b"}), "value_error"),
        (json!({"name": "\u{3164}"}), "value_error"),
    ] {
        assert_eq!(user.post("/workspaces/", &body).await.faults(), fault("body.name", kind), "{body}");
    }
    user.post("/workspaces/", &json!({"name": format!("  {}  ", "n".repeat(100))})).await.expect(200);
    assert_eq!(user.get("/workspaces/1").await.faults(), fault("path.workspace_id", "uuid_parsing"));
    assert_eq!(user.delete("/workspaces/x").await.faults(), fault("path.workspace_id", "uuid_parsing"));
    let both = user.put("/workspaces/x", &json!({"name": ""})).await.faults();
    assert_eq!(both.len(), 2, "{both:?}");
    user.get(&format!("/workspaces/{NOBODY}")).await.expect(404);
}

#[tokio::test]
async fn a_deleted_workspace_takes_all_in_it_along() {
    let user = Server::shared().user().await;
    let workspace = user.workspace().await;
    let function = user
        .function_with(
            &workspace,
            json!({"runtime": "PYTHON", "code": ECHO_PY, "endpoint": "/gone", "public": true}),
        )
        .await;
    let key = user.key(&workspace).await;
    let job = user.invoke(&function, &json!(1)).await["job_id"].clone();
    let trigger = format!("/run/{workspace}/gone");
    user.without_token().get(&trigger).await.expect(200);

    user.delete(&format!("/workspaces/{workspace}")).await.expect(200);
    for path in [
        format!("/workspaces/{workspace}/functions"),
        format!("/workspaces/{workspace}/metrics"),
        format!("/workspaces/{workspace}/auth-keys"),
        format!("/functions/{function}"),
        format!("/functions/{function}/jobs"),
        format!("/jobs/{job}"),
        trigger,
    ] {
        user.get(&path).await.expect(404);
    }
    user.post(&format!("/functions/{function}/invoke"), &json!(1)).await.expect(404);
    let by_key =
        user.with_token(&key).post(&format!("/functions/{function}/invoke/workspace"), &json!(1)).await;
    assert!(matches!(by_key.status, 401 | 404), "{}", by_key.status);
    let left = user.get("/functions/").await.expect(200);
    assert_eq!(left["functions"], json!([]));
    let new = json!({"name": unique("f"), "workspace_id": workspace, "runtime": "PYTHON", "code": ECHO_PY});
    user.post("/functions/", &new).await.expect(404);
}
