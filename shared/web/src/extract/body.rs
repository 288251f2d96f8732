//! Request bodies.

use std::any::Any;

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use domain::{Fault, Language};
use utoipa::IntoParams;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType};
use utoipa::openapi::{RefOr, Schema};

use super::{Caller, params};
use crate::body::read;
use crate::validate::{self, Input};
use crate::{AppState, Error, json};

/// What a request's body is read into: an [`Input`], an optional one, or [`RawJson`].
pub trait FromBody: Sized {
    /// Of the bytes, or every fault of them.
    fn from_body(bytes: Bytes) -> Result<Self, Vec<Fault>>;

    /// A function's code in bytes that these faults were found in; see [`Input::code`].
    fn code_in(bytes: &Bytes, faults: &[Fault]) -> Option<(Language, String)> {
        let _ = (bytes, faults);
        None
    }
}

impl<T: Input> FromBody for T {
    fn from_body(bytes: Bytes) -> Result<Self, Vec<Fault>> {
        if is_blank(&bytes) {
            return Err(vec![validate::missing_body()]);
        }
        validate::body(json::parse(&bytes).map_err(|fault| vec![fault])?)
    }

    fn code_in(bytes: &Bytes, faults: &[Fault]) -> Option<(Language, String)> {
        validate::code_in::<T>(&json::parse(bytes).ok()?, faults)
    }
}

/// Reads a body. Where it is at fault, what is wrong with the code in it is told too, if the caller is known: how much
/// code is checked at once is bounded for each of them.
async fn read_as<T: FromBody>(
    bytes: Bytes,
    caller: Option<Caller>,
    state: &(dyn Any + Send + Sync),
) -> Result<T, Vec<Fault>> {
    let mut faults = match T::from_body(bytes.clone()) {
        Ok(body) => return Ok(body),
        Err(faults) => faults,
    };
    if let (Some(Caller { user_id }), Some(state)) = (caller, state.downcast_ref::<AppState>())
        && let Some((language, code)) = T::code_in(&bytes, &faults)
    {
        faults.extend(state.services.functions.code_fault(user_id, language, &code).await);
    }
    Err(faults)
}

/// No body, or `null`, is `None`.
impl<T: Input> FromBody for Option<T> {
    fn from_body(bytes: Bytes) -> Result<Self, Vec<Fault>> {
        if is_blank(&bytes) {
            return Ok(None);
        }
        let value = json::parse(&bytes).map_err(|fault| vec![fault])?;
        if value.is_null() { Ok(None) } else { validate::body(value).map(Some) }
    }
}

/// Any JSON value, its bytes exactly as they came; no body is `{}`. It is valid JSON in valid UTF-8, nested no deeper
/// than [`JSON_DEPTH`](domain::limits::JSON_DEPTH).
#[derive(Clone, Debug)]
pub struct RawJson(pub Bytes);

impl FromBody for RawJson {
    fn from_body(bytes: Bytes) -> Result<Self, Vec<Fault>> {
        if is_blank(&bytes) {
            return Ok(Self(Bytes::from_static(b"{}")));
        }
        json::check(&bytes).map_err(|fault| vec![fault])?;
        Ok(Self(bytes))
    }
}

/// Any bytes, exactly as they came.
#[derive(Clone, Debug)]
pub struct RawBody(pub Bytes);

impl FromBody for RawBody {
    fn from_body(bytes: Bytes) -> Result<Self, Vec<Fault>> {
        Ok(Self(bytes))
    }
}

impl utoipa::PartialSchema for RawJson {
    fn schema() -> RefOr<Schema> {
        let any = ObjectBuilder::new().schema_type(SchemaType::AnyValue);
        any.description(Some("Any JSON value, nested no deeper than 128")).into()
    }
}

impl utoipa::ToSchema for RawJson {
    fn name() -> std::borrow::Cow<'static, str> {
        "AnyJson".into()
    }
}

/// What JSON calls whitespace, and nothing else.
fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
}

/// A request's body, checked. Whatever its `Content-Type` says, it is read as JSON: that is what `curl -d` sends.
#[derive(Clone, Debug)]
pub struct Body<T>(pub T);

impl<S: Send + Sync + 'static, T: FromBody> FromRequest<S> for Body<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        let caller = request.extensions().get().copied();
        let bytes = read(request.into_body()).await?;
        read_as(bytes, caller, state).await.map(Self).map_err(|faults| domain::Error::invalid(faults).into())
    }
}

/// A path's parameters and a body, with the faults of both reported together.
#[derive(Clone, Debug)]
pub struct PathBody<P, B> {
    /// The path's parameters.
    pub path: P,
    /// The body.
    pub body: B,
}

impl<S, P, B> FromRequest<S> for PathBody<P, B>
where
    S: Send + Sync + 'static,
    P: serde::de::DeserializeOwned + IntoParams + Send + 'static,
    B: FromBody,
{
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        let (mut parts, body) = request.into_parts();
        let bytes = read(body).await?;
        let path = params::path(&mut parts).await;
        let caller = parts.extensions.get().copied();
        let body = read_as(bytes, caller, state).await;
        params::both(path, body).map(|(path, body)| Self { path, body })
    }
}
