//! `function-runner`: the whole platform on one machine. The same handlers as on AWS, on parts that need no account.

mod acks;
mod backup;
mod chores;
mod config;
mod http;
mod logging;
mod secret;
mod serve;
mod settling;
mod turns;
mod welcome;
mod workers;

use std::io::Write;
use std::process::ExitCode;

use backup::BackupError;
use clap::Parser;
use config::{Cli, Command, Config};

/// A request makes and drops hundreds of small things, on several threads.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // Before anything else is set up.
    pool::take_part_if_asked();
    match Cli::parse().command {
        Command::Serve(config) => serve(config),
        Command::Backup(asked) => tell(backup::backup(&asked.data, &asked.file)),
        Command::Restore(asked) => tell(backup::restore(&asked.file, &asked.data)),
    }
}

fn serve(config: Config) -> ExitCode {
    let _log = logging::start(config.log);
    match serve::serve(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Says what was done, or why it was not.
fn tell(done: Result<String, BackupError>) -> ExitCode {
    // Whether anybody reads it or not.
    match done {
        Ok(done) => {
            let _ = writeln!(std::io::stdout(), "{done}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "function-runner: {error}");
            ExitCode::FAILURE
        }
    }
}
