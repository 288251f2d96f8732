//! Parameters of paths and queries.

use axum::extract::{FromRequestParts, RawPathParams};
use domain::{Fault, Part, Rule};
use http::request::Parts;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use crate::Error;
use crate::validate;

/// A path's parameters, checked by their `IntoParams` schema.
#[derive(Clone, Debug)]
pub struct Path<T>(pub T);

/// A query's parameters, checked by their `IntoParams` schema.
#[derive(Clone, Debug)]
pub struct Query<T>(pub T);

/// A path's and a query's parameters, with the faults of both reported together.
#[derive(Clone, Debug)]
pub struct PathQuery<P, Q> {
    /// The path's.
    pub path: P,
    /// The query's.
    pub query: Q,
}

pub(super) async fn path<T>(parts: &mut Parts) -> Result<T, Vec<Fault>>
where
    T: DeserializeOwned + IntoParams + 'static,
{
    let unreadable = |_| vec![Fault::new(Part::Path, Rule::Utf8)];
    let raw = RawPathParams::from_request_parts(parts, &()).await.map_err(unreadable)?;
    validate::params(Part::Path, raw.iter().map(|(name, text)| (name.to_owned(), text.to_owned())))
}

fn query<T>(parts: &Parts) -> Result<T, Vec<Fault>>
where
    T: DeserializeOwned + IntoParams + 'static,
{
    let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
        .map(|axum::extract::Query(pairs)| pairs)
        .unwrap_or_default();
    validate::params(Part::Query, pairs)
}

/// Both, or the faults of both.
pub(super) fn both<A, B>(one: Result<A, Vec<Fault>>, other: Result<B, Vec<Fault>>) -> Result<(A, B), Error> {
    match (one, other) {
        (Ok(one), Ok(other)) => Ok((one, other)),
        (one, other) => {
            let faults = one.err().into_iter().chain(other.err()).flatten().collect();
            Err(domain::Error::invalid(faults).into())
        }
    }
}

impl<S: Send + Sync, T> FromRequestParts<S> for Path<T>
where
    T: DeserializeOwned + IntoParams + 'static,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        path(parts).await.map(Self).map_err(|faults| domain::Error::invalid(faults).into())
    }
}

impl<S: Send + Sync, T> FromRequestParts<S> for Query<T>
where
    T: DeserializeOwned + IntoParams + 'static,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        query(parts).map(Self).map_err(|faults| domain::Error::invalid(faults).into())
    }
}

impl<S, P, Q> FromRequestParts<S> for PathQuery<P, Q>
where
    S: Send + Sync,
    P: DeserializeOwned + IntoParams + 'static,
    Q: DeserializeOwned + IntoParams + 'static,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let path = path(parts).await;
        both(path, query(parts)).map(|(path, query)| Self { path, query })
    }
}
