//! A route as a Lambda function: everything that can be done before the first request is done before it (settings,
//! clients, the secret, the first connection), since a function's start has a whole processor and costs no caller time.

use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use app::Services;
use aws::secret::SecretSource;
use aws::{Clients, Config, ConfigError};
use axum::Router;
use axum::extract::Request;
use lambda_http::Error;
use ports::Parts;
use tower::ServiceExt;
use tracing::{error, info};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;
use web::{Api, AppState, Document, Secrets, Site, Tokens, Web};

use crate::absent::Absent;
use crate::fit::fit;
use crate::gateway;
use crate::warm::warm_up;

/// How long a secret that was read is taken as the current one. A secret is therefore accepted everywhere this long after
/// it was added, and may then be put first, so that it signs (docs/OPERATIONS.md).
const SECRET_AGE: Duration = Duration::from_secs(300);
/// SYNC functions with a longer timeout go through the queue: this process is frozen once it has answered, and API
/// Gateway waits 30 s.
const DIRECT_LIMIT: Duration = Duration::from_secs(30);

/// How long a response may be made while somebody follows it: API Gateway waits 30 s for the end of it.
const STREAM_TIME: Duration = Duration::from_secs(20);
/// A SYNC run that ends within this is recorded once. Recorded before, too, it would cost twice as much, and nobody has
/// been told of it yet (docs/adr/0007-what-is-recorded-of-a-short-run-on-aws.md).
const SYNC_GRACE: Duration = Duration::from_millis(100);

/// How AWS wants it.
pub fn app_config() -> app::Config {
    app::Config { direct_limit: Some(DIRECT_LIMIT), sync_grace: SYNC_GRACE, ..app::Config::default() }
}

/// Answers API Gateway with an API's routes on all the parts, until Lambda ends the process.
///
/// # Errors
/// Where a setting is missing, the secret can't be read, or Lambda's own API fails.
pub async fn routes(api: fn() -> Api<AppState>) -> Result<(), Error> {
    // A route that saves code starts this program again to read it.
    runtime::check::answer_if_asked();
    serve(vec![api], Clients::parts, |site| site).await
}

/// The same for routes that need the table only.
///
/// # Errors
/// As [`routes`].
pub async fn table_routes(api: fn() -> Api<AppState>) -> Result<(), Error> {
    serve(vec![api], table_only, |site| site).await
}

/// Answers what no route does, and serves the documentation of all these APIs. Their routes never come here.
///
/// # Errors
/// As [`routes`].
pub async fn fallback(documents: &[&Document]) -> Result<(), Error> {
    let apis = documents.iter().map(|document| document.api).collect();
    serve(apis, table_only, Site::docs).await
}

async fn serve(
    apis: Vec<fn() -> Api<AppState>>,
    parts: fn(&Clients) -> Result<Parts, ConfigError>,
    finish: fn(Site) -> Site,
) -> Result<(), Error> {
    log();
    let clients = Clients::from_env();
    let setup = Setup { apis, parts: parts(&clients)?, config: clients.config().clone(), finish };
    let source = SecretSource::new(&clients)?;
    let (text, ()) = tokio::join!(source.read(), warm_up(&setup.parts, &setup.config.warm_up));
    let text = text?;
    let live = Arc::new(Live {
        current: RwLock::new(Current { router: setup.router(&text)?, text, read: Instant::now() }),
        setup,
        source,
    });
    let router = Router::new().fallback(move |request: Request| {
        let live = live.clone();
        async move { live.router().await.oneshot(request).await }
    });
    gateway::run(router).await
}

/// The table, and nothing else: what a route that only needs it is made of. The other parts say that they aren't there, so
/// that no more of the SDK is linked.
fn table_only(clients: &Clients) -> Result<Parts, ConfigError> {
    Ok(Parts {
        table: Arc::new(clients.table()?),
        runtime: Arc::new(Absent),
        blobs: Arc::new(Absent),
        queue: Arc::new(Absent),
        connections: Arc::new(ports::connections::NoConnections),
        clock: Arc::new(ports::clock::SystemClock),
    })
}

/// Logs as JSON, a line per event. `RUST_LOG` says which, by module and level; by prefixes only, since what can do more
/// brings a megabyte of regular expressions.
fn log() {
    let wanted = std::env::var("RUST_LOG").ok().and_then(|text| text.parse::<Targets>().ok());
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false);
    let wanted = wanted.unwrap_or_else(|| Targets::new().with_default(tracing::Level::INFO));
    tracing_subscriber::registry().with(lines.with_filter(wanted)).init();
}

/// What a router is made of, but for the secret.
struct Setup {
    apis: Vec<fn() -> Api<AppState>>,
    parts: Parts,
    config: Config,
    /// Adds the documents, where they are to be served. What isn't named isn't linked.
    finish: fn(Site) -> Site,
}

impl Setup {
    /// `secrets`: one per line, the current one first, as in the file of the server of one machine.
    fn router(&self, secrets: &str) -> Result<Router, Error> {
        let mut lines = secrets.lines().map(str::trim).filter(|line| !line.is_empty());
        let secrets = Secrets::new(lines.next().unwrap_or_default(), lines)?;
        let web = Web::new(web::Parts {
            tokens: Tokens::new(&secrets, self.parts.clock.clone()),
            secrets,
            table: self.parts.table.clone(),
            blobs: self.parts.blobs.clone(),
            clock: self.parts.clock.clone(),
            config: web::Config {
                // API Gateway does, and overrules what stands in an answer.
                cors: false,
                public_url: self.config.public_url.clone(),
                environment: self.config.environment.clone().unwrap_or_else(|| "aws".to_owned()),
                fit: Some(fit),
                stream_time: Some(STREAM_TIME),
                ..web::Config::default()
            },
        });
        let [workspaces, functions, versions] = self.config.quotas()?;
        let usual = app::Quotas::default();
        let quotas = app::Quotas {
            workspaces: workspaces.unwrap_or(usual.workspaces),
            functions: functions.unwrap_or(usual.functions),
            versions: versions.unwrap_or(usual.versions),
        };
        let registrations_per_source = self.config.registrations_per_source()?;
        let settings = app::Config { registrations_per_source, quotas, ..app_config() };
        let services = Arc::new(Services::new(self.parts.clone(), settings));
        let state = AppState { services, web: web.clone() };
        let apis: Vec<_> = self.apis.iter().map(|api| api()).collect();
        let style = apis.first().ok_or("there is no API to serve")?.style();
        let site = apis.into_iter().fold(Site::new(web, style), |site, api| site.api(api, state.clone()));
        Ok((self.finish)(site).into_router())
    }
}

/// The router, made anew where the secret has changed.
struct Live {
    setup: Setup,
    source: SecretSource,
    current: RwLock<Current>,
}

struct Current {
    router: Router,
    text: String,
    read: Instant,
}

impl Live {
    async fn router(&self) -> Router {
        let (router, age) = {
            let current = self.current.read().expect("no holder of this lock panics");
            (current.router.clone(), current.read.elapsed())
        };
        if age < SECRET_AGE {
            return router;
        }
        let renewed = match self.source.read().await {
            Ok(text) => self.renew(text),
            Err(error) => Err(error.into()),
        };
        renewed.unwrap_or_else(|error| {
            // What was read before is still good for nearly everyone; the next request tries again.
            error!(%error, "the token secret could not be read again");
            router
        })
    }

    fn renew(&self, text: String) -> Result<Router, Error> {
        let mut current = self.current.write().expect("no holder of this lock panics");
        if current.text != text {
            current.router = self.setup.router(&text)?;
            current.text = text;
            info!("the token secret has changed");
        }
        current.read = Instant::now();
        Ok(current.router.clone())
    }
}
