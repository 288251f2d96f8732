//! `/api/workspaces`.

use serde_json::json;
use testkit::{Server, unique};

use crate::{ECHO_JS, made, url, workspace};

#[tokio::test]
async fn is_made_shown_changed_and_deleted() {
    let user = Server::shared().user().await;
    let name = unique("Blog ");
    let made =
        user.post("/api/workspaces/", &json!({"name": format!("  {name} "), "id": "x"})).await.expect(201);
    let created = made["createdAt"].as_str().unwrap();
    assert!(created.ends_with('Z'), "{created}");
    let expected = json!({
        "id": made["id"], "name": name, "description": "", "createdAt": created, "functionCount": 0,
        "invocations24h": 0, "errorRate": 0.0
    });
    assert_eq!(made, expected);
    let path = format!("/api/workspaces/{}", made["id"].as_str().unwrap());
    assert_eq!(user.get(&path).await.expect(200), made);
    assert_eq!(user.get("/api/workspaces").await.expect(200), json!([made]));

    let changed = user.patch(&path, &json!({"description": "Words"})).await.expect(200);
    assert_eq!((&changed["name"], &changed["description"]), (&made["name"], &json!("Words")));
    let same = user.patch(&path, &json!({"name": null, "description": null})).await.expect(200);
    assert_eq!(same, changed);
    let cleared = user.patch(&path, &json!({"description": "", "name": unique("New ")})).await.expect(200);
    assert_eq!(cleared["description"], "");

    let deleted = user.delete(&path).await;
    assert_eq!((deleted.status, deleted.body.len()), (204, 0));
    for gone in [user.get(&path).await, user.patch(&path, &json!({})).await, user.delete(&path).await] {
        assert_eq!(gone.expect(404)["error"]["code"], "NOT_FOUND");
    }
    assert_eq!(user.get("/api/workspaces").await.expect(200), json!([]));
}

#[tokio::test]
async fn names_are_unique_among_an_owners() {
    let user = Server::shared().user().await;
    let name = unique("ws");
    user.post("/api/workspaces", &json!({"name": name})).await.expect(201);
    let again = user.post("/api/workspaces", &json!({"name": name.to_uppercase()})).await.expect(409);
    assert_eq!(again["error"]["code"], "CONFLICT");
    assert_eq!(again["error"]["details"]["reason"], "WORKSPACE_NAME_TAKEN");
    let other = workspace(&user).await;
    user.patch(&other, &json!({"name": name})).await.expect(409);
    Server::shared().user().await.post("/api/workspaces", &json!({"name": name})).await.expect(201);
}

#[tokio::test]
async fn figures_come_from_what_ran() {
    let user = Server::shared().user().await;
    let (busy, idle) = (workspace(&user).await, workspace(&user).await);
    let code =
        "exports.handler = (event) => { if (event.queryStringParameters) throw new Error('x'); return 1 }";
    let one = made(&user, &busy, code, json!({"public": true})).await;
    let two = made(&user, &busy, ECHO_JS, json!({"public": true})).await;
    for query in ["", "", "?fail=1"] {
        user.get(&format!("{}{query}", url(&one))).await;
    }
    user.get(&url(&two)).await.expect(200);
    let shown = user.get(&busy).await.expect(200);
    assert_eq!((&shown["functionCount"], &shown["invocations24h"]), (&json!(2), &json!(4)));
    assert_eq!(shown["errorRate"], json!(25.0));
    let listed = user.get("/api/workspaces").await.expect(200);
    let find = |list: &serde_json::Value, id: &serde_json::Value| {
        list.as_array().unwrap().iter().find(|item| item["id"] == *id).unwrap().clone()
    };
    assert_eq!(find(&listed, &shown["id"]), shown);
    let idle = user.get(&idle).await.expect(200);
    assert_eq!((find(&listed, &idle["id"]), &idle["invocations24h"]), (idle.clone(), &json!(0)));

    let functions = user.get(&format!("{busy}/functions")).await.expect(200);
    let (one, two) = (find(&functions, &one["id"]), find(&functions, &two["id"]));
    assert_eq!((&one["invocations24h"], &one["errors24h"]), (&json!(3), &json!(1)));
    assert_eq!((&two["invocations24h"], &two["errors24h"]), (&json!(1), &json!(0)));
    assert!(one["avgDuration"].as_f64().unwrap() > 0.0, "{one}");
}
