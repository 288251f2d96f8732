//! `limit` and `cursor`, the same for every list.

use domain::{UserId, limits};
use ports::Position;
use serde::Deserialize;
use utoipa::IntoParams;
use web::{Result, Web, cursor};

/// Which part of a list.
#[derive(Clone, Deserialize, IntoParams)]
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
    web: &'a Web,
    caller: UserId,
    name: String,
}

impl Paging {
    /// Of these parameters.
    pub fn new(limit: Option<usize>, cursor: Option<String>) -> Self {
        Self { limit, cursor }
    }

    /// Of the list of this name: its path and filters, so that a cursor of one is no good for another.
    pub fn list(self, web: &Web, caller: UserId, name: impl Into<String>) -> List<'_> {
        List { paging: self, web, caller, name: name.into() }
    }
}

impl List<'_> {
    /// The page asked for. 400 for a cursor of another list or caller.
    pub fn page(&self) -> Result<app::PageRequest> {
        let limit = self.paging.limit.unwrap_or(limits::PAGE);
        let cursor = self.paging.cursor.as_deref();
        let after = cursor.map(|cursor| cursor::open(&self.web.secrets, self.caller, &self.name, cursor));
        Ok(app::PageRequest { limit, after: after.transpose()? })
    }

    /// The cursor of the page after.
    pub fn next(&self, next: Option<Position>) -> Result<Option<String>> {
        Ok(next.map(|next| cursor::seal(&self.web.secrets, self.caller, &self.name, &next)))
    }
}
