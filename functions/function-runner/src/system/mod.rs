//! `/` and `/health`.

pub mod health;
pub mod root;
