//! What handlers take. Arguments are looked at in order, so `Caller` comes first (401 beats 422), and what reads the
//! body comes last.

mod base_url;
mod body;
mod caller;
mod gateway;
mod params;
mod source;

pub use base_url::BaseUrl;
pub use body::{Body, FromBody, PathBody, RawBody, RawJson};
pub use caller::{BearerToken, Caller};
pub use gateway::Gateway;
pub use params::{Path, PathQuery, Query};
pub use source::Source;

pub(crate) use caller::bearer;
