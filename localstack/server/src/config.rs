//! What the server is told: flags, each also as an environment variable. Read once.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use domain::limits;
use http::HeaderValue;
use ipnet::IpNet;

/// Save Python and Node.js functions and run them: the whole platform on one machine.
#[derive(Parser)]
#[command(name = "function-runner", version, about)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Serve the platform's APIs until SIGTERM or Ctrl-C.
    Serve(Config),
    /// Copy all that a data directory holds into one new file, whether a server works with it or not.
    ///
    /// The file holds users, workspaces, functions, jobs, what is queued, and the server's secret: whoever can read it can
    /// act as any user, so only you can (mode 0600). What was acknowledged before this began is in it. It is a zip file;
    /// `function-runner restore FILE --data DIR` makes a data directory of it.
    Backup(Backup),
    /// Make a data directory of a backup. Start a server on it with `function-runner serve --data DIR`.
    Restore(Restore),
}

/// What to back up.
#[derive(Args, Clone, Debug)]
pub(crate) struct Backup {
    /// The file to write. It must not be there yet.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// The data directory.
    #[arg(long, env = "FUNCTION_RUNNER_DATA", default_value = ".function-runner", value_name = "DIR")]
    pub(crate) data: PathBuf,
}

/// What to restore.
#[derive(Args, Clone, Debug)]
pub(crate) struct Restore {
    /// What `function-runner backup` wrote.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// The data directory to make. It must be empty, or not there yet.
    #[arg(long, env = "FUNCTION_RUNNER_DATA", default_value = ".function-runner", value_name = "DIR")]
    pub(crate) data: PathBuf,
}

/// How to serve.
#[derive(Args, Clone, Debug)]
pub(crate) struct Config {
    /// The address to listen on.
    #[arg(long, env = "FUNCTION_RUNNER_HOST", default_value = "127.0.0.1")]
    pub(crate) host: IpAddr,

    /// The port to listen on; 0 picks a free one.
    #[arg(long, env = "FUNCTION_RUNNER_PORT", default_value_t = 8000)]
    pub(crate) port: u16,

    /// The directory in which everything is stored.
    #[arg(long, env = "FUNCTION_RUNNER_DATA", default_value = ".function-runner", value_name = "DIR")]
    pub(crate) data: PathBuf,

    /// How functions are isolated. `auto` takes the strongest sandbox that works on this machine.
    #[arg(long, env = "FUNCTION_RUNNER_SANDBOX", default_value = "auto")]
    pub(crate) sandbox: Sandbox,

    /// Run functions without a sandbox, with all the permissions of the server. Only for code that you trust; works only on a
    /// loopback address.
    #[arg(long, env = "FUNCTION_RUNNER_UNSAFE_NO_SANDBOX")]
    pub(crate) unsafe_no_sandbox: bool,

    /// How many runs of one function may go on at the same time.
    #[arg(long, env = "FUNCTION_RUNNER_FUNCTION_CONCURRENCY", default_value_t = 10, value_name = "N")]
    pub(crate) function_concurrency: usize,

    /// How many runs in one workspace may go on at the same time.
    #[arg(long, env = "FUNCTION_RUNNER_WORKSPACE_CONCURRENCY", default_value_t = 40, value_name = "N")]
    pub(crate) workspace_concurrency: usize,

    /// How many runs may go on at the same time.
    #[arg(long, env = "FUNCTION_RUNNER_CONCURRENCY", default_value_t = 64, value_name = "N")]
    pub(crate) concurrency: usize,

    /// How many workspaces one user may have.
    #[arg(long, env = "FUNCTION_RUNNER_WORKSPACES_PER_USER", default_value_t = limits::WORKSPACES_PER_USER, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) workspaces_per_user: u32,

    /// How many functions one user may have, in all workspaces.
    #[arg(long, env = "FUNCTION_RUNNER_FUNCTIONS_PER_USER", default_value_t = limits::FUNCTIONS_PER_USER, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) functions_per_user: u32,

    /// How many versions of a function are kept; of more, the oldest that no queued or running job needs go.
    #[arg(long, env = "FUNCTION_RUNNER_VERSIONS_PER_FUNCTION", default_value_t = limits::VERSIONS_PER_FUNCTION, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) versions_per_function: u32,

    /// How many idle interpreters of each language to keep ready. With 0, the first call of a function waits for an
    /// interpreter to start.
    #[arg(long, env = "FUNCTION_RUNNER_SPARES", default_value_t = 1, value_name = "N")]
    pub(crate) spares: usize,

    /// A web origin whose pages may call the API, such as `https://app.example.com`. May be given several times; any origin
    /// by default.
    #[arg(long, env = "FUNCTION_RUNNER_ALLOWED_ORIGINS", value_delimiter = ',', value_name = "ORIGIN")]
    pub(crate) allowed_origin: Vec<HeaderValue>,

    /// The address or network of a reverse proxy whose `X-Forwarded-*` headers are trusted. May be given several times; none
    /// by default.
    #[arg(long, env = "FUNCTION_RUNNER_TRUSTED_PROXIES", value_delimiter = ',', value_name = "NET", value_parser = net)]
    pub(crate) trusted_proxy: Vec<IpNet>,

    /// How many users one address may register within five minutes; 0 for no limit.
    #[arg(long, env = "FUNCTION_RUNNER_REGISTRATIONS_PER_SOURCE", default_value_t = domain::limits::REGISTRATIONS_PER_SOURCE, value_name = "N")]
    pub(crate) registrations_per_source: u64,

    /// The URL at which callers reach this server, such as `https://functions.example.com`, used for URLs in answers. Taken
    /// from each request by default.
    #[arg(long, env = "FUNCTION_RUNNER_PUBLIC_URL", value_name = "URL")]
    pub(crate) public_url: Option<String>,

    /// The format of log lines. `text` on a terminal and `json` elsewhere by default.
    #[arg(long, env = "FUNCTION_RUNNER_LOG", value_name = "FORMAT")]
    pub(crate) log: Option<LogFormat>,
}

/// How functions are isolated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sandbox {
    /// The strongest sandbox that works on this machine.
    Auto,
    /// Namespaces, with bubblewrap.
    Bubblewrap,
    /// Landlock and seccomp.
    Landlock,
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// One JSON object per line.
    Json,
    /// Text for people to read.
    Text,
}

fn net(text: &str) -> Result<IpNet, String> {
    text.parse::<IpNet>()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| "not an address (10.0.0.1) or a network (10.0.0.0/8)".to_owned())
}
