//! One machine: the adapters of the ports that need no account, and the server.

mod awake;
pub mod backup;
pub mod config;
pub mod files;
pub mod logging;
pub mod pool;
pub mod sandbox;
pub mod server;
pub mod sqlite;

/// How many processors there are for this process.
fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
