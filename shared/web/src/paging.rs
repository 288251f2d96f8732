//! `limit` and `cursor`, the same for every list.

use domain::{Fault, Field, Rule, limits};
use http::HeaderValue;
use ports::Position;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{Caller, Cursors, Result, Web};

/// Which part of a list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// How many at most, 1 to 100. Without it, all of them up to 1000 entries or 4 MB.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// The cursor that the page before gave.
    #[param(max_length = 4096)]
    cursor: Option<String>,
}

/// A list, as one caller walks it.
pub struct List<'a> {
    paging: Paging,
    /// How many where the caller doesn't say.
    default: usize,
    cursors: Cursors<'a>,
}

impl Paging {
    /// Of these parameters.
    pub fn new(limit: Option<usize>, cursor: Option<String>) -> Self {
        Self { limit, cursor }
    }

    /// Of this caller's list of that name: its path and filters, so that a cursor of one is no good for another.
    pub fn list<'a>(self, web: &'a Web, caller: Caller, name: &[&str]) -> List<'a> {
        let cursors = Cursors::new(&web.secrets, caller, name);
        List { paging: self, default: limits::WHOLE_LIST, cursors }
    }
}

impl List<'_> {
    /// With [`limits::PAGE`] of them where the caller doesn't say, since each may be large.
    pub fn by_pages(self) -> Self {
        Self { default: limits::PAGE, ..self }
    }

    /// The page asked for. 400 for a cursor of another list or caller.
    pub fn page(&self) -> Result<app::PageRequest> {
        let limit = self.paging.limit.unwrap_or(self.default);
        Ok(app::PageRequest { limit, after: self.cursors.open(self.paging.cursor.as_deref())? })
    }

    /// Likewise, in an API that tells every 400 by its field.
    pub fn page_or_fault(&self) -> Result<app::PageRequest> {
        self.page().map_err(|_| {
            domain::Error::invalid(vec![Fault::new(Field::query("cursor"), Rule::Cursor)]).into()
        })
    }

    /// The cursor of the page after.
    pub fn next(&self, next: Option<Position>) -> Result<Option<String>> {
        self.cursors.seal(next.as_ref())
    }

    /// The page after of the list at this URL, as a `Link` header has it (RFC 8288).
    pub fn link(&self, url: &str, next: Option<Position>) -> Result<Option<HeaderValue>> {
        let Some(cursor) = self.next(next)? else { return Ok(None) };
        let limit = self.paging.limit.map(|limit| format!("limit={limit}&")).unwrap_or_default();
        let link = format!("<{url}?{limit}cursor={cursor}>; rel=\"next\"");
        Ok(Some(HeaderValue::try_from(link).map_err(domain::Error::internal)?))
    }
}
