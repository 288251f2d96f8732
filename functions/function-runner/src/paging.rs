//! `limit` and `cursor`, the same for every list.

use domain::limits;
use ports::Position;
use serde::Deserialize;
use utoipa::IntoParams;
use web::{Caller, Cursors, Result, Web};

/// Which part of a list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// How many at most, 1 to 100; 50 where absent.
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: Option<usize>,
    /// The `next_cursor` of the page before.
    #[param(max_length = 4096)]
    cursor: Option<String>,
}

/// A list, as one caller walks it.
pub struct List<'a> {
    paging: Paging,
    cursors: Cursors<'a>,
}

impl Paging {
    /// Of these parameters.
    pub fn new(limit: Option<usize>, cursor: Option<String>) -> Self {
        Self { limit, cursor }
    }

    /// Of this caller's list of that name: its path and filters, so that a cursor of one is no good for another.
    pub fn list<'a>(self, web: &'a Web, caller: Caller, name: &[&str]) -> List<'a> {
        List { paging: self, cursors: Cursors::new(&web.secrets, caller, name) }
    }
}

impl List<'_> {
    /// The page asked for. 400 for a cursor of another list or caller.
    pub fn page(&self) -> Result<app::PageRequest> {
        let limit = self.paging.limit.unwrap_or(limits::PAGE);
        Ok(app::PageRequest { limit, after: self.cursors.open(self.paging.cursor.as_deref())? })
    }

    /// The cursor of the page after.
    pub fn next(&self, next: Option<Position>) -> Result<Option<String>> {
        self.cursors.seal(next.as_ref())
    }
}
