//! What an earlier release left.

use std::time::Duration;

use app::Quotas;
use app::functions::{FunctionChanges, NewFunction};
use domain::ExecutionType;
use testkit::new_function;

use crate::home::{Home, changes};

#[tokio::test]
async fn equal_code_of_an_earlier_release_stays_while_a_version_needs_it() {
    let home = Home::with(Quotas { versions: 2, ..Quotas::default() });
    let user = home.user().await;
    let function = home.function(user, ExecutionType::Sync).await;
    let id = function.id;
    for n in 2..=3 {
        home.app
            .functions
            .update(user, id, changes(&format!("def handler(event): return {n}")))
            .await
            .unwrap();
    }
    // Versions 1 and 3 of this function are in one place, as they would be where their code was equal.
    let table = home.store.table().clone();
    let mut item = table.get(&store::keys::version(id, 3)).await.unwrap().unwrap();
    item.attributes.insert("code_key".into(), function.current.code_key.clone().into());
    table
        .write(vec![ports::Write::Put(item, ports::Condition::None)], ports::Durability::Crash)
        .await
        .unwrap();
    home.pass(Duration::from_secs(21 * 60));
    home.sweep().await;
    assert!(home.store.version(id, 1).await.unwrap().is_none());
    assert!(home.store.blobs().get(&function.current.code_key).await.unwrap().is_some());
}

#[tokio::test]
async fn what_a_user_of_an_earlier_release_has_is_counted_once() {
    let home = Home::with(Quotas { workspaces: 3, functions: 2, ..Quotas::default() });
    let user = home.user().await;
    let first = home.function(user, ExecutionType::Sync).await;
    home.app.workspaces.create(user, "second", None).await.unwrap();
    // As they were before there were quotas.
    let table = home.store.table().clone();
    let forget = || {
        let gone = ports::Write::Delete(store::keys::quota(user), ports::Condition::None);
        table.write(vec![gone], ports::Durability::Crash)
    };
    let counts = async || {
        let item = table.get(&store::keys::quota(user)).await.unwrap().unwrap();
        ["workspaces", "functions"].map(|name| item.attributes[name].as_i64().unwrap())
    };
    assert_eq!(counts().await, [2, 1]);
    forget().await.unwrap();
    home.app.workspaces.create(user, "third", None).await.unwrap();
    assert_eq!(counts().await, [3, 1]);
    let full = home.app.workspaces.create(user, "fourth", None).await.unwrap_err();
    assert_eq!((full.code, full.kind), ("QUOTA_EXCEEDED", domain::Kind::Conflict));
    forget().await.unwrap();
    home.app.functions.delete(user, first.id).await.unwrap();
    assert_eq!(counts().await, [3, 0]);
    forget().await.unwrap();
    home.app.workspaces.delete(user, first.workspace_id).await.unwrap();
    assert_eq!(counts().await, [2, 0]);
    home.app.workspaces.create(user, "fourth", None).await.unwrap();
    forget().await.unwrap();
    home.app.accounts.log_in("192.0.2.1", "ada", "password1").await.unwrap();
    assert_eq!(counts().await, [3, 0], "before anything is made or deleted");
}

#[tokio::test]
async fn a_function_of_an_earlier_release_keeps_its_name_from_others() {
    let home = Home::new();
    let user = home.user().await;
    let function = home.function(user, ExecutionType::Sync).await;
    let named = |name: &str| FunctionChanges { name: Some(name.to_owned()), ..FunctionChanges::default() };
    home.app.functions.update(user, function.id, named("Straße")).await.unwrap();
    // As it was when names were compared by their lower case, and before there were quotas.
    let table = home.store.table();
    let claim = |name: &str| store::keys::function_name(function.workspace_id, name);
    let mut record = table.get(&store::keys::function(function.id)).await.unwrap().unwrap();
    record.attributes.remove("name_key").unwrap();
    let mut old = ports::Item::new(claim("straße"));
    old.attributes.insert("function_id".into(), function.id.to_string().into());
    let any = || ports::Condition::None;
    let writes = vec![
        ports::Write::Put(record, any()),
        ports::Write::Put(old, any()),
        ports::Write::Delete(claim("strasse"), any()),
        ports::Write::Delete(store::keys::quota(user), any()),
    ];
    table.write(writes, ports::Durability::Crash).await.unwrap();
    home.app.accounts.log_in("192.0.2.1", "ada", "password1").await.unwrap();

    let new = |name: &str| NewFunction {
        endpoint: Some("other".into()),
        ..new_function(function.workspace_id, name)
    };
    for name in ["STRASSE", "straße"] {
        let taken = home.app.functions.create(user, new(name)).await.unwrap_err();
        assert_eq!(taken.kind, domain::Kind::Conflict, "{name}: {taken}");
    }
    assert_eq!(home.app.functions.get(user, function.id).await.unwrap().name, "Straße");
    home.app.functions.delete(user, function.id).await.unwrap();
    home.app.functions.create(user, new("STRASSE")).await.unwrap();
}
