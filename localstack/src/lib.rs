//! One machine: the adapters of the ports that need no account, and the server.

pub mod files;
pub mod pool;
pub mod sandbox;
pub mod sqlite;
