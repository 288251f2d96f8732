//! What a gateway tells of a request.

use std::net::IpAddr;

/// What the gateway in front of this process, which is ours, says of a request: in the extensions of each that came through
/// one. It is believed, since nobody else can put it there.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// Who asked the gateway.
    pub source_ip: Option<IpAddr>,
    /// The gateway's own name, for who sends no `Host`.
    pub domain_name: Option<String>,
    /// The gateway's stage where it stood before the path, as in `/prod/users`: the caller's URLs need it.
    pub stage: Option<String>,
}
