//! All the APIs of a process as one router.

use axum::Router;
use axum::extract::{FromRef, Request};
use http::Uri;
use std::sync::Arc;
use tower::{ServiceExt, service_fn};
use utoipa::openapi::{OpenApi, Server};

use crate::api::{method_not_allowed, trimmed, unknown};
use crate::layers::cors::CrossOrigin;
use crate::layers::observe::{OriginalUri, observe};
use crate::layers::route::{RouteLayer, Routes};
use crate::{Api, HttpService, Style, Web, docs};

/// Collects APIs, and makes the router that serves them.
pub struct Site {
    web: Web,
    style: Style,
    router: Router,
    doc: Option<OpenApi>,
    docs: bool,
}

impl Site {
    /// A site without APIs. What belongs to no API (an unknown path) is answered in `style`.
    pub fn new(web: Web, style: Style) -> Self {
        Self { web, style, router: Router::new(), doc: None, docs: false }
    }

    /// Adds an API. The first one gives the site's OpenAPI document its title.
    ///
    /// # Panics
    /// Where two APIs have a path in common, or give one name to two schemas. The first start shows it.
    pub fn api<S>(mut self, api: Api<S>, state: S) -> Self
    where
        S: Clone + Send + Sync + 'static,
        Web: FromRef<S>,
    {
        let (router, doc, _) = api.into_parts(state);
        self.router = self.router.merge(router);
        match &mut self.doc {
            Some(known) => {
                assert_schemas_differ_by_name(known, &doc);
                known.merge(doc);
            }
            None => self.doc = Some(doc),
        }
        self
    }

    /// Serves `/openapi.json`, `/docs` and `/redoc` too.
    pub fn docs(mut self) -> Self {
        self.docs = true;
        self
    }

    /// The OpenAPI document of all APIs.
    pub fn openapi(&self) -> OpenApi {
        let mut doc = self.doc.clone().unwrap_or_default();
        doc.servers = Some(vec![Server::new("/")]);
        doc
    }

    /// What answers requests, wherever they come from.
    ///
    /// Of functions in each other, and not of a router's layers: each of those is cloned and boxed for each request.
    pub fn into_service(self) -> impl HttpService {
        let docs = if self.docs { docs::router(&self.openapi()) } else { Router::new() };
        let layer = RouteLayer { web: self.web.clone(), style: self.style, routes: Routes::new() };
        let layer = layer.into_layer();
        let docs = docs.method_not_allowed_fallback(method_not_allowed).layer(layer.clone());
        let unknown = Router::new().fallback(unknown).layer(layer);
        let routes = self.router.merge(docs).fallback_service(unknown);
        let routes = routes.map_request(without_trailing_slash);
        let routes = Arc::new(CrossOrigin::new(routes, &self.web.config));
        service_fn(move |request| {
            let routes = routes.clone();
            observe(request, |request| async move { routes.answer(request).await })
        })
    }

    /// The same as a router, for `into_make_service_with_connect_info::<SocketAddr>()`.
    pub fn into_router(self) -> Router {
        Router::new().fallback_service(self.into_service())
    }
}

/// Merging keeps the first schema of a name, so another one of that name would be lost.
fn assert_schemas_differ_by_name(known: &OpenApi, new: &OpenApi) {
    let (Some(known), Some(new)) = (&known.components, &new.components) else { return };
    for (name, schema) in &new.schemas {
        let same = known.schemas.get(name).is_none_or(|other| other == schema);
        assert!(same, "two APIs have a schema named {name}; give one `#[schema(as = …)]`");
    }
}

/// `/x/` is `/x`, without a redirect.
fn without_trailing_slash(mut request: Request) -> Request {
    let uri = request.uri().clone();
    let path = trimmed(uri.path());
    if path.len() < uri.path().len() {
        let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = format!("{path}{query}").parse().ok().or(parts.path_and_query);
        if let Ok(trimmed) = Uri::from_parts(parts) {
            *request.uri_mut() = trimmed;
        }
    }
    request.extensions_mut().insert(OriginalUri(uri));
    request
}
