//! `Idempotency-Key`: the same key and the same request within 24 hours give the first answer again, and the work is not
//! done again.
//!
//! Kept are answers that would come again: success, and refusals for what the request says. Not kept are refusals of
//! the moment (401, 429) and of input that is not valid, which a caller corrects and sends with the same key.
//!
//! A request whose end nobody knows (5xx, or its process died) keeps its key: sent again, it goes on as the same request,
//! whose ids [`app::request`] makes, and so finds what the first try made. Until then its key is good for that request
//! only.

mod record;
mod seal;

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use domain::{Fault, Field, Kind, Rule};
use futures::TryFutureExt;
use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderName};
use http_body_util::BodyExt;
use tracing::Instrument;

use crate::body::read;
use crate::error::Rendered;
use crate::extract::{Source, bearer};
use crate::secrets::{hex, sha256};
use crate::{Error, Web};

use record::{Begun, End, Record};
use seal::Answer;
pub(crate) use seal::REPLAYED;

/// The header that names a request.
const KEY: &str = "idempotency-key";

/// Answers a request at most once for its key; one without a key is just answered. `Err` is a refusal that is still to
/// be put into the API's words.
pub(crate) async fn once<F, Fut>(web: &Web, request: Request, run: F) -> Result<Response, Response>
where
    F: FnOnce(Request) -> Fut + Send + 'static,
    Fut: Future<Output = Response> + Send + 'static,
{
    let Some(key) = key_of(request.headers()).map_err(IntoResponse::into_response)? else {
        return Ok(run(request).await);
    };
    let (parts, body) = request.into_parts();
    let (caller, key_of_workspace) = match bearer(&parts).map(|token| (token, web.tokens.verify(token))) {
        None => (format!("source:{}{}", Source::of(&parts, web).network(), told_apart(&parts.headers)), None),
        Some((_, Some(token))) => (format!("user:{}", token.user), None),
        Some((token, None)) => {
            let caller = format!("bearer:{}{}", hex(&sha256(token.as_bytes())), told_apart(&parts.headers));
            (caller, Some(token.to_owned()))
        }
    };
    let body = read(body).await.map_err(IntoResponse::into_response)?;
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    let asked: [&[u8]; 3] = [parts.method.as_str().as_bytes(), target.as_bytes(), &body];
    let record = Record::new(web, &caller, &key, &asked);
    let (identity, again) = match record.begin().map_err(IntoResponse::into_response).await? {
        Begun::Done(answer) => {
            // The route, which would look at it, is not asked again.
            if let Some(key) = key_of_workspace {
                let store = app::Store::new(web.table.clone(), web.blobs.clone());
                let checked = app::check_unless_other(&store, &key, web.clock.now()).await;
                checked.map_err(|error| Error(error).into_response())?;
            }
            return Ok(answer.replayed());
        }
        Begun::Mine(identity, again) => (identity, again),
        Begun::Running => return Err(Error(domain::Error::key_in_use()).into_response()),
        Begun::Other => {
            let reused = domain::Error::new(Kind::Unprocessable, "IDEMPOTENCY_KEY_REUSED", REUSED);
            return Err(Error(reused).into_response());
        }
    };
    let request = Request::from_parts(parts, Body::from(body));
    // On a task of its own: a caller who hangs up and tries again shall find the answer.
    let work = async move {
        let response = record.held_while(identity.scope(run(request))).await;
        finish(record, response, again).await
    };
    let task = tokio::spawn(work.in_current_span());
    task.await.map_err(|error| Error(domain::Error::internal(error)).into_response())
}

/// What else tells callers apart whom the platform doesn't know: a function behind a trigger may know them by it.
fn told_apart(headers: &HeaderMap) -> String {
    let mut told = Vec::new();
    for name in [AUTHORIZATION, COOKIE, HeaderName::from_static("x-api-key")] {
        for value in headers.get_all(&name) {
            told.extend(name.as_str().as_bytes());
            told.push(0);
            told.extend((value.len() as u64).to_be_bytes());
            told.extend(value.as_bytes());
        }
    }
    if told.is_empty() { String::new() } else { format!(":{}", hex(&sha256(&told))) }
}

/// Whether a request is named.
pub(super) fn has_key(request: &Request) -> bool {
    request.headers().contains_key(KEY)
}

/// What is told to who names a request that streams: it can't be compared with another before it has been done.
pub(super) fn refusal_of_streams() -> Error {
    let message = "This request's body is read as it comes, so it can't be told from another of the same Idempotency-Key. \
                   Send it without one";
    domain::Error::new(Kind::BadRequest, "IDEMPOTENCY_KEY_NOT_SUPPORTED", message).into()
}

const REUSED: &str = "This Idempotency-Key was used for another request; use a new one";

/// The key, if there is one; more than one, or one that isn't sane, is a fault.
fn key_of(headers: &HeaderMap) -> Result<Option<String>, Error> {
    let mut values = headers.get_all(KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let sane = value.to_str().ok().filter(|key| {
        values.next().is_none()
            && (1..=255).contains(&key.len())
            && key.bytes().all(|byte| matches!(byte, b' '..=b'~'))
    });
    match sane {
        Some(key) => Ok(Some(key.to_owned())),
        None => {
            let says = "be one key of 1 to 255 printable ASCII characters";
            let fault = Fault::new(Field::header(KEY), Rule::Pattern(says.to_owned()));
            Err(domain::Error::invalid(vec![fault]).into())
        }
    }
}

/// Keeps the answer if it is one to keep, and gives it to the caller either way. `again` says whether the request was
/// begun before: then that may have had an effect, whatever is answered now.
async fn finish(record: Record, response: Response, again: bool) -> Response {
    let (parts, body) = response.into_parts();
    let kept = is_kept(&parts);
    let is_open = again || is_unknown(&parts);
    let body = match body.collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) => return Error(domain::Error::internal(error)).into_response(),
    };
    let end = match kept {
        true => End::Answered(Answer::new(parts.status, &parts.headers, body.clone())),
        false if is_open => End::Unknown,
        false => End::Nothing,
    };
    if let Err(error) = record.finish(end).await {
        // A repetition goes on with what this one has made.
        tracing::warn!(target: "web", error = %error.0, "an answer could not be stored for its idempotency key");
    }
    Response::from_parts(parts, Body::from(body))
}

/// Whether nobody knows what the request has come to.
fn is_unknown(parts: &http::response::Parts) -> bool {
    parts.status.is_server_error()
}

fn is_kept(parts: &http::response::Parts) -> bool {
    match parts.extensions.get() {
        Some(Rendered(error)) => {
            matches!(error.kind, Kind::BadRequest | Kind::NotFound | Kind::Conflict | Kind::Unprocessable)
        }
        None => !parts.status.is_server_error() && parts.status.as_u16() != 429,
    }
}
