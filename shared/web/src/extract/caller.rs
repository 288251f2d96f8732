//! Who calls.

use std::convert::Infallible;

use axum::extract::{FromRef, FromRequestParts};
use domain::UserId;
use http::header::AUTHORIZATION;
use http::request::Parts;

use crate::{Error, Web};

/// What a caller hears whom nobody knows.
const NO_CREDENTIALS: &str = "Could not validate credentials";

/// A user who showed a good access token; anyone else gets 401.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Who.
    pub user_id: UserId,
}

impl<S> FromRequestParts<S> for Caller
where
    S: Send + Sync,
    Web: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let user = bearer(parts).and_then(|token| Web::from_ref(state).tokens.verify(token));
        let user_id = user.ok_or_else(|| domain::Error::unauthenticated(NO_CREDENTIALS))?.user;
        let caller = Self { user_id };
        // Whatever is extracted after this knows whom it is for.
        parts.extensions.insert(caller);
        Ok(caller)
    }
}

/// What stands after `Bearer` in the request, whatever it is: for workspace keys, which the store knows.
#[derive(Clone)]
pub struct BearerToken(pub Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for BearerToken {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(bearer(parts).map(str::to_owned)))
    }
}

/// The bearer token of a request. More than one `Authorization` is none: which one to believe is a guess.
pub(crate) fn bearer(parts: &Parts) -> Option<&str> {
    let mut headers = parts.headers.get_all(AUTHORIZATION).iter();
    let (Some(only), None) = (headers.next(), headers.next()) else {
        return None;
    };
    let (scheme, token) = only.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_bearer_is_believed() {
        let of = |values: &[&str]| {
            let mut request = http::Request::builder();
            for value in values {
                request = request.header(AUTHORIZATION, *value);
            }
            bearer(&request.body(()).unwrap().into_parts().0).map(str::to_owned)
        };
        assert_eq!(of(&["Bearer abc"]).as_deref(), Some("abc"));
        assert_eq!(of(&["bearer  abc "]).as_deref(), Some("abc"));
        for none in [&[][..], &["Bearer"], &["Bearer "], &["Basic abc"], &["abc"], &["Bearer a", "Bearer b"]]
        {
            assert_eq!(of(none), None, "{none:?}");
        }
    }
}
