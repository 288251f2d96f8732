//! Answers requests to the HTTP triggers of functions.

use std::sync::Arc;

use bytes::Bytes;
use domain::function::HTTP_METHODS;
use domain::{AuthKey, Error, Function, FunctionId, Job, Kind, Result, UserId, WorkspaceId};
use ports::Clock;
use quick_cache::sync::Cache;
use store::Store;
use store::functions::not_found;

use crate::auth_keys::AuthKeys;
use crate::http_trigger::event::event;
use crate::http_trigger::response::response;
use crate::http_trigger::{Request, Response};
use crate::invocations::{Invocations, Invoked};
use crate::runs::Ran;

/// How many endpoints' functions are remembered. One that has moved is noticed when its function is read.
const KNOWN_ENDPOINTS: usize = 4096;

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

/// The HTTP triggers of functions.
pub struct Triggers {
    store: Store,
    clock: Arc<dyn Clock>,
    auth_keys: Arc<AuthKeys>,
    invocations: Arc<Invocations>,
    endpoints: Cache<(WorkspaceId, String), FunctionId>,
}

impl Triggers {
    pub(crate) fn new(
        store: Store,
        clock: Arc<dyn Clock>,
        auth_keys: Arc<AuthKeys>,
        invocations: Arc<Invocations>,
    ) -> Self {
        Self { store, clock, auth_keys, invocations, endpoints: Cache::new(KNOWN_ENDPOINTS) }
    }

    /// Answers a request to `endpoint` from whoever `bearer` is. Unless the function is public, 401 without a good key and
    /// 404 for one of another workspace or another user; 404 if nothing is there, 405 for a method that it does not answer
    /// to.
    pub async fn answer(
        &self,
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
                    self.auth_keys.opened(record, key.unwrap_or_default())?.workspace_id == workspace
                }
            };
        if !may {
            return Err(not_found());
        }
        check_method(&function, &request.method)?;
        let event = event(&request, self.clock.now());
        let event = Bytes::from(serde_json::to_vec(&event).map_err(Error::internal)?);
        Ok(match self.invocations.invoke(function, event, true).await? {
            Invoked::Accepted(job) => Triggered::Accepted(job),
            Invoked::Ran(ran) => {
                let Ran { job, output, response: at_hand, .. } = *ran;
                let response = at_hand.or_else(|| response(&output?).ok());
                response.map_or_else(|| Triggered::Failed(Box::new(job)), Triggered::Responded)
            }
        })
    }

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
            && let (Some(function), record) = self.auth_keys.function_and_record(workspace, id, key).await?
            && (function.workspace_id, function.endpoint.as_str()) == (workspace, endpoint)
        {
            return Ok((function, record));
        }
        let id = self.store.function_at(workspace, endpoint).await?.ok_or_else(not_found)?;
        let (function, record) = self.auth_keys.function_and_record(workspace, id, key).await?;
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
