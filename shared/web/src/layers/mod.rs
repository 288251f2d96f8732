//! What happens around every handler.
//!
//! From the outside in: `observe` (request id, span, one line in the log, headers), CORS, the trailing slash, routing;
//! then per API: what can be carried, body limits, idempotency, panics, and the API's own words for errors.

pub(crate) mod around;
pub(crate) mod body;
pub(crate) mod carry;
pub(crate) mod cors;
pub(crate) mod observe;
