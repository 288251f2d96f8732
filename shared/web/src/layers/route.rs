//! What happens around each handler of an API, after routing.

use std::collections::HashMap;
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request};
use axum::response::{IntoResponse, Response};
use axum::routing::Route as Handler;
use domain::{Field, Kind, Part, Step};
use futures::FutureExt;
use http::Method;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use hyper::body::Body as _;
use tower::layer::layer_fn;
use tower::{Layer, ServiceExt, service_fn};

use super::idempotency;
use super::observe::{Operation, RequestId};
use crate::error::{Rendered, Unrendered};
use crate::stream::Streamed;
use crate::{Config, Error, HttpService, Style, Web, body};

/// The layer around each handler of an API.
pub(crate) struct RouteLayer {
    pub(crate) web: Web,
    pub(crate) style: Style,
    pub(crate) routes: Routes,
}

/// The routes of an API, by path as the router knows it.
pub(crate) type Routes = HashMap<String, Vec<(Method, Route)>>;

/// What the layer knows of a route.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) operation: Arc<str>,
    pub(crate) mode: Mode,
}

/// How the bodies of a route's requests and responses are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Both are held whole.
    Whole,
    /// The same; and the response is kept for the request's `Idempotency-Key`.
    Idempotent,
    /// Both pass as they come.
    Streaming {
        /// Bytes of a request's body, where that is not as everywhere.
        max_body: Option<u64>,
    },
}

impl Mode {
    fn bounds(self, config: &Config) -> body::Bounds {
        let max = config.max_body as u64;
        let time = config.body_timeout;
        match self {
            Self::Whole | Self::Idempotent => body::Bounds { max, time, each_chunk: false },
            Self::Streaming { max_body } => {
                body::Bounds { max: max_body.unwrap_or(max), time, each_chunk: true }
            }
        }
    }
}

impl RouteLayer {
    /// The layer, as axum takes it.
    pub(crate) fn into_layer(
        self,
    ) -> impl Layer<Handler, Service: HttpService> + Clone + Send + Sync + 'static {
        let this = Arc::new(self);
        layer_fn(move |handler: Handler| {
            let this = this.clone();
            service_fn(move |request| this.clone().respond(request, handler.clone()))
        })
    }

    async fn respond(self: Arc<Self>, request: Request, handler: Handler) -> Result<Response, Infallible> {
        let id = request.extensions().get::<RequestId>().cloned().unwrap_or_default();
        let route = self.route(&request);
        let fit = self.web.config.fit.map(|fit| (fit, request.headers().clone()));
        if let Some(route) = &route {
            tracing::Span::current().record("operation", &*route.operation);
        }
        let mode = route.as_ref().map_or(Mode::Whole, |route| route.mode);
        let streams = matches!(mode, Mode::Streaming { .. });
        let mut response = match body::guard(request, mode.bounds(&self.web.config)) {
            Err(error) => self.render(error.into_response(), &id),
            Ok(request) if streams && !request.method().is_safe() && idempotency::has_key(&request) => {
                self.render(idempotency::refusal_of_streams().into_response(), &id)
            }
            Ok(request) if mode == Mode::Idempotent => {
                let (inner, inner_id) = (self.clone(), id.clone());
                let run = |request| async move { inner.answer(request, handler, &inner_id).await };
                let answer = idempotency::once(&self.web, request, run);
                answer.await.unwrap_or_else(|refused| self.render(refused, &id))
            }
            Ok(request) => self.answer(request, handler, &id).await,
        };
        if let Some((fit, headers)) = fit {
            let fitted = fit(headers, response).await;
            response = fitted.unwrap_or_else(|error| self.render(error.into_response(), &id));
        }
        if let Some(route) = route {
            response.extensions_mut().insert(Operation(route.operation));
        }
        if streams && response.body().size_hint().exact().is_none() {
            response.extensions_mut().insert(Streamed);
        }
        Ok(response)
    }

    fn route(&self, request: &Request) -> Option<Route> {
        let path = request.extensions().get::<MatchedPath>()?.as_str();
        // axum answers HEAD with the handler of GET.
        let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
        self.routes.get(path)?.iter().find(|(of, _)| of == method).map(|(_, route)| route.clone())
    }

    /// The handler's answer, its panics caught and its errors in the API's words.
    async fn answer(&self, request: Request, handler: Handler, id: &RequestId) -> Response {
        let answer = AssertUnwindSafe(handler.oneshot(request)).catch_unwind().await;
        let answer = answer.map(|answer| answer.unwrap_or_else(|never| match never {}));
        let response = answer.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
            Error(domain::Error::internal(format!("a handler panicked: {text}"))).into_response()
        });
        self.render(response, id)
    }

    /// The error instead, where a path's parameter is at fault and the API says that nothing is there.
    fn no_such(&self, error: &domain::Error) -> Option<domain::Error> {
        let (no_such, Kind::Invalid(faults)) = (self.style.no_such?, &error.kind) else { return None };
        faults.iter().find_map(|fault| match &fault.field {
            Field::Request(Part::Path, steps) => Some(match steps.first() {
                Some(Step::Name(parameter)) => no_such(parameter),
                _ => no_such(""),
            }),
            _ => None,
        })
    }

    /// Puts the error that a response carries into words. Headers that were set beside it stay.
    fn render(&self, mut response: Response, id: &RequestId) -> Response {
        let Some(Unrendered(error)) = response.extensions_mut().remove::<Unrendered>() else {
            return response;
        };
        let error = self.no_such(&error).map_or(error, Arc::new);
        let mut rendered = (self.style.render)(&error, id.as_str());
        for (name, value) in response.headers() {
            if name != CONTENT_LENGTH && name != CONTENT_TYPE {
                rendered.headers_mut().append(name, value.clone());
            }
        }
        // For the log; see `observe`.
        rendered.extensions_mut().insert(Rendered(error));
        rendered
    }
}
