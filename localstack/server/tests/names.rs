//! Names that were claimed when they were compared by their lower case alone.

#![allow(clippy::unwrap_used, reason = "a test that can't go on says where")]

use std::sync::Arc;

use blobs::FileBlobs;
use domain::{Kind, Timestamp, UserId, Workspace, WorkspaceId, text};
use ports::{Condition, Durability, Item, Table, Write};
use sqlite::Database;
use store::quotas::{Counted, Quota};
use store::{Store, keys};

const OWNER: UserId = UserId(7);
const QUOTA: Quota = Quota { of: Counted::Workspaces, most: 100 };

fn workspace(number: u8, name: &str) -> Workspace {
    Workspace {
        id: WorkspaceId::from_random([number; 16]),
        name: name.to_owned(),
        name_key: Some(text::name_key(name)),
        description: None,
        owner_id: OWNER,
        revision: 1,
        created_at: Timestamp::from_millis(1),
        updated_at: Timestamp::from_millis(1),
    }
}

/// A workspace as the version before wrote it.
async fn old(table: &Arc<dyn Table>, number: u8, name: &str) -> Workspace {
    let workspace = Workspace { name_key: None, ..workspace(number, name) };
    let mut claim = Item::new(keys::workspace_name(OWNER, &name.to_lowercase()));
    claim.attributes.insert("workspace_id".into(), workspace.id.to_string().into());
    let mut record = Item::new(keys::workspace(workspace.id));
    let value = serde_json::to_value(&workspace).unwrap();
    assert!(value.get("name_key").is_none(), "{value}");
    record.attributes.extend(value.as_object().unwrap().clone());
    let writes = vec![Write::Put(claim, Condition::Absent), Write::Put(record, Condition::Absent)];
    table.write(writes, Durability::Crash).await.unwrap();
    workspace
}

/// What has no counts yet is seen to before anything new is made.
#[tokio::test]
async fn are_taken_by_today_s_rules_too() {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::open(directory.path()).unwrap();
    let table: Arc<dyn Table> = database.table();
    let store = Store::new(table.clone(), Arc::new(FileBlobs::open(directory.path()).unwrap()));
    let (sharp, decomposed) = (old(&table, 1, "Straße").await, old(&table, 2, "Cafe\u{301}").await);
    for (number, name) in [(3, "STRASSE"), (4, "strasse"), (5, "Caf\u{e9}"), (6, "Straße")] {
        let error = store.create_workspace(&workspace(number, name), QUOTA, None).await.unwrap_err();
        assert_eq!(error.code, "WORKSPACE_NAME_TAKEN", "{name}");
    }
    for old in [sharp, decomposed] {
        let renewed = store.workspace(old.id).await.unwrap().unwrap();
        assert_eq!((&renewed.name, renewed.updated_at), (&old.name, old.updated_at));
        store.delete_workspace(&old, Timestamp::from_millis(2)).await.unwrap();
        let again = Workspace { id: workspace(7, "x").id, ..workspace(7, &old.name) };
        store.create_workspace(&again, QUOTA, None).await.unwrap();
        store.delete_workspace(&again, Timestamp::from_millis(2)).await.unwrap();
    }
}

#[tokio::test]
async fn stay_taken_and_are_given_back() {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::open(directory.path()).unwrap();
    let table: Arc<dyn Table> = database.table();
    let store = Store::new(table.clone(), Arc::new(FileBlobs::open(directory.path()).unwrap()));
    let taken = async |new: &Workspace| {
        store.create_workspace(new, QUOTA, None).await.unwrap_err().kind == Kind::Conflict
    };

    // Both could be there, and each is still found.
    let (sharp, double) = (old(&table, 1, "Straße").await, old(&table, 2, "strasse").await);
    assert_eq!(store.workspace(sharp.id).await.unwrap(), Some(sharp.clone()));
    assert!(taken(&workspace(3, "Straße")).await, "by the old claim of the one");
    assert!(taken(&workspace(4, "STRASSE")).await, "by the claim of the other");
    // A change that is none of the name leaves the claim where it is.
    let described = Workspace { description: Some("d".into()), revision: 2, ..sharp.clone() };
    store.update_workspace(&sharp, &described).await.unwrap();
    assert!(taken(&workspace(3, "straße")).await);
    // Deleting one gives back its own claim, and not the other's.
    store.delete_workspace(&described, Timestamp::from_millis(2)).await.unwrap();
    assert!(taken(&workspace(5, "Straße")).await, "folds to the other's name");
    store.delete_workspace(&double, Timestamp::from_millis(2)).await.unwrap();
    let new = workspace(6, "Straße");
    store.create_workspace(&new, QUOTA, None).await.unwrap();
    assert!(taken(&workspace(7, "STRASSE")).await);

    // Renaming an old one moves its claim, to its own old name in another case, too.
    let old_one = old(&table, 8, "Maße").await;
    let renamed = Workspace { revision: 2, ..Workspace { id: old_one.id, ..workspace(8, "MASSE") } };
    store.update_workspace(&old_one, &renamed).await.unwrap();
    assert!(taken(&workspace(9, "Maße")).await);
    let away = Workspace { revision: 3, ..Workspace { id: old_one.id, ..workspace(8, "Elle") } };
    store.update_workspace(&renamed, &away).await.unwrap();
    store.create_workspace(&workspace(10, "maße"), QUOTA, None).await.unwrap();
}
