//! A route as a Lambda function: everything that can be done before the first request is done before it (settings,
//! clients, the secret, the first connection), since a function's start has a whole processor and costs no caller time.

use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use app::App;
use aws_sdk_secretsmanager::Client;
use axum::Router;
use axum::extract::Request;
use ports::Parts;
use tower::ServiceExt;
use tracing::{error, info, warn};
use web::lambda::Error;
use web::{Api, AppState, Secrets, Site, Tokens, Web};

use crate::retry::describe;
use crate::{Clients, Config, ConfigError};

/// How long a secret that was read is taken as the current one. A secret is therefore accepted everywhere this long after
/// it was added, and may then be put first, so that it signs (docs/OPERATIONS.md).
const SECRET_AGE: Duration = Duration::from_secs(300);
/// SYNC functions with a longer timeout go through the queue: this process is frozen once it has answered, and API
/// Gateway waits 30 s.
const DIRECT_LIMIT: Duration = Duration::from_secs(30);

/// Answers API Gateway with an API's routes on all the parts, until Lambda ends the process.
///
/// # Errors
/// Where a setting is missing, the secret can't be read, or Lambda's own API fails.
pub async fn routes(api: fn() -> Api<AppState>) -> Result<(), Error> {
    serve(api, Clients::parts).await
}

/// The same for routes that need the table only.
///
/// # Errors
/// As [`routes`].
pub async fn table_routes(api: fn() -> Api<AppState>) -> Result<(), Error> {
    serve(api, Clients::table_only).await
}

async fn serve(
    api: fn() -> Api<AppState>,
    parts: fn(&Clients) -> Result<Parts, ConfigError>,
) -> Result<(), Error> {
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info")),
        )
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .init();
    let clients = Clients::from_env().await;
    let home = Home { api, parts: parts(&clients)?, config: clients.config().clone() };
    let source = SecretSource::new(&clients)?;
    let (text, ()) = tokio::join!(source.read(), warm_up(&home));
    let text = text?;
    let live = Arc::new(Live {
        current: RwLock::new(Current { router: home.router(&text)?, text, read: Instant::now() }),
        home,
        source,
    });
    let router = Router::new().fallback(move |request: Request| {
        let live = live.clone();
        async move { live.router().await.oneshot(request).await }
    });
    web::lambda::run(router).await
}

/// What a router is made of, but for the secret.
struct Home {
    api: fn() -> Api<AppState>,
    parts: Parts,
    config: Config,
}

impl Home {
    /// `secrets`: one per line, the current one first, as in the file of the server of one machine.
    fn router(&self, secrets: &str) -> Result<Router, Error> {
        let mut lines = secrets.lines().map(str::trim).filter(|line| !line.is_empty());
        let secrets = Secrets::new(lines.next().unwrap_or_default(), lines)?;
        let allowed_origins = self.config.allowed_origins.iter().map(|origin| origin.parse());
        let web = Web::new(web::Parts {
            tokens: Tokens::new(&secrets, self.parts.clock.clone()),
            secrets,
            table: self.parts.table.clone(),
            blobs: self.parts.blobs.clone(),
            clock: self.parts.clock.clone(),
            config: web::Config {
                allowed_origins: allowed_origins.collect::<Result<_, _>>()?,
                ..web::Config::default()
            },
        });
        let config = app::Config { direct_limit: Some(DIRECT_LIMIT), ..app::Config::default() };
        let app = Arc::new(App::new(self.parts.clone(), config));
        let site = Site::new(web.clone(), web::style::FASTAPI);
        Ok(site.api((self.api)(), AppState { app, web }).docs().into_router())
    }
}

/// Makes the connections that requests will use. What fails here fails again, and is told, when it is needed.
async fn warm_up(home: &Home) {
    let wanted = |part: &str| home.config.warm_up.iter().any(|wanted| wanted == part);
    tokio::join!(
        async {
            if wanted("table")
                && let Err(error) = home.parts.table.health().await
            {
                warn!(%error, "the table could not be warmed up");
            }
        },
        async {
            if wanted("runtime")
                && let Err(error) = home.parts.runtime.health().await
            {
                warn!(%error, "the runtime could not be warmed up");
            }
        }
    );
}

/// The router, made anew where the secret has changed.
struct Live {
    home: Home,
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
            Err(error) => Err(error),
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
            current.router = self.home.router(&text)?;
            current.text = text;
            info!("the token secret has changed");
        }
        current.read = Instant::now();
        Ok(current.router.clone())
    }
}

/// Where the token secret is.
struct SecretSource {
    client: Client,
    id: String,
}

impl SecretSource {
    fn new(clients: &Clients) -> Result<Self, ConfigError> {
        let id = clients.config().token_secret_id.clone();
        let id = id.ok_or(ConfigError::Missing("TOKEN_SECRET_ID"))?;
        Ok(Self { client: Client::new(clients.sdk()), id })
    }

    async fn read(&self) -> Result<String, Error> {
        let answer = self.client.get_secret_value().secret_id(&self.id).send().await;
        let answer =
            answer.map_err(|error| format!("the token secret can't be read: {}", describe(&error)))?;
        answer.secret_string.ok_or_else(|| "the token secret is no text".into())
    }
}
