//! `/functions`: saving and showing.

use serde_json::{Value, json};
use testkit::{ECHO_JS, ECHO_PY, Server, unique};

use crate::NOBODY;

#[tokio::test]
async fn is_made_with_defaults_and_shown() {
    let user = Server::shared().user().await;
    let workspace = user.workspace().await;
    let new = json!({
        "name": " Hello World ", "runtime": "PYTHON", "code": ECHO_PY, "workspace_id": workspace,
        "status": "failed", "version": 9, "id": NOBODY
    });
    let made = user.post("/functions/", &new).await.expect(200);
    let mut fields = made.clone();
    let (id, created) = (fields["id"].take(), fields["created_at"].take());
    fields["updated_at"].take();
    assert_ne!(id, json!(NOBODY));
    assert!(created.as_str().unwrap().ends_with('Z'));
    assert_eq!(
        fields,
        json!({
            "id": null, "name": "Hello World", "runtime": "PYTHON", "code": ECHO_PY, "execution_type": "SYNC",
            "workspace_id": workspace, "endpoint": "/hello-world", "status": "active", "status_reason": null,
            "version": 1, "memory_mb": 256, "timeout_seconds": 30, "environment": {}, "public": false,
            "max_attempts": 1, "created_at": null, "updated_at": null
        })
    );
    let shown = user.get(&format!("/functions/{}", id.as_str().unwrap())).await.expect(200);
    assert_eq!((&shown["id"], &shown["code"]), (&made["id"], &made["code"]));
}

#[tokio::test]
async fn lists_leave_code_out() {
    let user = Server::shared().user().await;
    let workspace = user.workspace().await;
    let function = user.function_with(&workspace, json!({"runtime": "NODEJS", "code": ECHO_JS})).await;
    for path in ["/functions/", &format!("/workspaces/{workspace}/functions")] {
        let listed = user.get(path).await.expect(200);
        let functions = listed["functions"].as_array().unwrap();
        assert_eq!(functions.len(), 1);
        assert_eq!(functions[0]["id"], json!(function));
        assert!(functions[0].get("code").is_none());
    }
}

#[tokio::test]
async fn every_field_can_be_set_and_changed_and_environment_never_comes_back() {
    let user = Server::shared().user().await;
    let workspace = user.workspace().await;
    let function = user
        .function_with(
            &workspace,
            json!({
                "runtime": "PYTHON", "code": ECHO_PY, "endpoint": "/a/b-1", "public": true, "memory_mb": 128,
                "timeout_seconds": 5, "environment": {"SECRET": "hunter2"}, "max_attempts": 3
            }),
        )
        .await;
    let path = format!("/functions/{function}");
    let shown = user.get(&path).await;
    assert!(!String::from_utf8_lossy(&shown.body).contains("hunter2"));
    let shown = shown.expect(200);
    assert_eq!(shown["environment"], json!({"SECRET": "***"}));
    assert_eq!(
        (&shown["endpoint"], &shown["public"], &shown["memory_mb"]),
        (&json!("/a/b-1"), &json!(true), &json!(128))
    );

    // Nothing but nulls changes nothing.
    let same = user.put(&path, &json!({"name": null, "code": null, "environment": null})).await.expect(200);
    assert_eq!(same, shown);
    let changed = user
        .put(
            &path,
            &json!({"name": "other", "execution_type": "ASYNC", "endpoint": "/c", "public": false, "memory_mb": 512,
                    "timeout_seconds": 900, "environment": {"A": "1", "B": "2"}, "max_attempts": 1}),
        )
        .await
        .expect(200);
    for (field, value) in [
        ("name", json!("other")),
        ("execution_type", json!("ASYNC")),
        ("endpoint", json!("/c")),
        ("public", json!(false)),
        ("memory_mb", json!(512)),
        ("timeout_seconds", json!(900)),
        ("environment", json!({"A": "***", "B": "***"})),
        ("version", json!(1)),
        ("code", json!(ECHO_PY)),
    ] {
        assert_eq!(changed[field], value, "{field}");
    }
}

#[tokio::test]
async fn names_and_endpoints_are_unique_in_a_workspace() {
    let user = Server::shared().user().await;
    let workspace = user.workspace().await;
    let new = |name: &str, endpoint: Value| json!({"name": name, "endpoint": endpoint, "runtime": "NODEJS", "code": ECHO_JS, "workspace_id": workspace});
    let first = user.post("/functions/", &new("One", json!("/one"))).await.expect(200);
    let taken = user.post("/functions/", &new(" oNE ", json!(null))).await.expect(409);
    assert_eq!(taken["code"], "FUNCTION_NAME_TAKEN");
    let taken = user.post("/functions/", &new("Two", json!("/one"))).await.expect(409);
    assert_eq!(taken["code"], "ENDPOINT_TAKEN");
    // An endpoint that is made from the name finds another.
    let second = user.post("/functions/", &new("one!", json!(null))).await.expect(200);
    assert!(second["endpoint"].as_str().unwrap().starts_with("/one-"), "{second}");
    let korean = user.post("/functions/", &new("함수", json!(null))).await.expect(200);
    assert!(korean["endpoint"].as_str().unwrap().len() > 1, "{korean}");
    let path = format!("/functions/{}", second["id"].as_str().unwrap());
    user.put(&path, &json!({"name": "ONE"})).await.expect(409);
    user.put(&path, &json!({"endpoint": "/one"})).await.expect(409);
    // Deleting gives both back.
    user.delete(&format!("/functions/{}", first["id"].as_str().unwrap())).await.expect(200);
    user.put(&path, &json!({"name": "ONE", "endpoint": "/one"})).await.expect(200);
    // In another workspace they are free.
    user.function_with(
        &user.workspace().await,
        json!({"runtime": "NODEJS", "code": ECHO_JS, "endpoint": "/one"}),
    )
    .await;
}

#[tokio::test]
async fn endpoints_are_taken_as_people_write_them() {
    let user = Server::shared().user().await;
    let workspace = user.workspace().await;
    let new = |endpoint: &str| {
        json!({
            "name": unique("f"), "endpoint": endpoint, "runtime": "NODEJS", "code": ECHO_JS, "workspace_id": workspace
        })
    };
    let long = "x".repeat(99);
    for (written, kept) in [
        ("my-endpoint", "/my-endpoint"),
        ("My_Endpoint/v1.0~/", "/My_Endpoint/v1.0~"),
        ("/.well-known/..x", "/.well-known/..x"),
        (&long, &format!("/{long}")),
    ] {
        let made = user.post("/functions/", &new(written)).await.expect(200);
        assert_eq!(made["endpoint"], kept);
        // What was shown can be written back.
        let path = format!("/functions/{}", made["id"].as_str().unwrap());
        assert_eq!(user.put(&path, &json!({"endpoint": kept})).await.expect(200)["endpoint"], kept);
        user.get(&format!("/run/{workspace}{kept}")).await.expect(200);
        assert_eq!(user.post("/functions/", &new(kept)).await.expect(409)["code"], "ENDPOINT_TAKEN");
    }
    for bad in ["", "/", "//a", "a//b", "/a//", "/./a", "a/..", "a b", "é", "/a?b", "/a%20b"] {
        let refused = user.post("/functions/", &new(bad)).await;
        assert_eq!(
            refused.faults(),
            [("body.endpoint".to_owned(), "string_pattern_mismatch".to_owned())],
            "{bad}"
        );
        let refused = refused.expect(422);
        let text = refused["detail"][0]["msg"].as_str().unwrap();
        assert!(text.contains("/orders/new") && !text.contains('^'), "{text}");
    }
    let long = "x".repeat(100);
    let faults = user.post("/functions/", &new(&long)).await.faults();
    assert_eq!(faults, [("body.endpoint".to_owned(), "string_too_long".to_owned())]);
}

#[tokio::test]
async fn all_faults_are_found_at_once() {
    let user = Server::shared().user().await;
    let wrong = json!({
        "name": "", "runtime": "RUBY", "code": 1, "execution_type": "LATER", "workspace_id": "x", "endpoint": "/a b",
        "memory_mb": 64, "timeout_seconds": 901, "environment": {"A": 1}, "public": "perhaps"
    });
    let faults = user.post("/functions/", &wrong).await.faults();
    let kinds: std::collections::BTreeMap<_, _> = faults.into_iter().collect();
    let expected = [
        ("body.code", "string_type"),
        ("body.endpoint", "string_pattern_mismatch"),
        ("body.environment.A", "string_type"),
        ("body.execution_type", "enum"),
        ("body.memory_mb", "greater_than_equal"),
        ("body.name", "string_too_short"),
        ("body.public", "bool_parsing"),
        ("body.runtime", "enum"),
        ("body.timeout_seconds", "less_than_equal"),
        ("body.workspace_id", "uuid_parsing"),
    ];
    assert_eq!(kinds, expected.map(|(loc, kind)| (loc.to_owned(), kind.to_owned())).into());
}

#[tokio::test]
async fn code_that_cannot_run_is_refused_with_its_place() {
    let user = Server::shared().user().await;
    let workspace = user.workspace().await;
    for (runtime, code, place) in [
        ("PYTHON", "def handler(event):\n    return (1\n", "line"),
        ("PYTHON", "def handler(event):\n  x = 1\n    y = 2\n", "line 3"),
        ("PYTHON", "def a(x): pass\ndef b(x): pass\n", "handler"),
        ("PYTHON", "", "handler"),
        ("NODEJS", "exports.handler = async (event) => { return {;", "line 1"),
        ("NODEJS", "\n\nlet x = ;", "line 3"),
        ("NODEJS", "module.exports.other = 1;", "handler"),
    ] {
        let new = json!({"name": unique("f"), "runtime": runtime, "code": code, "workspace_id": workspace});
        let refused = user.post("/functions/", &new).await.expect(422);
        let fault = &refused["detail"][0];
        assert_eq!(fault["loc"], json!(["body", "code"]), "{code}");
        let msg = fault["msg"].as_str().unwrap();
        assert!(msg.contains(place) && msg.contains("line") && msg.contains("column"), "{code}: {msg}");
    }
    let function = user.function_with(&workspace, json!({"runtime": "PYTHON", "code": ECHO_PY})).await;
    let path = format!("/functions/{function}");
    user.put(&path, &json!({"code": "def handler(:"})).await.expect(422);
    // The code that is there is no Node.js.
    user.put(&path, &json!({"runtime": "NODEJS"})).await.expect(422);
    assert_eq!(user.get(&path).await.expect(200)["version"], 1);
}

#[tokio::test]
async fn environments_are_held_to_lambdas_rules() {
    let user = Server::shared().user().await;
    let workspace = user.workspace().await;
    for (environment, loc) in [
        (json!({"1A": "x"}), "body.environment.1A"),
        (json!({"A-B": "x"}), "body.environment.A-B"),
        (json!({"": "x"}), "body.environment."),
        (json!({"AWS_REGION": "x"}), "body.environment.AWS_REGION"),
        (json!({"A": "x".repeat(4096)}), "body.environment"),
        (json!({"A": "a\u{0}b"}), "body.environment.A"),
        (json!([]), "body.environment"),
    ] {
        let new = json!({
            "name": unique("f"), "runtime": "PYTHON", "code": ECHO_PY, "workspace_id": workspace,
            "environment": environment
        });
        let faults = user.post("/functions/", &new).await.faults();
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert_eq!(faults[0].0, loc);
    }
}

#[tokio::test]
async fn code_over_a_mebibyte_is_refused_and_under_it_is_not() {
    let user = Server::shared().user().await;
    let workspace = user.workspace().await;
    let new = |padding: usize| {
        let code = format!("{ECHO_PY}#{}", "x".repeat(padding));
        json!({"name": unique("f"), "runtime": "PYTHON", "code": code, "workspace_id": workspace})
    };
    let faults = user.post("/functions/", &new(1024 * 1024)).await.faults();
    assert_eq!(faults, [("body.code".to_owned(), "string_too_long".to_owned())]);
    user.post("/functions/", &new(1024 * 1024 - ECHO_PY.len() - 1)).await.expect(200);
}

#[tokio::test]
async fn a_deleted_function_is_gone_with_its_jobs() {
    let user = Server::shared().user().await;
    let function = user.function("PYTHON", ECHO_PY).await;
    let job = user.invoke(&function, &json!({})).await["job_id"].clone();
    let path = format!("/functions/{function}");
    assert_eq!(user.delete(&path).await.expect(200), json!({"success": true}));
    for path in [path.clone(), format!("{path}/jobs"), format!("{path}/versions"), format!("/jobs/{job}")] {
        user.get(&path).await.expect(404);
    }
    user.delete(&path).await.expect(404);
    user.post(&format!("{path}/invoke"), &json!({})).await.expect(404);
}
