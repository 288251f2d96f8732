//! What happens around each handler of an API, after routing.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use http::Method;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};

use crate::error::Carried;
use crate::layers::observe::{Operation, RequestId};
use crate::layers::{body, carry};
use crate::{Error, Style, Web, idempotency};

/// What an API's layer knows.
#[derive(Clone)]
pub(crate) struct Around {
    pub(crate) web: Web,
    pub(crate) style: Style,
    pub(crate) operations: Arc<Operations>,
}

/// The routes of an API, by path as the router knows it.
pub(crate) type Operations = HashMap<String, Vec<(Method, Route)>>;

/// What the layer knows of a route.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) operation: Arc<str>,
    pub(crate) idempotent: bool,
}

pub(crate) async fn around(State(around): State<Around>, request: Request, next: Next) -> Response {
    let id = request.extensions().get::<RequestId>().map_or("", RequestId::as_str).to_owned();
    let route = around.route(&request);
    let gzip = carry::takes_gzip(request.headers());
    if let Some(route) = &route {
        tracing::Span::current().record("operation", &*route.operation);
    }
    let mut response = match body::guard(request, &around.web) {
        Err(error) => around.render(error.into_response(), &id),
        Ok(request) if route.as_ref().is_some_and(|route| route.idempotent) => {
            let (inner, inner_id) = (around.clone(), id.clone());
            let answer =
                idempotency::once(&around.web, request, |request| inner.answer(request, next, inner_id));
            answer.await.unwrap_or_else(|refused| around.render(refused, &id))
        }
        Ok(request) => around.clone().answer(request, next, id.clone()).await,
    };
    if let Some(most) = around.web.config.max_answer {
        let fitted = carry::fit(response, gzip, most).await;
        response = fitted.unwrap_or_else(|error| around.render(error.into_response(), &id));
    }
    if let Some(route) = route {
        response.extensions_mut().insert(Operation(route.operation));
    }
    response
}

impl Around {
    fn route(&self, request: &Request) -> Option<Route> {
        let path = request.extensions().get::<MatchedPath>()?.as_str();
        // axum answers HEAD with the handler of GET.
        let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
        self.operations.get(path)?.iter().find(|(of, _)| of == method).map(|(_, route)| route.clone())
    }

    /// The handler's answer, its panics caught and its errors in the API's words.
    async fn answer(self, request: Request, next: Next, id: String) -> Response {
        let answer = AssertUnwindSafe(next.run(request)).catch_unwind().await;
        let response = answer.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
            Error(domain::Error::internal(format!("a handler panicked: {text}"))).into_response()
        });
        self.render(response, &id)
    }

    /// Puts the error that a response carries into words. Headers that were set beside it stay.
    fn render(&self, mut response: Response, id: &str) -> Response {
        let Some(carried) = response.extensions_mut().remove::<Carried>() else { return response };
        let mut rendered = (self.style.render)(&carried.0, id);
        for (name, value) in response.headers() {
            if name != CONTENT_LENGTH && name != CONTENT_TYPE {
                rendered.headers_mut().append(name, value.clone());
            }
        }
        // For the log; see `observe`.
        rendered.extensions_mut().insert(Logged(carried.0.clone()));
        rendered
    }
}

/// The error that a rendered response came of.
#[derive(Clone, Debug)]
pub(crate) struct Logged(pub(crate) Arc<domain::Error>);
