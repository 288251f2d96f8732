//! What the catalogue says of an API document.

use crate::{Api, AppState};

/// An API document, as its crate describes it to whatever needs all of them (`functions/catalogue`).
pub struct Document {
    /// The folder of its crate, which is the package `<name>-api`. Its stack, its OpenAPI document and its binaries
    /// (`<name>-routes`, `<name>-table-routes`) are named after it.
    pub name: &'static str,
    /// All its routes.
    pub api: fn() -> Api<AppState>,
    /// The routes that need nothing but the table. On AWS they have a binary of their own, with no code of the others in it.
    pub table_api: fn() -> Api<AppState>,
    /// The routes that anyone may call, by their names. All others want a token: making one open is a decision, written
    /// down here.
    pub open: &'static [&'static str],
}
