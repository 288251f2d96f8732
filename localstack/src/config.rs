//! What the server is told: flags, each also as an environment variable. Read once.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use http::HeaderValue;
use ipnet::IpNet;

/// Save Python and Node.js functions, and run them: the whole platform on one machine.
#[derive(Parser)]
#[command(name = "function-runner", version, about)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Subcommand)]
pub enum Command {
    /// Serve the platform's APIs until SIGTERM or Ctrl-C.
    Serve(Config),
}

/// How to serve.
#[derive(Args, Clone, Debug)]
pub struct Config {
    /// The address to listen on.
    #[arg(long, env = "FUNCTION_RUNNER_HOST", default_value = "127.0.0.1")]
    pub host: IpAddr,

    /// The port to listen on; 0 picks a free one.
    #[arg(long, env = "FUNCTION_RUNNER_PORT", default_value_t = 8000)]
    pub port: u16,

    /// Where everything is kept.
    #[arg(long, env = "FUNCTION_RUNNER_DATA", default_value = ".function-runner", value_name = "DIR")]
    pub data: PathBuf,

    /// How user code is kept apart; the best that works here where absent.
    #[arg(long, env = "FUNCTION_RUNNER_SANDBOX", default_value = "auto")]
    pub sandbox: Sandbox,

    /// Run user code with your own rights. Only for code that you wrote; listens on loopback only.
    #[arg(long, env = "FUNCTION_RUNNER_UNSAFE_NO_SANDBOX")]
    pub unsafe_no_sandbox: bool,

    /// How many runs of one function at once.
    #[arg(long, env = "FUNCTION_RUNNER_FUNCTION_CONCURRENCY", default_value_t = 10, value_name = "N")]
    pub function_concurrency: usize,

    /// How many runs of one workspace at once.
    #[arg(long, env = "FUNCTION_RUNNER_WORKSPACE_CONCURRENCY", default_value_t = 40, value_name = "N")]
    pub workspace_concurrency: usize,

    /// How many runs at once.
    #[arg(long, env = "FUNCTION_RUNNER_CONCURRENCY", default_value_t = 64, value_name = "N")]
    pub concurrency: usize,

    /// How many interpreters of each language to keep warm for functions that have no worker. With none, the first call of
    /// a function waits for one to start.
    #[arg(long, env = "FUNCTION_RUNNER_SPARES", default_value_t = 1, value_name = "N")]
    pub spares: usize,

    /// An origin that browsers may call from, such as `https://app.example.com`; may be given again. Any where absent.
    #[arg(long, env = "FUNCTION_RUNNER_ALLOWED_ORIGINS", value_delimiter = ',', value_name = "ORIGIN")]
    pub allowed_origin: Vec<HeaderValue>,

    /// A proxy whose `X-Forwarded-For` is believed, as an address or a network; may be given again. None where absent.
    #[arg(long, env = "FUNCTION_RUNNER_TRUSTED_PROXIES", value_delimiter = ',', value_name = "NET", value_parser = net)]
    pub trusted_proxy: Vec<IpNet>,

    /// Where callers reach this server, as `https://functions.example.com`, for the URLs that answers hold. Taken from each
    /// request where absent.
    #[arg(long, env = "FUNCTION_RUNNER_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,

    /// How log lines look; for people on a terminal and JSON elsewhere where absent.
    #[arg(long, env = "FUNCTION_RUNNER_LOG", value_name = "FORMAT")]
    pub log: Option<LogFormat>,
}

/// How user code is kept apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Sandbox {
    /// The best that works here.
    Auto,
    /// Namespaces, made by bubblewrap.
    Bubblewrap,
    /// Landlock and seccomp.
    Landlock,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For programs.
    Json,
    /// For people.
    Text,
}

fn net(text: &str) -> Result<IpNet, String> {
    text.parse::<IpNet>()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| "not an address (10.0.0.1) or a network (10.0.0.0/8)".to_owned())
}
