//! The SQLite table against one that is obviously right, by random operations: alone, and many at once in one commit.

use std::collections::BTreeSet;

use futures::future::join_all;
use ports::memory::MemoryTable;
use ports::{
    Change, Check, Condition, Durability, Index, Item, Key, Position, Query, Sort, Table, TableError, Write,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use sqlite::Database;

#[derive(Clone, Debug)]
enum Op {
    Write(Vec<Write>),
    Update(Key, Vec<Change>, Condition),
}

/// What an operation came to, as far as the two must agree.
#[derive(Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "it lives for one comparison")]
enum Outcome {
    Done(Option<Item>),
    Failed(usize),
    Broken,
}

async fn run(table: &dyn Table, op: Op, durability: Durability) -> Outcome {
    let result = match op {
        Op::Write(writes) => table.write(writes, durability).await.map(|()| None),
        Op::Update(key, changes, condition) => table.update(key, changes, condition).await.map(Some),
    };
    match result {
        Ok(item) => Outcome::Done(item),
        Err(TableError::Condition { index }) => Outcome::Failed(index),
        Err(TableError::Broken(_)) => Outcome::Broken,
        Err(error) => panic!("{error}"),
    }
}

fn keys() -> impl Strategy<Value = Key> {
    (select(vec!["p", "q"]), select(vec!["", "a", "a#", "aé", "b"])).prop_map(|(pk, sk)| Key::new(pk, sk))
}

fn names() -> impl Strategy<Value = &'static str> {
    select(vec!["n", "status", "a.b"])
}

fn values() -> impl Strategy<Value = Value> {
    select(vec![
        json!(0),
        json!(1),
        json!(2),
        json!("x"),
        json!("1"),
        json!(true),
        json!(null),
        json!({"d": [1]}),
    ])
}

fn conditions() -> impl Strategy<Value = Condition> {
    let check = prop_oneof![
        (names(), values()).prop_map(|(name, value)| Check::Equals(name, value)),
        (names(), vec(values(), 1..3)).prop_map(|(name, values)| Check::OneOf(name, values)),
        (names(), 0..3_i64).prop_map(|(name, bound)| Check::LessOrMissing(name, bound)),
    ];
    prop_oneof![
        4 => Just(Condition::None),
        1 => Just(Condition::Absent),
        2 => vec(check, 0..3).prop_map(Condition::Present),
    ]
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let change = prop_oneof![
        (names(), values()).prop_map(|(name, value)| Change::Set(name.into(), value)),
        names().prop_map(|name| Change::Remove(name.into())),
        (names(), -2..3_i64).prop_map(|(name, amount)| Change::Add(name.into(), amount)),
        proptest::option::of(keys()).prop_map(Change::Gsi1),
        proptest::option::of(keys()).prop_map(Change::Gsi2),
        proptest::option::of(0..9_i64).prop_map(Change::Ttl),
    ];
    vec(change, 0..4)
}

fn items() -> impl Strategy<Value = Item> {
    let attributes = proptest::collection::btree_map(names(), values(), 0..3);
    let places = (proptest::option::of(keys()), proptest::option::of(keys()), proptest::option::of(0..9_i64));
    (keys(), attributes, places).prop_map(|(key, attributes, (gsi1, gsi2, ttl))| Item {
        key,
        gsi1,
        gsi2,
        ttl,
        attributes: attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
    })
}

fn ops() -> impl Strategy<Value = Op> {
    let write = prop_oneof![
        2 => (items(), conditions()).prop_map(|(item, condition)| Write::Put(item, condition)),
        2 => (keys(), changes(), conditions()).prop_map(|(key, changes, condition)| Write::Update(key, changes, condition)),
        1 => (keys(), conditions()).prop_map(|(key, condition)| Write::Delete(key, condition)),
        1 => (keys(), conditions()).prop_map(|(key, condition)| Write::Check(key, condition)),
    ];
    let writes = vec(write, 1..6).prop_map(|mut writes| {
        let mut seen = BTreeSet::new();
        writes.retain(|write| seen.insert(write.key().clone()));
        writes
    });
    prop_oneof![
        3 => writes.prop_map(Op::Write),
        1 => (keys(), changes(), conditions()).prop_map(|(key, changes, condition)| Op::Update(key, changes, condition)),
    ]
}

/// Mostly what goes to the journal.
fn durabilities() -> impl Strategy<Value = Durability> {
    select(vec![Durability::Crash, Durability::Crash, Durability::Crash, Durability::Power])
}

fn queries() -> impl Strategy<Value = Query> {
    let sort = || select(vec!["", "a", "a#", "aé", "b", "c"]);
    let sorts = prop_oneof![
        Just(Sort::All),
        sort().prop_map(|prefix| Sort::Prefix(prefix.into())),
        (sort(), sort()).prop_map(|(low, high)| Sort::Between(low.into(), high.into())),
    ];
    let index = select(vec![Index::Primary, Index::Gsi1, Index::Gsi2]);
    let after = proptest::option::of((keys(), sort()));
    (index, select(vec!["p", "q"]), sorts, any::<bool>(), 1..5_usize, after).prop_map(
        |(index, partition, sort, descending, limit, after)| {
            let after = after.map(|(key, sk)| match index {
                Index::Primary => Position { key: Key { pk: partition.into(), ..key }, index: None },
                _ => Position { key, index: Some(Key::new(partition, sk)) },
            });
            Query { index, partition: partition.into(), sort, descending, limit, after }
        },
    )
}

/// All the items that the query has from there on, page by page.
async fn pages(table: &dyn Table, mut query: Query) -> Vec<Item> {
    let mut found = Vec::new();
    loop {
        let page = table.query(&query).await.expect("query");
        let full = page.items.len() == query.limit;
        assert!(full || page.next.is_none(), "small items fill a page");
        assert!(page.next.is_none() || full, "and there is no empty last page");
        found.extend(page.items);
        match page.next {
            Some(next) => query.after = Some(next),
            None => return found,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_table_does_what_the_model_does(
        // Each inner list is asked for at once.
        rounds in vec(vec((ops(), durabilities()), 1..12), 1..12),
        queries in vec(queries(), 12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let dir = tempfile::tempdir().expect("a directory");
            let database = Database::open(dir.path()).expect("open");
            let table = database.table();
            let model = MemoryTable::default();
            for (number, (round, query)) in rounds.into_iter().zip(queries.iter().cycle()).enumerate() {
                // They are asked for in this order, as each is first polled.
                let outcomes = join_all(round.iter().map(|(op, durability)| run(&*table, op.clone(), *durability))).await;
                for ((op, _), outcome) in round.into_iter().zip(outcomes) {
                    prop_assert_eq!(outcome, run(&model, op.clone(), Durability::Crash).await, "{:?}", op);
                }
                for item in model.items() {
                    let found = table.get(&item.key).await.expect("get");
                    prop_assert_eq!(found.as_ref(), Some(&item));
                }
                // Not always: a query has what is in the journal put into SQLite.
                if number % 3 == 2 {
                    prop_assert_eq!(pages(&*table, query.clone()).await, pages(&model, query.clone()).await, "{:?}", query);
                }
            }
            for query in &queries {
                prop_assert_eq!(pages(&*table, query.clone()).await, pages(&model, query.clone()).await, "{:?}", query);
            }
            let keys: Vec<_> = model.items().into_iter().map(|item| item.key).collect();
            let expected: Vec<_> = model.items().into_iter().map(Some).collect();
            prop_assert_eq!(table.get_many(&keys).await.expect("get_many"), expected);
            Ok(())
        })?;
    }
}
