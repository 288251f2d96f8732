//! The pool as it runs in the server: real interpreters, under every sandbox that this machine has.

// A helper of tests may fail as a test does.
#![allow(clippy::unwrap_used)]

mod at_the_start;
mod calls;
mod catalogue;
mod check;
mod concurrency;
mod errors;
mod escape;
mod handlers;
mod hostile;
mod ipc;
mod kit;
mod leftovers;
mod library;
mod neighbours;
mod oracle;
mod results;
mod source;
mod streams;
