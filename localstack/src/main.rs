//! `function-runner`: the whole platform on one machine.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use localstack::backup::{self, BackupError};
use localstack::config::{Cli, Command, Config};
use localstack::{logging, sandbox, server};

/// A request makes and drops hundreds of small things, on several threads.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    runtime::check::answer_if_asked();
    let mut arguments = std::env::args_os().skip(1);
    // Before anything else is set up: this program is also the last step into the sandbox.
    if arguments.next().is_some_and(|first| first == sandbox::INIT) {
        sandbox::init_main(arguments);
    }
    match Cli::parse().command {
        Command::Serve(config) => serve(config),
        Command::Backup(asked) => tell(backup::backup(&asked.data, &asked.file)),
        Command::Restore(asked) => tell(backup::restore(&asked.file, &asked.data)),
    }
}

fn serve(config: Config) -> ExitCode {
    let Ok(_log) = logging::start(config.log) else {
        // No thread can be started, and so nothing else either.
        return ExitCode::FAILURE;
    };
    match server::serve(config) {
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
