//! Calls from browsers' pages of other origins.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use futures::FutureExt;
use http::header::{ALLOW, LINK, LOCATION, RETRY_AFTER, VARY, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, Method};
use tower::{Layer, ServiceExt, service_fn};
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, Cors, CorsLayer};

use super::idempotency::REPLAYED;
use super::observe::REQUEST_ID;
use crate::{Config, HttpService};

/// Routes that answer other origins' pages, where that is done here.
pub(crate) struct CrossOrigin<S> {
    routes: S,
    cors: Option<Cors<S>>,
    /// Where any origin may call: what every answer but a preflight's gets, which need not be worked out each time.
    same: Option<HeaderMap>,
}

impl<S: HttpService> CrossOrigin<S> {
    pub(crate) fn new(routes: S, config: &Config) -> Self {
        let cors = config.cors.then(|| layer(config));
        let any = cors.as_ref().filter(|_| config.allowed_origins.is_empty());
        Self {
            same: any.map(headers_of_plain_answers),
            cors: cors.map(|layer| layer.layer(routes.clone())),
            routes,
        }
    }

    pub(crate) async fn answer(&self, request: Request) -> Result<Response, Infallible> {
        match (&self.cors, &self.same) {
            (None, _) => self.routes.clone().oneshot(request).await,
            (Some(_), Some(same)) if request.method() != Method::OPTIONS => {
                let mut response = self.routes.clone().oneshot(request).await?;
                let headers = response.headers_mut();
                for (name, value) in same {
                    // What else an answer varies by stays.
                    if name == VARY {
                        headers.append(name, value.clone());
                    } else {
                        headers.insert(name, value.clone());
                    }
                }
                Ok(response)
            }
            (Some(cors), _) => cors.clone().oneshot(request).await,
        }
    }
}

/// Any origin, unless the operator names some; never with cookies, since tokens travel in a header.
fn layer(config: &Config) -> CorsLayer {
    let origins = match config.allowed_origins.as_slice() {
        [] => AllowOrigin::any(),
        some => AllowOrigin::list(some.iter().cloned()),
    };
    let exposed: [HeaderName; 7] =
        [REQUEST_ID, LOCATION, RETRY_AFTER, REPLAYED, LINK, ALLOW, WWW_AUTHENTICATE];
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods(AllowMethods::mirror_request())
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(exposed)
        .max_age(Duration::from_secs(600))
}

/// What the layer adds to an answer that has nothing else.
fn headers_of_plain_answers(layer: &CorsLayer) -> HeaderMap {
    let nothing = service_fn(|_: Request| async { Ok::<Response, Infallible>(Response::default()) });
    let answer = layer.layer(nothing).oneshot(Request::default()).now_or_never();
    let Ok(answer) = answer.expect("nothing waits in it");
    answer.into_parts().0.headers
}
