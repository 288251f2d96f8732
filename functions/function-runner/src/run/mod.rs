//! `/run`: HTTP triggers.

pub mod trigger;
