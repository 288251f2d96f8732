//! `/workspaces/{workspace_id}/auth-keys`

use serde_json::json;
use testkit::{ECHO_JS, Server};

use crate::NOBODY;

#[tokio::test]
async fn a_key_invokes_its_workspaces_functions_and_nothing_else() {
    let user = Server::shared().user().await;
    let workspace = user.workspace().await;
    let function = user.function_with(&workspace, json!({"runtime": "NODEJS", "code": ECHO_JS})).await;
    let elsewhere = user.function("NODEJS", ECHO_JS).await;
    let holder = user.with_token(&user.key(&workspace).await);

    let ran =
        holder.post(&format!("/functions/{function}/invoke/workspace"), &json!({"a": 1})).await.expect(200);
    assert_eq!(ran["output"], json!({"event": {"a": 1}, "from": "node"}));
    holder.post(&format!("/functions/{elsewhere}/invoke/workspace"), &json!({})).await.expect(404);
    holder.post(&format!("/functions/{function}/invoke"), &json!({})).await.expect(401);
    for path in ["/users/me", "/workspaces/", "/functions/", &format!("/workspaces/{workspace}")] {
        holder.get(path).await.expect(401);
    }
    // And a user's token is no workspace key.
    let refused = user.post(&format!("/functions/{function}/invoke/workspace"), &json!({})).await;
    assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
    assert_eq!(refused.expect(401)["detail"], "Could not validate workspace credentials");
}

#[tokio::test]
async fn a_key_is_shown_once_listed_and_revoked_at_once() {
    let user = Server::shared().user().await;
    let workspace = user.workspace().await;
    let function = user.function_with(&workspace, json!({"runtime": "NODEJS", "code": ECHO_JS})).await;
    let keys = format!("/workspaces/{workspace}/auth-keys");
    let first = user.post(&keys, &json!({"expires_hours": 1})).await.expect(200);
    let second = user.send(user.request(reqwest::Method::POST, &keys)).await.expect(200);
    assert_eq!(first["workspace_id"], json!(workspace));
    let hours = |key: &serde_json::Value| {
        let time = |name: &str| key[name].as_str().unwrap()[11..13].parse::<i64>().unwrap();
        (time("expires_at") - time("created_at")).rem_euclid(24)
    };
    assert_eq!((hours(&first), hours(&second)), (1, 0));

    let listed = user.get(&keys).await;
    for key in [&first, &second] {
        assert!(!String::from_utf8_lossy(&listed.body).contains(key["key"].as_str().unwrap()));
    }
    let ids = |listed: &serde_json::Value| {
        let mut ids: Vec<_> =
            listed["auth_keys"].as_array().unwrap().iter().map(|key| key["id"].clone()).collect();
        ids.sort_by_key(|id| id.to_string());
        ids
    };
    let mut both = vec![first["id"].clone(), second["id"].clone()];
    both.sort_by_key(|id| id.to_string());
    assert_eq!(ids(&listed.expect(200)), both);

    let holder = user.with_token(first["key"].as_str().unwrap());
    let invoke = format!("/functions/{function}/invoke/workspace");
    holder.post(&invoke, &json!({})).await.expect(200);
    let revoke = format!("{keys}/{}", first["id"].as_str().unwrap());
    assert_eq!(user.delete(&revoke).await.expect(200), json!({"success": true}));
    holder.post(&invoke, &json!({})).await.expect(401);
    user.delete(&revoke).await.expect(404);
    assert_eq!(ids(&user.get(&keys).await.expect(200)), [second["id"].clone()]);
}

#[tokio::test]
async fn bad_lifetimes_and_ids_are_refused() {
    let user = Server::shared().user().await;
    let keys = format!("/workspaces/{}/auth-keys", user.workspace().await);
    for (hours, kind) in [
        (json!(0), "greater_than_equal"),
        (json!(8761), "less_than_equal"),
        (json!("soon"), "int_parsing"),
        (json!([]), "int_type"),
    ] {
        let faults = user.post(&keys, &json!({"expires_hours": hours})).await.faults();
        assert_eq!(faults, [("body.expires_hours".to_owned(), kind.to_owned())]);
    }
    user.delete(&format!("{keys}/x")).await.expect(422);
    user.delete(&format!("{keys}/{NOBODY}")).await.expect(404);
    user.post(&format!("/workspaces/{NOBODY}/auth-keys"), &json!({})).await.expect(404);
}

#[tokio::test]
async fn a_key_that_was_tampered_with_is_no_key() {
    let user = Server::shared().user().await;
    let workspace = user.workspace().await;
    let function = user.function_with(&workspace, json!({"runtime": "NODEJS", "code": ECHO_JS})).await;
    let key = user.key(&workspace).await;
    let other = user.key(&user.workspace().await).await;
    let spliced = format!("{}{}", &key[..40], &other[40..]);
    for wrong in ["frk_", &key[..key.len() - 1], &format!("{key}A"), &key.to_uppercase(), &spliced, "x"] {
        user.with_token(wrong)
            .post(&format!("/functions/{function}/invoke/workspace"), &json!({}))
            .await
            .expect(401);
    }
    // 401 beats 422: who has no key is not told what else is wrong.
    user.with_token("x").post("/functions/x/invoke/workspace", &json!({})).await.expect(401);
    user.with_token(&key).post("/functions/x/invoke/workspace", &json!({})).await.expect(422);
}
