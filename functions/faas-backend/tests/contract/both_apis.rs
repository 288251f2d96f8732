//! What is done through one API is seen through the other at once.

use serde_json::json;
use testkit::{Server, unique};

use crate::{ECHO_JS, ECHO_PY, base64, made, path, url, workspace};

#[tokio::test]
async fn workspaces_are_the_same_in_both() {
    let user = Server::shared().user().await;
    let here = workspace(&user).await;
    let there = here.strip_prefix("/api").unwrap();
    let shown = user.get(there).await.expect(200);
    assert_eq!(shown["id"], user.get(&here).await.expect(200)["id"]);
    let name = unique("renamed ");
    user.put(there, &json!({"name": name, "description": "d"})).await.expect(200);
    let seen = user.get(&here).await.expect(200);
    assert_eq!((&seen["name"], &seen["description"]), (&json!(name), &json!("d")));
    user.patch(&here, &json!({"description": "e"})).await.expect(200);
    assert_eq!(user.get(there).await.expect(200)["description"], "e");
    user.delete(there).await.expect(200);
    user.get(&here).await.expect(404);
    let here = workspace(&user).await;
    assert_eq!(user.delete(&here).await.status, 204);
    user.get(here.strip_prefix("/api").unwrap()).await.expect(404);
}

#[tokio::test]
async fn a_function_of_the_other_api_is_shown_in_these_words() {
    let user = Server::shared().user().await;
    let workspace = user.workspace().await;
    let fields =
        json!({"runtime": "PYTHON", "code": ECHO_PY, "endpoint": "/a/b", "memory_mb": 4096, "public": true});
    let id = user.function_with(&workspace, fields).await;
    let here = format!("/api/workspaces/{workspace}/functions/{id}");
    let shown = user.get(&here).await.expect(200);
    assert_eq!((&shown["runtime"], &shown["memory"]), (&json!("Python 3.12"), &json!(4096)));
    assert_eq!(shown["httpMethods"], json!(["GET", "POST", "PUT", "PATCH", "DELETE"]));
    assert_eq!(shown["invocationUrl"], json!(format!("{}/run/{workspace}/a/b", Server::shared().url())));
    assert_eq!((&shown["code"], &shown["description"]), (&json!(base64(ECHO_PY)), &json!("")));
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
        let request = user.request(method.parse().unwrap(), &url(&shown));
        user.send(request).await.expect(200);
    }
    // And so is what is changed there.
    let there = format!("/functions/{id}");
    user.put(&there, &json!({"runtime": "NODEJS", "code": ECHO_JS, "timeout_seconds": 7})).await.expect(200);
    let shown = user.get(&here).await.expect(200);
    assert_eq!((&shown["runtime"], &shown["timeout"]), (&json!("Node.js 20"), &json!(7)));
    assert_eq!(shown["code"], json!(base64(ECHO_JS)));
    assert_eq!(shown["invocations24h"], 5);
    user.delete(&there).await.expect(200);
    user.get(&here).await.expect(404);
}

#[tokio::test]
async fn a_function_of_this_api_is_shown_in_the_others_words() {
    let user = Server::shared().user().await;
    let here = workspace(&user).await;
    let fields = json!({"memory": 512, "environmentVariables": {"A": "x"}, "runtime": "Node.js 18"});
    let function = made(&user, &here, ECHO_JS, fields).await;
    let there = format!("/functions/{}", function["id"].as_str().unwrap());
    let shown = user.get(&there).await.expect(200);
    assert_eq!((&shown["runtime"], &shown["memory_mb"]), (&json!("NODEJS"), &json!(512)));
    assert_eq!((&shown["code"], &shown["environment"]), (&json!(ECHO_JS), &json!({"A": "***"})));
    user.patch(&path(&function), &json!({"code": base64("exports.handler = () => 2"), "status": "disabled"}))
        .await
        .expect(200);
    let shown = user.get(&there).await.expect(200);
    assert_eq!((&shown["version"], &shown["status"]), (&json!(2), &json!("disabled")));
    user.post(&format!("{there}/invoke"), &json!({})).await.expect(409);
    user.patch(&path(&function), &json!({"status": "active"})).await.expect(200);
    assert_eq!(user.invoke(function["id"].as_str().unwrap(), &json!({})).await["output"], 2);
    // A label stays while it names the language, through changes of the other API too.
    assert_eq!(user.get(&path(&function)).await.expect(200)["runtime"], "Node.js 18");
    user.put(&there, &json!({"runtime": "PYTHON", "code": ECHO_PY})).await.expect(200);
    assert_eq!(user.get(&path(&function)).await.expect(200)["runtime"], "Python 3.12");
    user.post(&format!("{there}/rollback"), &json!({"version": 1})).await.expect(200);
    assert_eq!(user.get(&path(&function)).await.expect(200)["runtime"], "Node.js 18");
}

#[tokio::test]
async fn a_key_of_the_other_api_opens_a_private_url() {
    let user = Server::shared().user().await;
    let here = workspace(&user).await;
    let function = made(&user, &here, ECHO_JS, json!({"public": false})).await;
    user.without_token().get(&url(&function)).await.expect(401);
    user.get(&url(&function)).await.expect(200);
    let key = user.key(here.rsplit('/').next().unwrap()).await;
    user.with_token(&key).get(&url(&function)).await.expect(200);
}
