//! HTTP triggers: a request becomes an event in API Gateway's payload format 2.0, and a handler's result becomes a
//! response. Source: Amazon API Gateway developer guide, "Working with AWS Lambda proxy integrations for HTTP APIs".

pub(crate) mod event;
pub(crate) mod message;
pub(crate) mod response;

pub use message::{Body, Request, Response};
