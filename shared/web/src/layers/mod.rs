//! What happens around every handler.
//!
//! From the outside in: `observe` (request id, span, one line in the log, headers), CORS, the trailing slash, routing;
//! then per API: what the front door can carry, body limits, idempotency, panics, and the API's own words for errors.

pub(crate) mod cors;
mod idempotency;
pub(crate) mod observe;
pub(crate) mod route;
