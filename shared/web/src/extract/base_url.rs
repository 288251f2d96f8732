//! Where the caller reached us.

use axum::extract::{FromRef, FromRequestParts};
use http::header::{HOST, HeaderName};
use http::request::Parts;
use http::uri::Authority;

use super::gateway::Gateway;
use super::source;
use crate::{Error, Web};

/// The platform's address as the caller sees it, without a slash at the end: for absolute URLs in answers.
///
/// What the operator set ([`Config::public_url`](crate::Config)) comes first. Behind API Gateway it is `https`, the
/// request's host and the stage; on a socket it is `http` and the request's `Host`, or what `X-Forwarded-Proto` and
/// `X-Forwarded-Host` say where a trusted proxy says so. A caller who sends another `Host` gets it back, and nobody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(pub String);

const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

impl<S> FromRequestParts<S> for BaseUrl
where
    S: Send + Sync,
    Web: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        Ok(Self(of(parts, &Web::from_ref(state).config)))
    }
}

fn of(parts: &Parts, config: &crate::Config) -> String {
    if let Some(url) = &config.public_url {
        return url.trim_end_matches('/').to_owned();
    }
    let gateway = parts.extensions.get::<Gateway>();
    let trusted = gateway.is_none() && source::comes_through_trusted(parts, &config.trusted_proxies);
    let scheme = (gateway.is_some() || trusted)
        .then(|| text(parts, &FORWARDED_PROTO))
        .flatten()
        .filter(|scheme| matches!(*scheme, "http" | "https"))
        .unwrap_or(if gateway.is_some() { "https" } else { "http" });
    let forwarded = trusted.then(|| text(parts, &FORWARDED_HOST)).flatten().and_then(authority);
    let host = forwarded
        .or_else(|| text(parts, &HOST).and_then(authority))
        .or_else(|| parts.uri.authority().and_then(|own| authority(own.as_str())))
        .or_else(|| gateway.and_then(|gateway| authority(gateway.domain_name.as_deref()?)));
    // HTTP/1.0 needs no `Host`; nothing better is known then.
    let host = host.as_ref().map_or("localhost", Authority::as_str);
    match gateway.and_then(|gateway| gateway.stage.as_ref()) {
        Some(stage) => format!("{scheme}://{host}/{stage}"),
        None => format!("{scheme}://{host}"),
    }
}

/// A header's text; of a list the first, which is the outermost proxy's.
fn text<'a>(parts: &'a Parts, name: &HeaderName) -> Option<&'a str> {
    parts.headers.get(name)?.to_str().ok()?.split(',').next().map(str::trim)
}

/// A host and perhaps a port, and nothing that could be read as more.
fn authority(text: &str) -> Option<Authority> {
    text.parse::<Authority>().ok().filter(|authority| !authority.as_str().contains('@'))
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::extract::ConnectInfo;

    use super::*;

    fn url(headers: &[(&str, &str)], trusted: &[&str], public_url: Option<&str>) -> String {
        let mut request = http::Request::builder().uri("/api/workspaces");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut parts = request.body(()).unwrap().into_parts().0;
        parts.extensions.insert(ConnectInfo("10.0.0.1:9".parse::<SocketAddr>().unwrap()));
        let config = crate::Config {
            trusted_proxies: trusted.iter().map(|network| network.parse().unwrap()).collect(),
            public_url: public_url.map(str::to_owned),
            ..crate::Config::default()
        };
        of(&parts, &config)
    }

    #[test]
    fn is_where_the_caller_reached_us() {
        let forwarded =
            [("host", "inner:80"), ("x-forwarded-proto", "https"), ("x-forwarded-host", "fn.example, x")];
        assert_eq!(url(&[("host", "127.0.0.1:8000")], &[], None), "http://127.0.0.1:8000");
        assert_eq!(url(&[("host", "[::1]:8000")], &[], None), "http://[::1]:8000");
        assert_eq!(url(&forwarded, &[], None), "http://inner:80");
        assert_eq!(url(&forwarded, &["10.0.0.0/8"], None), "https://fn.example");
        assert_eq!(url(&forwarded, &[], Some("https://set.example/x/")), "https://set.example/x");
        for odd in ["", "a b", "a/b", "user@host", "\"><script>"] {
            assert_eq!(url(&[("host", odd)], &[], None), "http://localhost", "{odd}");
        }
    }

    #[test]
    fn behind_a_gateway_it_has_the_stage() {
        for (host, stage, base) in [
            (Some("a.example"), None, "https://a.example"),
            (Some("a.example"), Some("prod"), "https://a.example/prod"),
            (None, None, "https://its.own"),
        ] {
            let mut request = http::Request::builder().uri("/x").header("x-forwarded-proto", "https");
            if let Some(host) = host {
                request = request.header(HOST, host);
            }
            let mut parts = request.body(()).unwrap().into_parts().0;
            let stage = stage.map(str::to_owned);
            parts.extensions.insert(Gateway {
                source_ip: None,
                domain_name: Some("its.own".to_owned()),
                stage,
            });
            assert_eq!(of(&parts, &crate::Config::default()), base);
        }
    }
}
