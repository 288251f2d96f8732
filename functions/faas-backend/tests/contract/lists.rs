//! Bare arrays, with the next page in `Link`.

use serde_json::{Value, json};
use testkit::{Answer, Client, Server};

use crate::{ECHO_JS, base64, made, workspace};

/// Where the next page is.
fn next(page: &Answer, base: &str) -> Option<String> {
    let link = page.header("link")?;
    let url = link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap();
    Some(url.strip_prefix(base).unwrap_or_else(|| panic!("{url} is not absolute")).to_owned())
}

async fn walk(user: &Client, path: &str, limit: usize) -> Vec<Value> {
    let base = Server::shared().url();
    let mut all = Vec::new();
    let mut at = Some(format!("{path}?limit={limit}"));
    while let Some(path) = at {
        let page = user.get(&path).await;
        let items = page.expect(200);
        assert!(items.as_array().unwrap().len() <= limit && all.len() < 50);
        all.extend(items.as_array().unwrap().iter().map(|item| item["id"].clone()));
        at = next(&page, base);
    }
    all
}

/// The ids of a list of five, whole. Of two things made in the same millisecond, either may come first.
async fn newest_first(user: &Client, path: &str) -> Vec<Value> {
    let all = user.get(path).await.expect(200).as_array().unwrap().clone();
    assert_eq!(all.len(), 5);
    assert!(all.is_sorted_by(|one, next| one["createdAt"].as_str() >= next["createdAt"].as_str()), "{all:?}");
    all.into_iter().map(|item| item["id"].clone()).collect()
}

#[tokio::test]
async fn are_walked_page_by_page() {
    let user = Server::shared().user().await;
    for _ in 0..5 {
        workspace(&user).await;
    }
    let workspaces = newest_first(&user, "/api/workspaces").await;
    let functions_of = format!("/api/workspaces/{}/functions", workspaces[0].as_str().unwrap());
    for _ in 0..5 {
        made(&user, functions_of.trim_end_matches("/functions"), ECHO_JS, json!({})).await;
    }
    let functions = newest_first(&user, &functions_of).await;
    for limit in [1, 2, 5, 100] {
        assert_eq!(walk(&user, &functions_of, limit).await, functions);
        assert_eq!(walk(&user, "/api/workspaces", limit).await, workspaces);
    }
    let first = user.get("/api/workspaces?limit=1").await;
    let at = next(&first, Server::shared().url()).unwrap();
    let cursor = at.split("cursor=").nth(1).unwrap();
    for (path, field) in [
        (format!("{functions_of}?cursor={cursor}"), "cursor"),
        ("/api/workspaces?cursor=nonsense".to_owned(), "cursor"),
        ("/api/workspaces?limit=0".to_owned(), "limit"),
        ("/api/workspaces?limit=101".to_owned(), "limit"),
    ] {
        let refused = user.get(&path).await.expect(400);
        assert_eq!(refused["error"]["details"]["field"], field, "{path}");
    }
    Server::shared().user().await.get(&at).await.expect(400);
}

#[tokio::test]
async fn a_list_shows_code_as_far_as_it_goes() {
    let user = Server::shared().user().await;
    let workspace = workspace(&user).await;
    let big = format!("{ECHO_JS}//{}", "x".repeat(1024 * 1024 - ECHO_JS.len() - 2));
    for _ in 0..4 {
        made(&user, &workspace, &big, json!({})).await;
    }
    made(&user, &workspace, ECHO_JS, json!({})).await;
    let listed = user.get(&format!("{workspace}/functions")).await;
    assert!(listed.body.len() < 6 * 1024 * 1024);
    let listed = listed.expect(200);
    let shown: Vec<_> =
        listed.as_array().unwrap().iter().map(|function| function["code"].is_string()).collect();
    assert_eq!(shown, [true, true, true, true, false]);
    assert_eq!(listed[0]["code"], base64(ECHO_JS));
}

#[tokio::test]
async fn without_a_limit_everything_is_shown() {
    let user = Server::shared().user().await;
    for _ in 0..55 {
        workspace(&user).await;
    }
    let all = user.get("/api/workspaces").await;
    assert_eq!((all.expect(200).as_array().unwrap().len(), all.header("link")), (55, None));
    let all = user.get("/workspaces/").await.expect(200);
    assert_eq!((all["workspaces"].as_array().unwrap().len(), &all["next_cursor"]), (55, &json!(null)));
    // Large ones end the list early, and the rest is found by its link.
    let user = Server::shared().user().await;
    let description = "漢".repeat(1000);
    for n in 0..60 {
        let new = json!({"name": format!("w{n}"), "description": description});
        user.post("/api/workspaces", &new).await.expect(201);
    }
    assert_eq!(user.get("/api/workspaces").await.expect(200).as_array().unwrap().len(), 60);
}
