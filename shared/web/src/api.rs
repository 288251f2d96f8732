//! An API document's routes, and the OpenAPI document that comes of them.

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use axum::routing::any;
use domain::Kind;
use http::Method;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::{Info, OpenApi, OpenApiBuilder};
use utoipa_axum::router::UtoipaMethodRouter;

use crate::layers::route::{Route, RouteLayer, Routes};
use crate::{Error, Style, Web, openapi};

/// An API document: its routes, its words for errors, its part of OpenAPI.
///
/// ```text
/// pub fn api() -> Api<App> {
///     Api::new("Function Runner API", "Save functions and run them.", STYLE)
///         .route(routes!(users::me::me))
///         .idempotent(routes!(workspaces::create::create))
/// }
/// ```
pub struct Api<S> {
    router: Router<S>,
    doc: OpenApi,
    routes: Routes,
    style: Style,
    below: Option<&'static str>,
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
        Self { router: Router::new(), doc, routes: Routes::new(), style, below: None }
    }

    /// Says that everything below this path (`/api`) is this API's: what is not there is told so in its words.
    pub fn below(self, path: &'static str) -> Self {
        Self { below: Some(path), ..self }
    }

    /// Adds what `routes!` makes of a handler. The path may end in a slash, as documents write it: with and without one
    /// are the same route. A last `{*rest}` takes the rest of the path.
    ///
    /// OpenAPI's answers that follow from the route's shape (401, 404, 413, 422, 503) are added; others, and
    /// anything special, stand in the handler's own annotation. The bodies of errors are filled in.
    pub fn route(self, routes: UtoipaMethodRouter<S>) -> Self {
        self.add(routes, false)
    }

    /// Adds a route whose POST honours `Idempotency-Key`.
    pub fn idempotent(self, routes: UtoipaMethodRouter<S>) -> Self {
        self.add(routes, true)
    }

    fn add(mut self, (schemas, paths, handlers): UtoipaMethodRouter<S>, idempotent: bool) -> Self {
        for (written, mut item) in paths.paths {
            let path = trimmed(&written);
            let mut operations = operations_of(&mut item);
            let names: Vec<_> =
                operations.iter().map(|(_, operation)| operation.operation_id.clone()).collect();
            for (method, operation) in &mut operations {
                // All others can be sent again as they are.
                let idempotent = idempotent && *method == Method::POST;
                let id = operation.operation_id.clone().unwrap_or_else(|| format!("{method} {written}"));
                let known = self.routes.entry(path.to_owned()).or_default();
                known.push((method.clone(), Route { operation: Arc::from(id.as_str()), idempotent }));
                // A handler of several methods is one route, but OpenAPI wants a name for each.
                if names.iter().filter(|name| name.as_deref() == Some(&*id)).count() > 1 {
                    operation.operation_id = Some(format!("{id}.{}", method.as_str().to_lowercase()));
                    openapi::extend(operation, openapi::ROUTE, id.into());
                }
                openapi::complete(operation, &self.style, &written, idempotent);
            }
            self.router = self.router.route(path, handlers.clone());
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

    /// The router, with everything that happens around its handlers.
    pub(crate) fn into_parts(self, state: S) -> (Router, OpenApi, Style) {
        let layer = RouteLayer { web: Web::from_ref(&state), style: self.style, routes: self.routes };
        let mut router = self.router;
        if let Some(path) = self.below {
            router = router.route(path, any(unknown)).route(&format!("{path}/{{*rest}}"), any(unknown));
        }
        let router = router
            .method_not_allowed_fallback(method_not_allowed)
            .layer(layer.into_layer())
            .with_state(state);
        (router, self.doc, self.style)
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
