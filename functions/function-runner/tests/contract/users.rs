//! `/users`

use reqwest::Method;
use serde_json::json;
use testkit::{Server, unique};

#[tokio::test]
async fn registers_logs_in_and_knows_itself() {
    let anyone = Server::shared().anyone();
    let username = unique("ada.");
    let new =
        json!({"username": username, "name": "  Ada  ", "password": "lovelace1", "id": 7, "role": "admin"});
    let user = anyone.post("/users/register", &new).await.expect(200);
    assert_eq!((&user["username"], &user["name"]), (&json!(username), &json!("Ada")));
    assert!(user["id"].as_u64().is_some_and(|id| id != 7 && id < 1 << 53), "{user}");
    assert!(user["created_at"].as_str().unwrap().ends_with('Z'), "{user}");
    let fields: std::collections::BTreeSet<_> =
        user.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, ["created_at", "id", "name", "updated_at", "username"].into());

    let login = json!({"username": username.to_uppercase(), "password": "lovelace1"});
    let token = anyone.post("/users/login", &login).await.expect(200);
    assert_eq!((&token["token_type"], &token["expires_in"]), (&json!("bearer"), &json!(7200)));
    let me = anyone.with_token(token["access_token"].as_str().unwrap()).get("/users/me").await.expect(200);
    assert_eq!(me, user);
}

#[tokio::test]
async fn a_username_is_taken_whatever_its_case() {
    let anyone = Server::shared().anyone();
    let username = unique("Bob-");
    let new = |username: &str| json!({"username": username, "name": "Bob", "password": "password1"});
    anyone.post("/users/register", &new(&username)).await.expect(200);
    let again = anyone.post("/users/register", &new(&username.to_lowercase())).await.expect(400);
    assert_eq!(again["detail"], "Username already registered");
    assert_eq!(again["message"], again["detail"]);
    assert!(again["request_id"].is_string() && again["code"].is_string(), "{again}");
}

#[tokio::test]
async fn only_one_of_many_gets_a_username() {
    let anyone = Server::shared().anyone();
    let new = json!({"username": unique("race-"), "name": "Racer", "password": "password1"});
    let mut tries = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (anyone, new) = (anyone.clone(), new.clone());
        tries.spawn(async move { anyone.post("/users/register", &new).await.status });
    }
    let mut statuses = tries.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400, 400, 400, 400, 400, 400, 400]);
}

#[tokio::test]
async fn all_faults_of_a_registration_are_found_at_once() {
    let anyone = Server::shared().anyone();
    let wrong = json!({"username": "a b", "name": "   ", "password": 12345678});
    let fault = |loc: &str, kind: &str| (loc.to_owned(), kind.to_owned());
    assert_eq!(
        anyone.post("/users/register", &wrong).await.faults(),
        [
            fault("body.username", "string_pattern_mismatch"),
            fault("body.name", "string_too_short"),
            fault("body.password", "string_type"),
        ]
    );
    assert_eq!(
        anyone.post("/users/register", &json!({})).await.faults(),
        [fault("body.username", "missing"), fault("body.name", "missing"), fault("body.password", "missing")]
    );
    let long = json!({"username": "u".repeat(51), "name": "n".repeat(101), "password": "ä".repeat(600)});
    let faults = anyone.post("/users/register", &long).await.faults();
    assert_eq!(
        faults,
        ["username", "name", "password"].map(|f| fault(&format!("body.{f}"), "string_too_long"))
    );
}

#[tokio::test]
async fn a_fault_is_worded_as_pydantic_does_and_repeats_no_secret() {
    let anyone = Server::shared().anyone();
    let answer = anyone
        .post("/users/register", &json!({"username": "ok_name", "name": "N", "password": "sEcret"}))
        .await;
    assert_eq!(
        answer.expect(422),
        json!({"detail": [{
            "loc": ["body", "password"], "msg": "String should have at least 8 characters", "type": "string_too_short"
        }]})
    );
    assert!(!String::from_utf8_lossy(&answer.body).contains("sEcret"));
}

#[tokio::test]
async fn wrong_credentials_are_all_answered_alike() {
    let server = Server::shared();
    let username = unique("eve-");
    let new = json!({"username": username, "name": "Eve", "password": "password1"});
    server.anyone().post("/users/register", &new).await.expect(200);
    for (name, password) in [(username.as_str(), "wrong password"), (&unique("nobody-"), "password1")] {
        let answer =
            server.anyone().post("/users/login", &json!({"username": name, "password": password})).await;
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        assert_eq!(answer.expect(401)["detail"], "Incorrect username or password");
    }
}

#[tokio::test]
async fn a_password_is_guessed_ten_times_and_then_no_more() {
    let server = Server::shared();
    let username = unique("mallory-");
    let new = json!({"username": username, "name": "M", "password": "password1"});
    server.anyone().post("/users/register", &new).await.expect(200);
    let login = |password: &str| json!({"username": username, "password": password});
    for _ in 0..10 {
        server.anyone().post("/users/login", &login("wrong one")).await.expect(401);
    }
    let refused = server.anyone().post("/users/login", &login("password1")).await;
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=300).contains(&wait), "{wait}");
    refused.expect(429);
    // A spoofed source makes no difference: no proxy is trusted.
    let request = server.anyone().request(Method::POST, "/users/login").json(&login("password1"));
    let spoofed = server.anyone().send(request.header("x-forwarded-for", "203.0.113.9")).await;
    spoofed.expect(429);
}

#[tokio::test]
async fn a_right_password_is_not_counted() {
    let server = Server::shared();
    let username = unique("often-");
    let new = json!({"username": username, "name": "Often", "password": "password1"});
    server.anyone().post("/users/register", &new).await.expect(200);
    for _ in 0..12 {
        server
            .anyone()
            .post("/users/login", &json!({"username": username, "password": "password1"}))
            .await
            .expect(200);
    }
}

#[tokio::test]
async fn right_passwords_lock_nobody_out_however_many_come_at_once_and_hang_up() {
    let server = Server::shared();
    let username = unique("hasty-");
    let new = json!({"username": username, "name": "Hasty", "password": "password1"});
    server.anyone().post("/users/register", &new).await.expect(200);
    let login = |password: &str| json!({"username": username, "password": password});
    let mut tries = tokio::task::JoinSet::new();
    for n in 0..28_u64 {
        let (anyone, right) = (server.anyone(), login("password1"));
        tries.spawn(async move {
            let answer = anyone.post("/users/login", &right);
            match n % 2 {
                0 => Some(answer.await.status),
                _ => tokio::time::timeout(std::time::Duration::from_millis(n), answer)
                    .await
                    .ok()
                    .map(|a| a.status),
            }
        });
    }
    let statuses: Vec<_> = tries.join_all().await.into_iter().flatten().collect();
    assert!(statuses.len() >= 14 && statuses.iter().all(|status| *status == 200), "{statuses:?}");
    server.anyone().post("/users/login", &login("password1")).await.expect(200);
    // Wrong ones count, whether somebody waits for the answer or not.
    for _ in 0..10 {
        let anyone = server.anyone();
        let wrong = login("wrong one");
        let answer = anyone.post("/users/login", &wrong);
        let _ = tokio::time::timeout(std::time::Duration::from_millis(12), answer).await;
    }
    testkit::poll("all are counted", async || {
        let answer = server.anyone().post("/users/login", &login("password1")).await;
        (answer.status == 429).then_some(())
    })
    .await;
}

#[tokio::test]
async fn names_of_people_are_kept_in_one_form_and_can_be_seen() {
    let anyone = Server::shared().anyone();
    let new = |name: &str| json!({"username": unique("n-"), "name": name, "password": "password1"});
    let user = anyone.post("/users/register", &new(" Jose\u{301} ")).await.expect(200);
    assert_eq!(user["name"], "Jos\u{e9}");
    for bad in ["a\u{7}", "\u{200b}", "a\u{202e}b", "\u{3164}"] {
        let refused = anyone.post("/users/register", &new(bad)).await;
        assert_eq!(refused.faults(), [("body.name".to_owned(), "value_error".to_owned())], "{bad:?}");
        let text = refused.expect(422)["detail"][0]["msg"].as_str().unwrap().to_owned();
        assert!(text.contains("U+") || text.contains("visible"), "{text}");
    }
}
