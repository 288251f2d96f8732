//! `/api/workspaces/{ws_id}/functions`.

use serde_json::{Value, json};
use testkit::{Server, unique};

use crate::{ECHO_JS, ECHO_PY, base64, made, path, url, workspace};

#[tokio::test]
async fn is_made_with_defaults_and_shown() {
    let server = Server::shared();
    let user = server.user().await;
    let workspace = workspace(&user).await;
    let name = unique("Hello ");
    let new = json!({
        "name": format!(" {name} "), "runtime": "Python 3.11", "code": base64(ECHO_PY), "status": "failed", "id": "x"
    });
    let made = user.post(&format!("{workspace}/functions"), &new).await.expect(201);
    let endpoint = name.to_lowercase().replace(' ', "-");
    let id = workspace.rsplit('/').next().unwrap();
    let expected = json!({
        "id": made["id"], "workspaceId": id, "name": name, "description": "", "runtime": "Python 3.11",
        "memory": 256, "timeout": 30, "httpMethods": ["GET"], "environmentVariables": {}, "code": base64(ECHO_PY),
        "executionType": "SYNC", "public": true, "status": "active",
        "invocationUrl": format!("{}/run/{id}/{endpoint}", server.url()),
        "createdAt": made["createdAt"], "lastModified": made["lastModified"], "lastDeployed": made["lastDeployed"],
        "invocations24h": 0, "errors24h": 0, "avgDuration": 0.0
    });
    assert_eq!(made, expected);
    for time in ["createdAt", "lastModified", "lastDeployed"] {
        assert!(made[time].as_str().unwrap().ends_with('Z'), "{time}");
    }
    assert_eq!(user.get(&path(&made)).await.expect(200), made);
    assert_eq!(user.get(&format!("{workspace}/functions")).await.expect(200), json!([made]));
}

#[tokio::test]
async fn what_its_web_client_saves_can_be_called_at_its_url() {
    let user = Server::shared().user().await;
    let workspace = workspace(&user).await;
    // No runtime, no `public`.
    let new = json!({"name": unique("hello "), "code": base64(ECHO_PY)});
    let made = user.post(&format!("{workspace}/functions"), &new).await.expect(201);
    assert_eq!((&made["runtime"], &made["public"]), (&json!("Python 3.12"), &json!(true)));
    let event = user.without_token().get(&url(&made)).await.expect(200);
    assert_eq!(event["requestContext"]["http"]["method"], "GET");
    let hidden = json!({"name": unique("hidden "), "code": base64(ECHO_PY), "public": false});
    let hidden = user.post(&format!("{workspace}/functions"), &hidden).await.expect(201);
    user.without_token().get(&url(&hidden)).await.expect(401);
}

#[tokio::test]
async fn an_id_that_can_not_be_one_is_not_there() {
    ids_are_not_there(&["ws-UEjecyZM", "1", "0x", "null"]).await;
}

#[tokio::test]
async fn an_id_of_encoded_characters_is_not_there() {
    ids_are_not_there(&["%00", "%ff", "..%2f", "%2e%2e%2fworkspaces"]).await;
}

async fn ids_are_not_there(ids: &[&str]) {
    let user = Server::shared().user().await;
    let here = workspace(&user).await;
    let nobody = "00000000-0000-4000-8000-000000000000";
    for &odd in ids {
        for (path, like) in [
            (format!("/api/workspaces/{odd}"), format!("/api/workspaces/{nobody}")),
            (format!("/api/workspaces/{odd}/functions"), format!("/api/workspaces/{nobody}/functions")),
            (format!("{here}/functions/{odd}"), format!("{here}/functions/{nobody}")),
            (format!("{here}/functions/{odd}/logs"), format!("{here}/functions/{nobody}/logs")),
        ] {
            let (answer, like) = (user.get(&path).await.expect(404), user.get(&like).await.expect(404));
            assert_eq!(answer["error"]["code"], "NOT_FOUND");
            if odd != "%ff" {
                assert_eq!(answer["error"]["message"], like["error"]["message"], "{path}");
            }
        }
        let path = format!("/api/workspaces/{odd}");
        user.patch(&path, &json!({"name": ""})).await.expect(404);
        user.delete(&path).await.expect(404);
        user.without_token().get(&path).await.expect(401);
    }
}

#[tokio::test]
async fn every_field_can_be_set_and_changed() {
    let user = Server::shared().user().await;
    let workspace = workspace(&user).await;
    let fields = json!({
        "description": "d", "memory": 128, "timeout": 5, "httpMethods": ["POST", "GET", "POST"], "public": true,
        "executionType": "ASYNC", "environmentVariables": {"A": "hunter2"}
    });
    let function = made(&user, &workspace, ECHO_JS, fields).await;
    assert_eq!(function["httpMethods"], json!(["POST", "GET"]));
    assert_eq!(function["environmentVariables"], json!({"A": "***"}));
    assert_eq!((&function["memory"], &function["executionType"]), (&json!(128), &json!("ASYNC")));
    let nothing = json!({"name": null, "code": null, "status": null, "httpMethods": null});
    assert_eq!(user.patch(&path(&function), &nothing).await.expect(200), function);
    let changes = json!({
        "name": unique("other"), "description": "", "memory": 1024, "timeout": 900, "httpMethods": ["DELETE"],
        "executionType": "SYNC", "public": false, "environmentVariables": {}, "runtime": "Python 3.13",
        "code": base64(ECHO_PY), "status": "disabled"
    });
    let changed = user.patch(&path(&function), &changes).await.expect(200);
    for (field, value) in changes.as_object().unwrap() {
        assert_eq!(&changed[field], value, "{field}");
    }
    assert_eq!(changed["invocationUrl"], function["invocationUrl"]);
    assert_eq!(user.get(&path(&function)).await.expect(200), changed);
    let deleted = user.delete(&path(&function)).await;
    assert_eq!((deleted.status, deleted.body.len()), (204, 0));
    user.get(&path(&function)).await.expect(404);
}

#[tokio::test]
async fn masked_variables_keep_their_values() {
    let user = Server::shared().user().await;
    let workspace = workspace(&user).await;
    let code =
        "exports.handler = () => [process.env.A ?? null, process.env.B ?? null, process.env.C ?? null]";
    let fields = json!({"public": true, "environmentVariables": {"A": "one", "B": "two"}});
    let function = made(&user, &workspace, code, fields).await;
    assert!(!user.get(&path(&function)).await.expect(200).to_string().contains("two"));
    assert_eq!(user.get(&url(&function)).await.expect(200), json!(["one", "two", null]));
    // What was read, written back with one more and one less.
    let read = user.get(&path(&function)).await.expect(200);
    let mut variables = read["environmentVariables"].clone();
    variables.as_object_mut().unwrap().remove("B");
    variables["C"] = json!("three");
    user.patch(&path(&function), &json!({"environmentVariables": variables})).await.expect(200);
    assert_eq!(user.get(&url(&function)).await.expect(200), json!(["one", null, "three"]));
}

#[tokio::test]
async fn a_function_is_only_in_its_own_workspace() {
    let user = Server::shared().user().await;
    let (mine, other) = (workspace(&user).await, workspace(&user).await);
    let function = made(&user, &mine, ECHO_JS, json!({})).await;
    let elsewhere = format!("{other}/functions/{}", function["id"].as_str().unwrap());
    for answer in [
        user.get(&elsewhere).await,
        user.patch(&elsewhere, &json!({"name": "x"})).await,
        user.delete(&elsewhere).await,
        user.get(&format!("{elsewhere}/logs")).await,
    ] {
        assert_eq!(answer.expect(404)["error"]["message"], "Function not found");
    }
    assert_eq!(user.get(&path(&function)).await.expect(200), function);
}

#[tokio::test]
async fn names_are_unique_in_a_workspace() {
    let user = Server::shared().user().await;
    let workspace = workspace(&user).await;
    let function = made(&user, &workspace, ECHO_JS, json!({"name": "One"})).await;
    let two = made(&user, &workspace, ECHO_JS, json!({"name": "one!"})).await;
    assert_ne!(function["invocationUrl"], two["invocationUrl"]);
    let taken = user.patch(&path(&two), &json!({"name": " oNE"})).await.expect(409);
    assert_eq!(taken["error"]["details"]["reason"], "FUNCTION_NAME_TAKEN");
}

fn field(refused: &Value) -> (String, String) {
    let error = &refused["error"];
    assert_eq!(error["code"], "VALIDATION_ERROR", "{refused}");
    (error["details"]["field"].as_str().unwrap().to_owned(), error["message"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn what_is_wrong_is_told_by_its_field() {
    let user = Server::shared().user().await;
    let workspace = workspace(&user).await;
    let good = json!({"name": "f", "runtime": "Node.js 20", "code": base64(ECHO_JS)});
    for (name, value, at) in [
        ("name", json!(" "), "name"),
        ("name", json!("x".repeat(101)), "name"),
        ("runtime", json!("Ruby 3"), "runtime"),
        ("runtime", json!("python 3.12"), "runtime"),
        ("memory", json!(64), "memory"),
        ("memory", json!(1025), "memory"),
        ("timeout", json!(0), "timeout"),
        ("timeout", json!(901), "timeout"),
        ("httpMethods", json!([]), "httpMethods"),
        ("httpMethods", json!(["GET", "get"]), "httpMethods.1"),
        ("environmentVariables", json!({"A": 1}), "environmentVariables.A"),
        ("environmentVariables", json!({"1A": "x"}), "environmentVariables.1A"),
        ("environmentVariables", json!({"AWS_REGION": "x"}), "environmentVariables.AWS_REGION"),
        ("environmentVariables", json!({"A": "x".repeat(4096)}), "environmentVariables"),
        ("executionType", json!("LATER"), "executionType"),
        ("public", json!("yes"), "public"),
        ("description", json!("x".repeat(1001)), "description"),
        ("code", json!("!!!"), "code"),
        ("code", json!("/w=="), "code"),
        ("code", json!(base64("nothing")), "code"),
        ("code", json!(base64(&"x".repeat(1024 * 1024 + 1))), "code"),
        ("code", json!(7), "code"),
    ] {
        let mut wrong = good.clone();
        wrong[name] = value.clone();
        let refused = user.post(&format!("{workspace}/functions"), &wrong).await.expect(400);
        assert_eq!(field(&refused).0, at, "{name} {value}");
    }
    for missing in ["name", "code"] {
        let mut wrong = good.clone();
        wrong.as_object_mut().unwrap().remove(missing);
        let refused = user.post(&format!("{workspace}/functions"), &wrong).await.expect(400);
        assert_eq!(field(&refused), (missing.to_owned(), format!("{missing}: Field required")));
    }
    let function = made(&user, &workspace, ECHO_JS, json!({})).await;
    for (name, value) in [
        ("status", json!("failed")),
        ("memory", json!(2000)),
        ("code", json!("!")),
        ("runtime", json!("Python 3.12")),
        ("environmentVariables", json!({"A-B": "x"})),
    ] {
        let refused = user.patch(&path(&function), &json!({name: value})).await.expect(400);
        let at = if name == "runtime" { "code" } else { name };
        assert!(field(&refused).0.starts_with(at), "{refused}");
    }
    assert_eq!(user.get(&path(&function)).await.expect(200), function);
}

#[tokio::test]
async fn code_that_cannot_run_is_told_with_its_place() {
    let user = Server::shared().user().await;
    let workspace = workspace(&user).await;
    let wrong = json!({"name": "f", "runtime": "Node.js 20", "code": base64("\n\nlet x = ;")});
    let refused = user.post(&format!("{workspace}/functions"), &wrong).await.expect(400);
    let (at, message) = field(&refused);
    assert!(at == "code" && message.contains("line 3") && message.contains("column 9"), "{refused}");
}

#[tokio::test]
async fn code_that_cannot_run_is_told_beside_other_faults() {
    let user = Server::shared().user().await;
    let workspace = workspace(&user).await;
    // Without a runtime it is Python.
    let wrong = json!({"name": unique("x"), "code": base64("exports.handler = () => {"), "memory": 1,
        "environmentVariables": {"1": ""}});
    let refused = user.post(&format!("{workspace}/functions"), &wrong).await.expect(400);
    let errors = refused["error"]["details"]["errors"].as_array().unwrap();
    let mut at: Vec<_> = errors.iter().map(|fault| fault["field"].as_str().unwrap()).collect();
    assert_eq!(at[0], refused["error"]["details"]["field"]);
    at.sort_unstable();
    assert_eq!(at, ["code", "environmentVariables.1", "memory"]);
}
