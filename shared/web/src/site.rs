//! All the APIs of a process as one router.

use axum::Router;
use axum::extract::{FromRef, Request};
use http::Uri;
use std::sync::Arc;
use tower::{ServiceExt, service_fn};
use utoipa::openapi::{OpenApi, Server};

use crate::api::{Mounted, method_not_allowed, trimmed, unknown};
use crate::layers::cors::CrossOrigin;
use crate::layers::observe::{OriginalUri, observe};
use crate::layers::route::{RouteLayer, Routes};
use crate::verb::{self, Verb};
use crate::{Api, HttpService, Style, Web, docs};

/// Collects APIs, and makes the router that serves them.
pub struct Site {
    web: Web,
    style: Style,
    router: Router,
    /// Who answers for what is not there, by prefix.
    owners: Vec<(&'static str, Router)>,
    verbs: Vec<Verb>,
    doc: Option<OpenApi>,
    docs: bool,
}

impl Site {
    /// A site without APIs. What belongs to no API (an unknown path) is answered in `style`.
    pub fn new(web: Web, style: Style) -> Self {
        Self {
            web,
            style,
            router: Router::new().without_v07_checks(),
            owners: Vec::new(),
            verbs: Vec::new(),
            doc: None,
            docs: false,
        }
    }

    /// Adds an API. The first one gives the site's OpenAPI document its title.
    ///
    /// # Panics
    /// Where two APIs have a path or a prefix in common, or give one name to two schemas. The first start shows it.
    pub fn api<S>(mut self, api: Api<S>, state: S) -> Self
    where
        S: Clone + Send + Sync + 'static,
        Web: FromRef<S>,
    {
        let Mounted { router, unknown, prefixes, verbs, doc } = api.mounted(state);
        self.router = self.router.merge(router);
        for prefix in prefixes {
            let taken = self.owners.iter().any(|(known, _)| *known == prefix);
            assert!(!taken, "two APIs claim {prefix}; let each name the resources below it that are its own");
            self.owners.push((prefix, unknown.clone()));
        }
        self.verbs.extend(verbs);
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
        let unowned = Router::new().fallback(unknown).layer(layer);
        let mut owners = self.owners;
        owners.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        let unknown = service_fn(move |request: Request| {
            let path = request.uri().path();
            let owner = owners.iter().find(|(prefix, _)| is_below(path, prefix));
            owner.map_or(&unowned, |(_, owner)| owner).clone().oneshot(request)
        });
        let routes = self.router.merge(docs).fallback_service(unknown);
        // Shared, since the service is cloned for each request.
        let verbs: Arc<[Verb]> = self.verbs.into();
        let routes = routes.map_request(move |request| to_be_routed(request, &verbs));
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

/// Whether a path is this one, or below it.
fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The request with the path that routes are kept under: `/x/` is `/x`, without a redirect, and a verb is a segment.
fn to_be_routed(mut request: Request, verbs: &[Verb]) -> Request {
    let uri = request.uri().clone();
    let path = trimmed(uri.path());
    let routed = verb::routed(path, verbs);
    if routed.is_some() || path.len() < uri.path().len() {
        let path = routed.as_deref().unwrap_or(path);
        let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = format!("{path}{query}").parse().ok().or(parts.path_and_query);
        if let Ok(routed) = Uri::from_parts(parts) {
            *request.uri_mut() = routed;
        }
    }
    request.extensions_mut().insert(OriginalUri(uri));
    request
}
