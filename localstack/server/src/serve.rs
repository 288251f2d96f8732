//! The server: the same handlers as on AWS, on this machine's parts.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use app::Services;
use app::janitor::Scope;
use blobs::FileBlobs;
use pool::{Pool, PoolConfig};
use ports::clock::SystemClock;
use ports::connections::NoConnections;
use ports::{Clock, Parts};
use sandbox::{SandboxChoice, SandboxKind};
use sqlite::{Database, OpenError, QueueConfig};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use web::{AppState, Tokens, Web};

use crate::config::{Config, Sandbox};
use crate::{chores, http, secret, welcome, workers};

/// How long what runs at SIGTERM may go on. What then still runs is queued again.
const GRACE: Duration = Duration::from_secs(6);

/// Why the server did not start, or stopped. Every message says what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    /// The data directory.
    #[error(transparent)]
    Data(#[from] OpenError),
    /// Threads, signals, the port.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The secret.
    #[error(transparent)]
    Secret(#[from] secret::SecretError),
    /// What runs user code.
    #[error("{0}")]
    Pool(String),
    /// An unsafe server on an address that others reach.
    #[error(
        "--unsafe-no-sandbox runs anyone's code with your rights, so it listens on loopback only; {0} is not. \
         Leave --host away, or leave the sandbox on."
    )]
    UnsafeAddress(std::net::IpAddr),
}

fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> ServeError {
    let what = what.into();
    move |source| ServeError::Io { what, source }
}

/// Serves until SIGTERM or Ctrl-C.
pub(crate) fn serve(config: Config) -> Result<(), ServeError> {
    if config.unsafe_no_sandbox && !config.host.is_loopback() {
        return Err(ServeError::UnsafeAddress(config.host));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(io("can't start the server's threads"))?;
    runtime.block_on(run(config))
}

/// The parts, and what has to be ended with them.
struct Home {
    database: Database,
    queue: Arc<dyn ports::Queue>,
    pool: Arc<Pool>,
    state: AppState,
    clock: Arc<dyn Clock>,
}

async fn run(config: Config) -> Result<(), ServeError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(io("can't listen for SIGTERM"))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(io("can't listen for Ctrl-C"))?;
    let stopping = CancellationToken::new();
    let home = open(&config, stopping.clone()).await?;
    let service = catalogue::site(home.state.web.clone(), &home.state).docs().into_service();
    let listener = listen(&config).await?;
    let address = listener.local_addr().map_err(io("can't tell which port was given"))?;
    let started = home.clock.now();

    let services = &home.state.services;
    let serving = tokio::spawn(http::serve(listener, service, stopping.clone(), GRACE));
    let working = tokio::spawn(workers::work(
        services.worker.clone(),
        home.queue.clone(),
        home.pool.clone(),
        stopping.clone(),
        config.concurrency,
    ));
    let chores = tokio::spawn(chores::run(
        services.janitor.clone(),
        home.database.table(),
        home.clock.clone(),
        started,
        stopping.clone(),
    ));
    announce(address);
    welcome::print(address, &config, &home.pool.describe());

    tokio::select! {
        _ = terminate.recv() => info!("SIGTERM: stopping"),
        _ = interrupt.recv() => info!("Ctrl-C: stopping"),
    }
    stopping.cancel();
    let finished = async {
        // Neither fails but by a panic, which has been logged.
        let _ = serving.await;
        let _ = working.await;
        services.background.drained().await;
    };
    if tokio::time::timeout(GRACE, finished).await.is_err() {
        warn!(
            "some runs did not finish within {} s and will run again after the next start",
            GRACE.as_secs()
        );
    }
    services.background.break_off().await;
    chores.abort();
    if let Err(error) = services.janitor.requeue(Scope::Stopping).await {
        warn!(%error, "interrupted jobs could not be queued again; the next start will do it");
    }
    home.pool.shutdown();
    home.database.close();
    info!("stopped");
    Ok(())
}

async fn open(config: &Config, stopping: CancellationToken) -> Result<Home, ServeError> {
    let database = Database::open(&config.data)?;
    let secrets = secret::load(&config.data)?;
    let unusable = |source| OpenError::Io { path: config.data.join(blobs::BLOBS), source };
    let blobs = Arc::new(FileBlobs::open(&config.data).map_err(unusable)?);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let launcher = std::env::current_exe().map_err(io("can't tell where this program is"))?;
    let mut pool = PoolConfig::new(launcher, config.data.join("pool"));
    pool.sandbox = match (config.unsafe_no_sandbox, config.sandbox) {
        (true, _) => SandboxChoice::Unsafe,
        (false, Sandbox::Auto) => SandboxChoice::Auto,
        (false, Sandbox::Bubblewrap) => SandboxChoice::Only(SandboxKind::Bubblewrap),
        (false, Sandbox::Landlock) => SandboxChoice::Only(SandboxKind::Landlock),
    };
    pool.limits.per_function = config.function_concurrency;
    pool.limits.per_workspace = config.workspace_concurrency;
    pool.limits.total = config.concurrency;
    pool.spares = config.spares;
    let pool = Pool::start(pool, blobs.clone()).await.map_err(ServeError::Pool)?;
    let parts = Parts {
        table: database.table(),
        blobs: blobs.clone(),
        queue: database.queue(QueueConfig { max_inflight_per_workspace: config.function_concurrency }),
        runtime: pool.clone(),
        connections: Arc::new(NoConnections),
        clock: clock.clone(),
    };
    let web = Web::new(web::Parts {
        tokens: Tokens::new(&secrets, clock.clone()),
        secrets,
        table: parts.table.clone(),
        blobs,
        clock: clock.clone(),
        config: web::Config {
            allowed_origins: config.allowed_origin.clone(),
            trusted_proxies: config.trusted_proxy.clone(),
            public_url: config.public_url.clone(),
            environment: "local".to_owned(),
            stopping,
            only_server: true,
            ..web::Config::default()
        },
    });
    let queue = parts.queue.clone();
    let quotas = app::Quotas {
        workspaces: config.workspaces_per_user,
        functions: config.functions_per_user,
        versions: config.versions_per_function,
    };
    let settings = app::Config {
        registrations_per_source: config.registrations_per_source,
        quotas,
        ..app::Config::default()
    };
    let services = Arc::new(Services::new(parts, settings));
    Ok(Home { database, queue, pool, state: AppState { services, web }, clock })
}

async fn listen(config: &Config) -> Result<TcpListener, ServeError> {
    let address = SocketAddr::new(config.host, config.port);
    TcpListener::bind(address).await.map_err(io(format!(
        "can't listen on {address} (choose another with --port, or --port 0 for any that is free)"
    )))
}

/// The one line on stdout, for whoever waits for it.
fn announce(address: SocketAddr) {
    let mut stdout = std::io::stdout().lock();
    // Nobody listening is no reason not to serve.
    let _ = writeln!(stdout, "listening on http://{address}").and_then(|()| stdout.flush());
}
