//! `function-runner`: the whole platform on one machine.

use std::process::ExitCode;

use clap::Parser;
use localstack::config::{Cli, Command};
use localstack::{logging, sandbox, server};

/// A request makes and drops hundreds of small things, on several threads.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    // First, and before anything else is set up: this program is also the last step into the sandbox.
    if arguments.next().is_some_and(|first| first == sandbox::INIT) {
        sandbox::init_main(arguments);
    }
    let Cli { command: Command::Serve(config) } = Cli::parse();
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
