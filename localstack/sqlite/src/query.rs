//! Queries, each one search of one index.

use std::cmp::Ordering;

use ports::{Index, Key, Page, Position, Query, Sort, TableError};
use rusqlite::{Connection, ToSql};

use super::{fault::Fault, rows};

/// Attributes in a page, in bytes; DynamoDB's limit, and what bounds the memory of an answer.
const MAX_PAGE_BYTES: usize = 1 << 20;

/// One end of a range of sort keys.
#[derive(Clone, Debug)]
enum End {
    Open,
    /// This sort key and on, or what comes after it.
    At {
        sort: String,
        included: bool,
    },
    /// What comes after the item here.
    Past(Position),
}

/// A query as SQL.
#[derive(Debug)]
pub(super) struct Search {
    pub(super) sql: String,
    values: Vec<String>,
    index: Index,
    limit: usize,
}

impl Search {
    pub(super) fn new(query: &Query) -> Result<Self, TableError> {
        let broken = |reason: &str| Err(TableError::Broken(reason.into()));
        if query.limit == 0 {
            return broken("a query with a limit of 0");
        }
        let after = match (&query.after, query.index) {
            (Some(position), Index::Gsi1 | Index::Gsi2) if position.index.is_none() => {
                return broken("a position in the table, where one in an index is needed");
            }
            (after, _) => after.clone(),
        };
        let (mut low, mut high) = ends(&query.sort);
        if let Some(position) = after {
            // Only the tighter one of two ends at one side: SQLite would search by either, and step over the rest.
            let sort = position
                .index
                .as_ref()
                .filter(|_| query.index != Index::Primary)
                .unwrap_or(&position.key)
                .sk
                .as_str();
            let (end, inward) =
                if query.descending { (&mut high, Ordering::Less) } else { (&mut low, Ordering::Greater) };
            let tighter = match end {
                End::At { sort: at, included } => {
                    let order = sort.cmp(at);
                    order == inward || (order == Ordering::Equal && *included)
                }
                End::Open | End::Past(_) => true,
            };
            if tighter {
                *end = End::Past(position);
            }
        }
        let mut search = Self {
            sql: String::new(),
            values: vec![query.partition.clone()],
            index: query.index,
            limit: query.limit,
        };
        let (partition, order) = match query.index {
            Index::Primary => ("pk", ["sk"].as_slice()),
            Index::Gsi1 => ("gsi1pk", ["gsi1sk", "pk", "sk"].as_slice()),
            Index::Gsi2 => ("gsi2pk", ["gsi2sk", "pk", "sk"].as_slice()),
        };
        search.sql = format!("SELECT {} FROM items WHERE {partition} = ?1", rows::COLUMNS);
        search.bound(order, low, ">");
        search.bound(order, high, "<");
        let direction = if query.descending { " DESC" } else { "" };
        let order: Vec<_> = order.iter().map(|column| format!("{column}{direction}")).collect();
        search.sql += &format!(" ORDER BY {}", order.join(", "));
        Ok(search)
    }

    /// Runs it. Reads one row more than the limit, to know whether there is more.
    pub(super) fn run(&self, connection: &Connection) -> Result<Page, Fault> {
        let mut statement = connection.prepare_cached(&self.sql)?;
        let values: Vec<&dyn ToSql> = self.values.iter().map(|value| value as &dyn ToSql).collect();
        let mut found = statement.query(values.as_slice())?;
        let mut page = Page::default();
        let mut bytes = 0;
        while let Some(row) = found.next()? {
            bytes += rows::body_len(row)?;
            if page.items.len() == self.limit || (bytes > MAX_PAGE_BYTES && !page.items.is_empty()) {
                page.next = page.items.last().map(|item| Position {
                    key: item.key.clone(),
                    index: match self.index {
                        Index::Primary => None,
                        Index::Gsi1 => item.gsi1.clone(),
                        Index::Gsi2 => item.gsi2.clone(),
                    },
                });
                break;
            }
            page.items.push(rows::item(row)?);
        }
        Ok(page)
    }

    fn bound(&mut self, order: &[&str], end: End, operator: &str) {
        match end {
            End::Open => {}
            End::At { sort, included } => {
                let equal = if included { "=" } else { "" };
                let place = self.bind(sort);
                self.sql += &format!(" AND {} {operator}{equal} {place}", order[0]);
            }
            End::Past(Position { key, index }) => {
                let Key { pk, sk } = key;
                let values = match (self.index, index) {
                    (Index::Primary, _) | (_, None) => vec![sk],
                    (_, Some(index)) => vec![index.sk, pk, sk],
                };
                let places: Vec<_> = values.into_iter().map(|value| self.bind(value)).collect();
                self.sql += &format!(" AND ({}) {operator} ({})", order.join(", "), places.join(", "));
            }
        }
    }

    fn bind(&mut self, value: String) -> String {
        self.values.push(value);
        format!("?{}", self.values.len())
    }
}

fn ends(sort: &Sort) -> (End, End) {
    match sort {
        Sort::All => (End::Open, End::Open),
        Sort::Between(low, high) => {
            (End::At { sort: low.clone(), included: true }, End::At { sort: high.clone(), included: true })
        }
        Sort::Prefix(prefix) => {
            let low = End::At { sort: prefix.clone(), included: true };
            (low, after_prefix(prefix).map_or(End::Open, |sort| End::At { sort, included: false }))
        }
    }
}

/// The least string that is greater than all that begin with the prefix; `None` where there is none. UTF-8 sorts as the
/// characters do.
pub(super) fn after_prefix(prefix: &str) -> Option<String> {
    let mut head = prefix.to_owned();
    while let Some(last) = head.pop() {
        // Skips the surrogates, as `char` ranges do.
        if let Some(next) = (last..=char::MAX).nth(1) {
            head.push(next);
            return Some(head);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_after_a_prefix() {
        assert_eq!(after_prefix("JOB#").as_deref(), Some("JOB$"));
        assert_eq!(after_prefix("a\u{d7ff}").as_deref(), Some("a\u{e000}"));
        assert_eq!(after_prefix("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(after_prefix("\u{10ffff}"), None);
        assert_eq!(after_prefix(""), None);
    }
}
