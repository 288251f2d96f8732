//! No statement's work may grow with what is stored: each is a search of an index, and none sorts.

use ports::{Index, Key, Position, Query, Sort};
use rusqlite::Connection;

use super::query::Search;
use super::{messages, queue, rows, schema};

fn plan(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect(sql);
    let unbound = vec![rusqlite::types::Null; statement.parameter_count()];
    let rows = statement.query_map(rusqlite::params_from_iter(unbound), |row| row.get(3)).expect(sql);
    rows.collect::<Result<_, _>>().expect(sql)
}

fn searches() -> Vec<Query> {
    let sorts = [Sort::All, Sort::Prefix("b".into()), Sort::Between("b".into(), "d".into())];
    let mut all = Vec::new();
    for index in [Index::Primary, Index::Gsi1, Index::Gsi2] {
        for sort in &sorts {
            for descending in [false, true] {
                for after in [None, Some("a"), Some("c"), Some("e")] {
                    let after = after.map(|sk| Position {
                        key: Key::new("p", sk),
                        index: (index != Index::Primary).then(|| Key::new("p", sk)),
                    });
                    let (sort, partition) = (sort.clone(), "p".into());
                    all.push(Query { index, partition, sort, descending, limit: 9, after });
                }
            }
        }
    }
    all
}

#[test]
fn no_statement_scans_or_sorts() {
    let dir = tempfile::tempdir().expect("a directory");
    let connection = schema::open(&dir.path().join("test.db")).expect("open");
    let searches: Vec<_> = searches().iter().map(|query| Search::new(query).expect("a search").sql).collect();
    let fixed = [&rows::STATEMENTS[..], &messages::STATEMENTS[..]].concat();
    for sql in fixed.into_iter().chain(searches.iter().map(String::as_str)) {
        for step in plan(&connection, sql) {
            // The index of what is held has nothing else in it.
            let of_held = step == "SCAN messages USING INDEX messages_held";
            // One row from the end of the table; and lists of ids that a limit bounds.
            let fine = of_held || step == "SCAN CONSTANT ROW" || !step.contains("SCAN");
            assert!(fine && !step.contains("TEMP B-TREE"), "{sql}\n{step}");
        }
    }
    // In the order of its index, until the limit.
    assert_eq!(
        plan(&connection, queue::DEAD_LETTERS),
        ["SCAN dead_letters USING INDEX dead_letters_died_at"]
    );
}

/// A page must begin where the one before it ended, and not step over what came before.
#[test]
fn pages_search_by_where_they_begin() {
    let dir = tempfile::tempdir().expect("a directory");
    let connection = schema::open(&dir.path().join("test.db")).expect("open");
    for query in
        searches().into_iter().filter(|query| query.after.as_ref().is_some_and(|after| after.key.sk == "c"))
    {
        let sql = Search::new(&query).expect("a search").sql;
        let ends = if query.sort == Sort::All { 1 } else { 2 };
        let [step] = &plan(&connection, &sql)[..] else { panic!("one step: {sql}") };
        let bounds = step.matches(['<', '>']).count();
        assert_eq!(bounds, ends, "{sql}\n{step}");
    }
}
