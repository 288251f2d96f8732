//! Where a request comes from.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::gateway::Gateway;
use crate::{Error, Web};
use axum::extract::{ConnectInfo, FromRef, FromRequestParts};
use http::HeaderMap;
use http::request::Parts;
use ipnet::IpNet;

/// The address a request comes from: what the gateway or the socket saw. `X-Forwarded-For` counts only where the
/// operator trusts the proxy that it came through: then it is the last address in it that is no trusted proxy's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Source(pub IpAddr);

impl Source {
    /// What to count by: an IPv4 address, or the /64 that an IPv6 address is in, since a host has all of that.
    pub fn network(self) -> String {
        match self.0.to_canonical() {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                format!("{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
        }
    }

    pub(crate) fn of(parts: &Parts, web: &Web) -> Self {
        Self(behind(peer(parts), &parts.headers, &web.config.trusted_proxies))
    }
}

impl<S> FromRequestParts<S> for Source
where
    S: Send + Sync,
    Web: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        Ok(Self::of(parts, &Web::from_ref(state)))
    }
}

/// Whether the other end of the connection is a proxy that the operator trusts.
pub(super) fn comes_through_trusted(parts: &Parts, trusted: &[IpNet]) -> bool {
    let peer = peer(parts);
    trusted.iter().any(|network| network.contains(&peer))
}

/// Who is at the other end of the connection, or of the gateway's.
fn peer(parts: &Parts) -> IpAddr {
    let gateway = parts.extensions.get::<Gateway>().and_then(|gateway| gateway.source_ip);
    let socket = || parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    gateway
        .or_else(socket)
        // A Unix socket has no address; all of its callers count as one.
        .unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
        .to_canonical()
}

fn behind(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(&address));
    let mut source = peer;
    let forwarded = headers.get_all("x-forwarded-for");
    let hops = forwarded.iter().rev().filter_map(|value| value.to_str().ok());
    for hop in hops.flat_map(|value| value.rsplit(',')) {
        if !is_trusted(source) {
            break;
        }
        // What can't be read was not written by a proxy that we trust.
        let Some(address) = address(hop.trim()) else { break };
        source = address;
    }
    source
}

/// `1.2.3.4`, `1.2.3.4:80`, `::1`, `[::1]`, `[::1]:80`.
fn address(text: &str) -> Option<IpAddr> {
    let bare = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|socket| socket.ip());
    text.parse().ok().or_else(bare).or_else(with_port).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        let trusted: Vec<_> = trusted.iter().map(|network| network.parse().unwrap()).collect();
        behind(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn forwarded_for_counts_only_through_trusted_proxies() {
        let trusted = ["10.0.0.0/8", "::1/128"];
        assert_eq!(source("9.9.9.9", &["1.1.1.1"], &[]), "9.9.9.9");
        assert_eq!(source("9.9.9.9", &["1.1.1.1"], &trusted), "9.9.9.9");
        assert_eq!(source("10.0.0.1", &["1.1.1.1"], &trusted), "1.1.1.1");
        assert_eq!(
            source("10.0.0.1", &["6.6.6.6, 1.1.1.1"], &trusted),
            "1.1.1.1",
            "the caller wrote 6.6.6.6"
        );
        assert_eq!(source("10.0.0.1", &["6.6.6.6", "1.1.1.1,10.0.0.2"], &trusted), "1.1.1.1");
        assert_eq!(source("10.0.0.1", &["10.0.0.3, 10.0.0.2"], &trusted), "10.0.0.3");
        assert_eq!(source("10.0.0.1", &["1.1.1.1, garbage"], &trusted), "10.0.0.1");
        assert_eq!(source("::1", &["[2001:db8::1]:443"], &trusted), "2001:db8::1");
        assert_eq!(source("10.0.0.1", &[], &trusted), "10.0.0.1");
    }

    #[test]
    fn a_host_counts_as_one() {
        let network = |text: &str| Source(text.parse().unwrap()).network();
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), network("2001:db8:1:2:ffff::1"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("::ffff:1.2.3.4"), network("1.2.3.4"));
    }
}
