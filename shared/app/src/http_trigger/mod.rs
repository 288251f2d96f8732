//! HTTP triggers: a request becomes an event in API Gateway's payload format 2.0, and a handler's result becomes a
//! response. Source: Amazon API Gateway developer guide, "Working with AWS Lambda proxy integrations for HTTP APIs".

mod event;
mod response;

use std::sync::Arc;

use bytes::Bytes;
use domain::function::HTTP_METHODS;
use domain::{AuthKey, Error, Function, Job, Kind, Result, UserId, WorkspaceId};
use serde_json::Value;
use store::functions::not_found;

use crate::App;
use crate::invocations::{Invoked, Ran};

pub(crate) use event::body_of as request_body;
use event::event;
pub(crate) use response::{response, seen as response_body};

/// A request to a trigger, as it came.
#[derive(Clone, Debug)]
pub struct Request {
    /// Upper case.
    pub method: String,
    /// As it came, still encoded.
    pub path: String,
    /// After the `?`, still encoded; empty if there is none.
    pub query: String,
    /// Lower-case names, in the order they came.
    pub headers: Vec<(String, String)>,
    /// What was sent.
    pub body: Bytes,
    /// Where from.
    pub source_ip: String,
    /// The request's id.
    pub request_id: String,
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub enum Bearer<'a> {
    /// A user with a good access token.
    User(UserId),
    /// Someone with this text, which may be a key of a workspace.
    Key(&'a str),
    /// Someone who shows nothing.
    Nobody,
}

/// A body, as it is shown in logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// JSON text.
    Json(String),
    /// Text that says it is no JSON, or Base64 of what is no text.
    Text(String),
}

impl Body {
    /// JSON where its type says so and it is; else text.
    fn of(text: String, content_type: Option<&str>) -> Self {
        let says_json = content_type.is_some_and(|name| {
            let name = name.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            name == "application/json" || name.ends_with("+json")
        });
        // Reading it whole bounds how deep it nests.
        match says_json && serde_json::from_str::<Value>(&text).is_ok() {
            true => Self::Json(text),
            false => Self::Text(text),
        }
    }
}

/// A response from a trigger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// 200 to 599.
    pub status: u16,
    /// Without those that are between hops.
    pub headers: Vec<(String, String)>,
    /// As it is to be sent.
    pub body: Bytes,
}

/// What came of a request to a trigger.
#[derive(Clone, Debug)]
pub enum Triggered {
    /// The handler's result is this response.
    Responded(Response),
    /// The run is queued, or still goes on.
    Accepted(Box<Job>),
    /// The run failed, or its result can't be a response. Why is for the function's owner, and a caller may be anyone.
    Failed(Box<Job>),
}

impl App {
    /// Answers a request to `endpoint` from whoever `bearer` is. Unless the function is public, 401 without a good key and
    /// 404 for one of another workspace or another user; 404 if nothing is there, 405 for a method that it does not answer
    /// to.
    pub async fn trigger(
        self: &Arc<Self>,
        workspace: WorkspaceId,
        endpoint: &str,
        bearer: Bearer<'_>,
        request: Request,
    ) -> Result<Triggered> {
        let key = match bearer {
            Bearer::Key(key) => Some(key),
            Bearer::User(_) | Bearer::Nobody => None,
        };
        let (function, record) = self.behind(workspace, endpoint, key).await?;
        let may = function.public
            || match bearer {
                Bearer::User(user) => function.owner_id == user,
                Bearer::Key(_) | Bearer::Nobody => {
                    self.opened(record, key.unwrap_or_default())?.workspace_id == workspace
                }
            };
        if !may {
            return Err(not_found());
        }
        check_method(&function, &request.method)?;
        let event = event(&request, self.clock.now());
        let event = Bytes::from(serde_json::to_vec(&event).map_err(Error::internal)?);
        Ok(match self.invoke(function, event, true).await? {
            Invoked::Accepted(job) => Triggered::Accepted(job),
            Invoked::Ran(ran) => {
                let Ran { job, output, response: at_hand, .. } = *ran;
                let response = at_hand.or_else(|| response(&output?).ok());
                response.map_or_else(|| Triggered::Failed(Box::new(job)), Triggered::Responded)
            }
        })
    }
}

impl App {
    /// The function behind an endpoint, and the record that the key names. One read where the endpoint was asked for
    /// before: the function itself says whether it still has it.
    async fn behind(
        &self,
        workspace: WorkspaceId,
        endpoint: &str,
        key: Option<&str>,
    ) -> Result<(Function, Option<AuthKey>)> {
        let place = (workspace, endpoint.to_owned());
        if let Some(id) = self.endpoints.get(&place)
            && let (Some(function), record) = self.function_and_record(workspace, id, key).await?
            && (function.workspace_id, function.endpoint.as_str()) == (workspace, endpoint)
        {
            return Ok((function, record));
        }
        let id = self.store.function_at(workspace, endpoint).await?.ok_or_else(not_found)?;
        let (function, record) = self.function_and_record(workspace, id, key).await?;
        let function = function.ok_or_else(not_found)?;
        self.endpoints.insert(place, id);
        Ok((function, record))
    }
}

fn check_method(function: &Function, method: &str) -> Result<()> {
    if function.answers_to(method) {
        return Ok(());
    }
    let all = || HTTP_METHODS.map(str::to_owned).to_vec();
    let methods = function.http_methods.clone().unwrap_or_else(all);
    let message = format!("This function accepts only {}", methods.join(", "));
    Err(Error::new(Kind::MethodNotAllowed(methods), "METHOD_NOT_ALLOWED", message))
}
