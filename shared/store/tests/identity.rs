//! What is stored of users, sessions and API keys: the same on this machine's table and on a stand-in for DynamoDB.

#![allow(clippy::unwrap_used, reason = "a test that can't go on says where")]

#[path = "../../aws/tests/support/mod.rs"]
mod support;

use std::sync::Arc;
use std::time::Duration;

use blobs::FileBlobs;
use domain::{ApiKey, ApiKeyId, Error, Plan, Role, Scope, Timestamp, User, UserId};
use ports::{Condition, Durability, Item, Write};
use sqlite::Database;
use store::{PageRequest, Store, keys};
use testkit::DynamoDb;
use tokio::task::JoinSet;
use uuid::Uuid;

/// Runs the cases on both tables.
async fn on_both<F: Future<Output = ()>>(case: impl Fn(Store) -> F) {
    let directory = tempfile::tempdir().unwrap();
    let blobs = Arc::new(FileBlobs::open(directory.path()).unwrap());
    let database = Database::open(directory.path()).unwrap();
    case(Store::new(database.table(), blobs.clone())).await;
    let engine = DynamoDb::start();
    let sdk = support::sdk(engine.url());
    support::create_table(&sdk, "table").await;
    case(Store::new(Arc::new(aws::DynamoDbTable::new(&sdk, "table")), blobs)).await;
}

fn now() -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000)
}

fn user(id: u64, username: &str, email: Option<&str>) -> User {
    User {
        id: UserId(id),
        username: username.into(),
        email: email.map(Into::into),
        name: "A User".into(),
        password_hash: "$argon2id$".into(),
        role: Role::User,
        plan: Plan::Free,
        is_active: true,
        password_changes: 0,
        kept_session: None,
        revision: 1,
        created_at: now(),
        updated_at: now(),
    }
}

fn code<T: std::fmt::Debug>(done: Result<T, Error>) -> &'static str {
    done.expect_err("it is refused").code
}

#[tokio::test]
async fn names_and_addresses_are_claimed_whatever_their_case() {
    on_both(async |store| {
        assert!(store.create_user(&user(1, "Ada", Some("Ada@Example.com")), false, None).await.unwrap());
        assert_eq!(code(store.create_user(&user(2, "ADA", None), false, None).await), "USERNAME_TAKEN");
        let same = user(3, "bob", Some("ADA@example.COM"));
        assert_eq!(code(store.create_user(&same, false, None).await), "EMAIL_TAKEN");
        assert_eq!(store.user(UserId(3)).await.unwrap(), None, "nothing of it is written");
        assert!(store.create_user(&user(3, "bob", None), false, None).await.unwrap(), "nor claimed");
        let claimed = store.claimed("aDa", Some("ada@EXAMPLE.com")).await.unwrap();
        assert!(claimed.username && claimed.email && !claimed.first_admin);
        for login in ["ada", "ADA@EXAMPLE.COM"] {
            assert_eq!(store.user_id_by_login(login).await.unwrap(), Some(UserId(1)), "{login}");
        }
        assert_eq!(store.user_id_by_login("bob@example.com").await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn an_address_that_is_given_up_is_free_and_one_that_is_taken_is_not() {
    on_both(async |store| {
        let ada = user(1, "ada", Some("ada@example.com"));
        let bob = user(2, "bob", None);
        for user in [&ada, &bob] {
            assert!(store.create_user(user, false, None).await.unwrap());
        }
        let with = |user: &User, email: &str| User {
            email: Some(email.into()),
            revision: user.revision + 1,
            ..user.clone()
        };
        assert_eq!(code(store.update_user(&bob, &with(&bob, "Ada@example.com")).await), "EMAIL_TAKEN");
        let moved = with(&ada, "ada@example.org");
        store.update_user(&ada, &moved).await.unwrap();
        assert_eq!(code(store.update_user(&ada, &with(&ada, "x@example.org")).await), "CHANGED_MEANWHILE");
        store.update_user(&bob, &with(&bob, "ada@example.com")).await.unwrap();
        assert_eq!(store.user_id_by_login("ada@example.com").await.unwrap(), Some(UserId(2)));
        // Another spelling of one's own address is one's own.
        store.update_user(&moved, &with(&moved, "ADA@example.org")).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_record_of_an_earlier_release_can_be_changed() {
    on_both(async |store| {
        let mut item = Item::new(keys::user(UserId(1)));
        let old = serde_json::json!({
            "id": 1, "username": "ada", "name": "Ada", "password_hash": "x",
            "created_at": now(), "updated_at": now()
        });
        item.attributes = old.as_object().unwrap().clone();
        store.table().write(vec![Write::Put(item, Condition::None)], Durability::Crash).await.unwrap();
        let before = store.user(UserId(1)).await.unwrap().unwrap();
        let after = User { role: Role::Admin, revision: 1, ..before.clone() };
        store.update_user(&before, &after).await.unwrap();
        assert_eq!(code(store.update_user(&before, &after).await), "CHANGED_MEANWHILE");
        assert!(!store.has_no_users().await.unwrap());
        assert!(store.claimed("bob", None).await.unwrap().first_admin, "nobody will be the first of them");
    })
    .await;
}

#[tokio::test]
async fn only_one_of_many_is_the_first() {
    on_both(async |store| {
        assert!(store.has_no_users().await.unwrap());
        let mut tries = JoinSet::new();
        for id in 1..=8 {
            let store = store.clone();
            let name = format!("user{id}");
            tries.spawn(async move { store.create_user(&user(id, &name, None), true, None).await.unwrap() });
        }
        let stored = tries.join_all().await;
        assert_eq!(stored.iter().filter(|stored| **stored).count(), 1, "{stored:?}");
        assert!(store.claimed("another", None).await.unwrap().first_admin);
        assert!(!store.create_user(&user(9, "user9", None), true, None).await.unwrap());
        assert_eq!(store.user(UserId(9)).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn what_is_revoked_is_remembered_until_it_would_have_ended() {
    on_both(async |store| {
        let (token, session) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let later = now() + Duration::from_secs(7200);
        store.revoke([(token, now()), (session, later)]).await.unwrap();
        // Twice is as good as once.
        store.revoke([(token, now()), (session, later)]).await.unwrap();
        let places = [token, session, Uuid::from_u128(3)].map(keys::revoked);
        let found = store.table().get_many(&places).await.unwrap();
        let ttls: Vec<_> = found.iter().map(|item| item.as_ref().and_then(|item| item.ttl)).collect();
        assert_eq!(ttls, [Some(now().as_seconds()), Some(later.as_seconds()), None]);
    })
    .await;
}

/// A user's keys that work at a time.
async fn listed(store: &Store, user: u64, at: Timestamp) -> Vec<(ApiKey, Option<Timestamp>)> {
    let page = PageRequest { limit: 100, after: None };
    let listed = store.api_keys(UserId(user), at, page).await.unwrap();
    assert_eq!(listed.next, None);
    listed.items
}

fn key(user: u64, n: u8, name: &str, days: u64) -> ApiKey {
    let created_at = now() + Duration::from_secs(n.into());
    ApiKey {
        id: ApiKeyId::of_user(UserId(user), [n; 16]),
        user_id: UserId(user),
        name: name.into(),
        scopes: vec![Scope::Read],
        hash: "0".repeat(64),
        created_at,
        expires_at: created_at + Duration::from_secs(days * 24 * 3600),
    }
}

#[tokio::test]
async fn api_keys_are_few_and_have_names_of_their_own() {
    on_both(async |store| {
        let most = u8::try_from(domain::limits::API_KEYS_PER_USER).unwrap();
        let mut tries = JoinSet::new();
        for n in 0..most + 4 {
            let store = store.clone();
            tries.spawn(async move {
                // As many at once as there are, so that one may have to be told to come again.
                loop {
                    match store.create_api_key(&key(1, n, &format!("key {n}"), 1), None).await {
                        Err(error) if error.code == "CHANGED_MEANWHILE" => {}
                        other => return other.map_err(|error| error.code),
                    }
                }
            });
        }
        let done = tries.join_all().await;
        let refused: Vec<_> = done.into_iter().filter_map(Result::err).collect();
        assert_eq!(refused, ["QUOTA_EXCEEDED"; 4]);
        let all = listed(&store, 1, now()).await;
        assert_eq!(all.len(), usize::from(most));
        assert!(all.is_sorted_by(|(one, _), (other, _)| one.created_at >= other.created_at));
        let mut paged = Vec::new();
        let mut after = None;
        loop {
            let page = PageRequest { limit: 7, after: after.take() };
            let part = store.api_keys(UserId(1), now(), page).await.unwrap();
            paged.extend(part.items);
            match part.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        assert_eq!(paged, all);
        assert_eq!(code(store.create_api_key(&key(1, 99, "another", 1), None).await), "QUOTA_EXCEEDED");
        // Another user's are no concern, nor are those that have expired.
        store.create_api_key(&key(2, 99, "key 0", 1), None).await.unwrap();
        let late =
            ApiKey { created_at: now() + Duration::from_secs(2 * 24 * 3600), ..key(1, 98, "KEY 0", 3) };
        store.create_api_key(&late, None).await.unwrap();
        assert_eq!(listed(&store, 1, late.created_at).await, [(late.clone(), None)]);
        let again = ApiKey { id: key(1, 97, "", 0).id, name: "Key\u{a0}0".into(), ..late.clone() };
        assert_eq!(code(store.create_api_key(&again, None).await), "API_KEY_NAME_TAKEN");
    })
    .await;
}

#[tokio::test]
async fn a_deleted_api_key_is_gone_with_its_name_and_its_use() {
    on_both(async |store| {
        let kept = key(1, 1, "ci", 90);
        store.create_api_key(&kept, None).await.unwrap();
        assert_eq!(store.api_key(kept.id).await.unwrap(), Some(kept.clone()));
        store.note_api_key_use(&kept, now()).await.unwrap();
        assert_eq!(listed(&store, 1, now()).await, [(kept.clone(), Some(now()))]);
        assert_eq!(code(store.delete_api_key(UserId(2), kept.id).await), "API_KEY_NOT_FOUND");
        store.delete_api_key(UserId(1), kept.id).await.unwrap();
        assert_eq!(code(store.delete_api_key(UserId(1), kept.id).await), "API_KEY_NOT_FOUND");
        assert_eq!(store.api_key(kept.id).await.unwrap(), None);
        let again = key(1, 2, "ci", 90);
        store.create_api_key(&again, None).await.unwrap();
        assert_eq!(listed(&store, 1, now()).await, [(again, None)]);
    })
    .await;
}
