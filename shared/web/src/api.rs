//! An API document's routes, and the OpenAPI document that comes of them.

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use domain::Kind;
use http::Method;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::{Info, OpenApi, OpenApiBuilder};
use utoipa_axum::router::UtoipaMethodRouter;

use crate::layers::route::{Mode, Route, RouteLayer, Routes};
use crate::verb::Verb;
use crate::{Error, Style, Web, openapi};

/// An API document: its routes, its words for errors, its part of OpenAPI.
///
/// ```text
/// pub fn api() -> Api<App> {
///     Api::new("Function Runner API", "Save functions and run them.", STYLE)
///         .route(routes!(users::me::me))
///         .idempotent(routes!(workspaces::create::create))
///         .streaming(routes!(jobs::follow::follow))
///         .upload(routes!(datasets::upload::upload), 5 << 30)
/// }
/// ```
///
/// A path may end in a slash, as documents write it: with and without one are the same route. A last `{*rest}` takes the
/// rest of the path, and a verb may follow a last parameter (`/functions/{name}:invoke`).
///
/// OpenAPI's answers that follow from a route's shape (401, 404, 413, 422, 503) are added; others, and anything special,
/// stand in the handler's own annotation. The bodies of errors are filled in.
pub struct Api<S> {
    router: Router<S>,
    doc: OpenApi,
    routes: Routes,
    style: Style,
    prefixes: Vec<&'static str>,
    verbs: Vec<Verb>,
}

/// What a [`Site`](crate::Site) makes of an API.
pub(crate) struct Mounted {
    /// Its routes, with everything that happens around their handlers.
    pub(crate) router: Router,
    /// Answers what is below its prefixes and not there.
    pub(crate) unknown: Router,
    pub(crate) prefixes: Vec<&'static str>,
    pub(crate) verbs: Vec<Verb>,
    pub(crate) doc: OpenApi,
}

impl<S> Api<S>
where
    S: Clone + Send + Sync + 'static,
    Web: FromRef<S>,
{
    /// An API without routes.
    pub fn new(title: &str, description: &str, style: Style) -> Self {
        let mut info = Info::new(title, env!("CARGO_PKG_VERSION"));
        info.description = Some(description.to_owned());
        let doc = OpenApiBuilder::new().info(info).components(Some(openapi::components(&style))).build();
        Self {
            // A colon at the start of a segment was once a parameter; here it is a verb.
            router: Router::new().without_v07_checks(),
            doc,
            routes: Routes::new(),
            style,
            prefixes: Vec::new(),
            verbs: Vec::new(),
        }
    }

    /// Says that this path (`/api`) and everything below it is this API's: what is not there is told so in its words. Of the
    /// prefixes of several APIs the longest that fits decides.
    pub fn below(mut self, prefix: &'static str) -> Self {
        self.prefixes.push(prefix);
        self
    }

    /// Adds what `routes!` makes of a handler. Its requests and responses are held whole, within the limits of
    /// [`Config`](crate::Config).
    pub fn route(self, routes: UtoipaMethodRouter<S>) -> Self {
        self.add(routes, Mode::Whole)
    }

    /// Adds a route whose POST honours `Idempotency-Key`.
    pub fn idempotent(self, routes: UtoipaMethodRouter<S>) -> Self {
        self.add(routes, Mode::Idempotent)
    }

    /// Adds a route whose response is made while it is sent: a log that is followed, a large download. A request's body is
    /// as large as elsewhere, and can be read as it comes ([`BodyStream`](crate::BodyStream)).
    ///
    /// - **Limits**: none on the response's size or time. A client that reads slowly holds up the handler's stream and nobody
    ///   else; one that hangs up has it dropped. Of a request's body each chunk must come within
    ///   [`body_timeout`](crate::Config::body_timeout), not the whole.
    /// - **`Idempotency-Key`**: ignored on GET, which can be sent again as it is; on other methods refused with 400, since what
    ///   isn't held can neither be compared nor kept.
    /// - **Log**: one line, when the response ends, with `duration_ms`, `bytes` and `ended` (`complete`; `cut off` by the
    ///   client or at the server's end; `failed`) beside the usual fields. `latency_ms` ends with the head of the response.
    /// - **Errors** before the first byte are answered as elsewhere. One after it breaks the connection off, so that the
    ///   client knows that something is missing, and is logged.
    /// - **Shutdown**: what would go on for ever takes a [`StreamEnd`](crate::StreamEnd) and ends by itself at once. The rest
    ///   has as long as requests have, and is cut off then.
    /// - **On Lambda** the gateway waits for the end of a response: after 30 seconds it answers 503, and more than 6 MB is
    ///   413. So `StreamEnd` comes after 20 seconds there, and who follows something asks again.
    pub fn streaming(self, routes: UtoipaMethodRouter<S>) -> Self {
        self.add(routes, Mode::Streaming { max_body: None })
    }

    /// The same for requests whose bodies may have up to so many bytes. On Lambda the gateway refuses more than 10 MB and
    /// Lambda more than 6, whatever is said here: larger ones have to go to the bucket.
    pub fn upload(self, routes: UtoipaMethodRouter<S>, max_bytes: u64) -> Self {
        self.add(routes, Mode::Streaming { max_body: Some(max_bytes) })
    }

    fn add(mut self, (schemas, paths, handlers): UtoipaMethodRouter<S>, mode: Mode) -> Self {
        for (written, mut item) in paths.paths {
            let verb = Verb::of(&written);
            let path = verb.as_ref().map_or_else(|| trimmed(&written).to_owned(), Verb::path);
            let mut operations = operations_of(&mut item);
            let names: Vec<_> =
                operations.iter().map(|(_, operation)| operation.operation_id.clone()).collect();
            for (method, operation) in &mut operations {
                // All other methods can be sent again as they are.
                let mode = match mode {
                    Mode::Idempotent if *method != Method::POST => Mode::Whole,
                    mode => mode,
                };
                let id = operation.operation_id.clone().unwrap_or_else(|| format!("{method} {written}"));
                let known = self.routes.entry(path.clone()).or_default();
                known.push((method.clone(), Route { operation: Arc::from(id.as_str()), mode }));
                // A handler of several methods is one route, but OpenAPI wants a name for each.
                if names.iter().filter(|name| name.as_deref() == Some(&*id)).count() > 1 {
                    operation.operation_id = Some(format!("{id}.{}", method.as_str().to_lowercase()));
                    openapi::extend(operation, openapi::ROUTE, id.into());
                }
                openapi::complete(operation, &self.style, &written, method, mode);
            }
            self.router = self.router.route(&path, handlers.clone());
            self.verbs.extend(verb);
            let shown = written.replace("{*", "{");
            match self.doc.paths.paths.get_mut(&shown) {
                Some(known) => known.merge_operations(item),
                None => {
                    self.doc.paths.paths.insert(shown, item);
                }
            }
        }
        self.doc.components.get_or_insert_default().schemas.extend(schemas);
        self
    }

    /// How it words its errors.
    pub fn style(&self) -> Style {
        self.style
    }

    /// The OpenAPI document of these routes.
    pub fn openapi(&self) -> &OpenApi {
        &self.doc
    }

    pub(crate) fn mounted(self, state: S) -> Mounted {
        let layer = RouteLayer { web: Web::from_ref(&state), style: self.style, routes: self.routes };
        let layer = layer.into_layer();
        let router = self.router.method_not_allowed_fallback(method_not_allowed);
        Mounted {
            router: router.layer(layer.clone()).with_state(state),
            unknown: Router::new().fallback(unknown).layer(layer),
            prefixes: self.prefixes,
            verbs: self.verbs,
            doc: self.doc,
        }
    }
}

/// For a path that is not there.
pub(crate) async fn unknown() -> Error {
    Error(domain::Error::new(Kind::NotFound, "NOT_FOUND", "Not Found"))
}

/// For a path that is there, by another method. The router adds which ones there are.
pub(crate) async fn method_not_allowed() -> Error {
    let kind = Kind::MethodNotAllowed(Vec::new());
    Error(domain::Error::new(kind, "METHOD_NOT_ALLOWED", "Method Not Allowed"))
}

/// A path as the router knows it: without the trailing slash.
pub(crate) fn trimmed(path: &str) -> &str {
    match path.trim_end_matches('/') {
        "" => "/",
        trimmed => trimmed,
    }
}

/// The operations of a path, each with its method.
pub(crate) fn operations_of(item: &mut PathItem) -> Vec<(Method, &mut Operation)> {
    let all = [
        (Method::GET, &mut item.get),
        (Method::PUT, &mut item.put),
        (Method::POST, &mut item.post),
        (Method::DELETE, &mut item.delete),
        (Method::HEAD, &mut item.head),
        (Method::PATCH, &mut item.patch),
    ];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?))).collect()
}
