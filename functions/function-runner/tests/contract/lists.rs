//! `limit` and `cursor` on every list.

use serde_json::{Value, json};
use testkit::{Client, ECHO_PY, Server, unique};

async fn walk(user: &Client, path: &str, field: &str, limit: usize) -> Vec<Value> {
    let mut all = Vec::new();
    let mut cursor = String::new();
    loop {
        let join = if path.contains('?') { '&' } else { '?' };
        let page = user.get(&format!("{path}{join}limit={limit}{cursor}")).await.expect(200);
        let items = page[field].as_array().unwrap();
        assert!(items.len() <= limit);
        all.extend(items.iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
        assert!(all.len() < 100, "the list never ends");
    }
}

/// The ids of a list of five, whole. Of two things made in the same millisecond, either may come first.
async fn newest_first(user: &Client, path: &str, field: &str) -> Vec<Value> {
    let all = user.get(path).await.expect(200)[field].as_array().unwrap().clone();
    assert_eq!(all.len(), 5);
    assert!(
        all.is_sorted_by(|one, next| one["created_at"].as_str() >= next["created_at"].as_str()),
        "{all:?}"
    );
    all.into_iter().map(|item| item["id"].clone()).collect()
}

#[tokio::test]
async fn every_list_is_walked_page_by_page_without_gaps_or_repeats() {
    let user = Server::shared().user().await;
    for _ in 0..5 {
        user.workspace().await;
    }
    let workspaces = newest_first(&user, "/workspaces/", "workspaces").await;
    let workspace = workspaces[0].as_str().unwrap();
    for _ in 0..5 {
        user.function_with(workspace, json!({"runtime": "PYTHON", "code": ECHO_PY})).await;
    }
    let functions = newest_first(&user, "/functions/", "functions").await;
    let function = functions[0].as_str().unwrap();
    for n in 0..4 {
        let code = format!("def handler(event):\n    return {n}");
        user.put(&format!("/functions/{function}"), &json!({"code": code})).await.expect(200);
        user.invoke(function, &json!(n)).await;
        user.key(workspace).await;
    }
    let ids = |all: Vec<Value>| all.into_iter().map(|item| item["id"].clone()).collect::<Vec<_>>();
    for limit in [1, 2, 5, 100] {
        assert_eq!(ids(walk(&user, "/workspaces/", "workspaces", limit).await), workspaces);
        assert_eq!(ids(walk(&user, "/functions/", "functions", limit).await), functions);
        let path = format!("/workspaces/{workspace}/functions");
        assert_eq!(ids(walk(&user, &path, "functions", limit).await), functions);
        let jobs = walk(&user, &format!("/functions/{function}/jobs"), "jobs", limit).await;
        assert_eq!(
            jobs.iter().map(|job| job["input"].clone()).collect::<Vec<_>>(),
            [3, 2, 1, 0].map(Value::from)
        );
        let jobs = walk(&user, &format!("/functions/{function}/jobs?status=success"), "jobs", limit).await;
        assert_eq!(jobs.len(), 4);
        let versions = walk(&user, &format!("/functions/{function}/versions"), "versions", limit).await;
        let numbers = versions.iter().map(|version| version["version"].clone()).collect::<Vec<_>>();
        assert_eq!(numbers, [5, 4, 3, 2, 1].map(Value::from));
        assert_eq!(
            walk(&user, &format!("/workspaces/{workspace}/auth-keys"), "auth_keys", limit).await.len(),
            4
        );
    }
}

#[tokio::test]
async fn a_cursor_is_good_for_its_caller_and_list_only() {
    let (user, other) = (Server::shared().user().await, Server::shared().user().await);
    for who in [&user, &other] {
        for _ in 0..3 {
            who.post("/workspaces/", &json!({"name": unique("w")})).await.expect(200);
        }
    }
    let page = user.get("/workspaces/?limit=1").await.expect(200);
    let cursor = page["next_cursor"].as_str().unwrap();
    user.get(&format!("/workspaces/?limit=2&cursor={cursor}")).await.expect(200);
    let mut last = cursor.to_owned();
    let flipped = if last.pop() == Some('A') { 'B' } else { 'A' };
    for (who, path) in [
        (&other, format!("/workspaces/?cursor={cursor}")),
        (&user, format!("/functions/?cursor={cursor}")),
        (&user, format!("/workspaces/?cursor={last}{flipped}")),
        (&user, format!("/workspaces/?cursor={last}")),
        (&user, "/workspaces/?cursor=nonsense".to_owned()),
        (&user, "/workspaces/?cursor=%00%ff".to_owned()),
        (&user, "/workspaces/?cursor=".to_owned()),
    ] {
        assert!(matches!(who.get(&path).await.status, 400), "{path}");
    }
}

#[tokio::test]
async fn a_limit_out_of_range_is_an_error_and_not_clamped() {
    let user = Server::shared().user().await;
    let workspace = user.workspace().await;
    let function = user.function_with(&workspace, json!({"runtime": "PYTHON", "code": ECHO_PY})).await;
    for path in [
        "/workspaces/".to_owned(),
        "/functions/".to_owned(),
        format!("/workspaces/{workspace}/functions"),
        format!("/workspaces/{workspace}/auth-keys"),
        format!("/functions/{function}/jobs"),
        format!("/functions/{function}/versions"),
    ] {
        for (limit, kind) in [
            ("0", "greater_than_equal"),
            ("101", "less_than_equal"),
            ("ten", "int_parsing"),
            ("", "int_parsing"),
        ] {
            let faults = user.get(&format!("{path}?limit={limit}")).await.faults();
            assert_eq!(faults, [("query.limit".to_owned(), kind.to_owned())], "{path} {limit}");
        }
    }
}

#[tokio::test]
async fn a_page_ends_early_where_its_texts_are_large_and_nothing_is_lost() {
    let user = Server::shared().user().await;
    let code =
        |n: usize| format!("def handler(event):\n    return 'x' * 60_000\n#{n}{}", "x".repeat(900_000));
    let function = user.function("PYTHON", &code(1)).await;
    for n in 2..=7 {
        user.put(&format!("/functions/{function}"), &json!({"code": code(n)})).await.expect(200);
    }
    let path = format!("/functions/{function}/versions");
    let first = user.get(&path).await;
    assert!(first.body.len() < 5_000_000, "{}", first.body.len());
    assert!(first.expect(200)["next_cursor"].is_string());
    let versions = walk(&user, &path, "versions", 100).await;
    let numbers = versions.iter().map(|version| version["version"].clone()).collect::<Vec<_>>();
    assert_eq!(numbers, [7, 6, 5, 4, 3, 2, 1].map(Value::from));

    for _ in 0..80 {
        user.invoke(&function, &json!("y".repeat(20_000))).await;
    }
    let path = format!("/functions/{function}/jobs");
    let first = user.get(&format!("{path}?limit=100")).await;
    assert!(first.body.len() < 5_000_000, "{}", first.body.len());
    assert_eq!(walk(&user, &path, "jobs", 100).await.len(), 80);
}
