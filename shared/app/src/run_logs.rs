//! A function's runs as log entries: what was asked, what was answered, what was printed.

use std::sync::Arc;

use domain::{FunctionId, Job, JobStatus, Logs, Payload, Result, UserId, WorkspaceId};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use store::Store;

use crate::functions::Functions;
use crate::http_trigger::event::body_of as request_body;
use crate::http_trigger::message::Body;
use crate::http_trigger::response::seen as response_body;

/// The texts of an answer, in bytes all together: a Lambda answers 6 MB at most, and there is more to an entry.
const TEXTS: usize = 4 * 1024 * 1024;
/// The largest text that is shown, in bytes: what a job keeps of its logs.
const TEXT: usize = domain::limits::LOGS;
/// How many texts are fetched at once.
const AT_ONCE: usize = 8;

/// A run that ended.
#[derive(Clone, Debug)]
pub struct RunLog {
    /// Its record, without the texts.
    pub job: Job,
    /// The status that a waiting caller gets: of a trigger the response's, else 200 or 500.
    pub status_code: u16,
    /// The body of a trigger's request, or the event.
    pub request: Option<Body>,
    /// The body of a trigger's response, or what the handler returned.
    pub response: Option<Body>,
    /// What went wrong.
    pub error: Option<String>,
    /// What it printed.
    pub logs: Logs,
    /// Which of these were left out because they are large: ask for the job itself.
    pub omitted: Vec<Omitted>,
}

/// A text that was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Omitted {
    /// The request's body.
    Request,
    /// The response's body.
    Response,
    /// What went wrong.
    Error,
    /// What was printed.
    Logs,
}

/// A run, with those of its texts that are to be shown.
struct Chosen {
    job: Job,
    input: Option<Payload>,
    output: Option<Payload>,
    logs: Option<Payload>,
    omitted: Vec<Omitted>,
}

/// The runs of functions.
pub struct RunLogs {
    pub(crate) store: Store,
    pub(crate) functions: Arc<Functions>,
}

impl RunLogs {
    /// The last runs of a function that ended, newest first, and how many there were in all. 404 as
    /// [`Functions::get_in`].
    pub async fn list(
        &self,
        caller: UserId,
        workspace: WorkspaceId,
        function: FunctionId,
        limit: usize,
    ) -> Result<(Vec<RunLog>, u64)> {
        let function = self.functions.get_in(caller, workspace, function).await?;
        let mut ended = self.store.ended_jobs(function.id, limit);
        let mut room = TEXTS;
        let mut chosen = Vec::new();
        while chosen.len() < limit
            && let Some(job) = ended.next().await?
        {
            chosen.push(choose(job, &mut room));
        }
        let total = self.store.totals(store::keys::Scope::Function(function.id)).await?.executions();
        let logs: Vec<_> = chosen.into_iter().map(|chosen| self.run_log(chosen)).collect();
        Ok((stream::iter(logs).buffered(AT_ONCE).try_collect().await?, total))
    }

    async fn run_log(&self, chosen: Chosen) -> Result<RunLog> {
        let Chosen { mut job, input, output, logs, omitted } = chosen;
        let text = async |payload: Option<Payload>| match payload {
            Some(payload) => self.store.text(&payload).await.map(Some),
            None => Ok(None),
        };
        let (input, output, logs) = (text(input).await?, text(output).await?, text(logs).await?);
        let logs =
            logs.map(|text| serde_json::from_str(&text).map_err(domain::Error::internal)).transpose()?;
        let by_trigger = input.as_deref().and_then(request_body);
        let succeeded = job.status == JobStatus::Success;
        let (status_code, response) = match (&by_trigger, output) {
            (Some(_), Some(output)) => response_body(&output),
            (Some(_), None) if !succeeded => (502, None),
            (_, output) => (if succeeded { 200 } else { 500 }, output.map(Body::Json)),
        };
        Ok(RunLog {
            status_code,
            request: by_trigger.unwrap_or_else(|| input.map(Body::Json)),
            response,
            error: job.error.take(),
            logs: logs.unwrap_or_default(),
            omitted,
            job,
        })
    }
}

/// Takes those of a run's texts that there is room for.
fn choose(mut job: Job, room: &mut usize) -> Chosen {
    let mut omitted = Vec::new();
    let mut fits = |bytes: usize, which| {
        let fits = bytes <= TEXT && bytes <= *room;
        match fits {
            true => *room -= bytes,
            false => omitted.push(which),
        }
        fits
    };
    let size = |payload: &Payload| match payload {
        Payload::Inline(text) => text.len(),
        Payload::Blob { bytes, .. } => *bytes,
    };
    job.error = job.error.take().filter(|error| fits(error.len(), Omitted::Error));
    let logs = job.logs.take().filter(|logs| fits(size(logs), Omitted::Logs));
    let output = job.output.take().filter(|output| fits(size(output), Omitted::Response));
    let input = std::mem::replace(&mut job.input, Payload::Inline(String::new()));
    let input = Some(input).filter(|input| fits(size(input), Omitted::Request));
    Chosen { job, input, output, logs, omitted }
}

#[cfg(test)]
mod tests {
    use domain::{ExecutionType, JobId, Timestamp};

    use super::*;

    fn job(input: usize, output: usize, error: usize) -> Job {
        Job {
            id: JobId(1),
            function_id: domain::FunctionId::from_random([1; 16]),
            workspace_id: domain::WorkspaceId::from_random([2; 16]),
            owner_id: UserId(1),
            version: 1,
            execution_type: ExecutionType::Sync,
            by_trigger: false,
            status: JobStatus::Success,
            input: Payload::Inline("x".repeat(input)),
            output: Some(Payload::Blob { key: "k".into(), bytes: output }),
            error: Some("x".repeat(error)),
            logs: None,
            created_at: Timestamp::from_millis(0),
            started_at: None,
            completed_at: None,
            duration_us: None,
            attempts: 1,
            faults: 0,
            losses: 0,
            cold_start: false,
            lease: None,
            due: None,
        }
    }

    #[test]
    fn texts_are_shown_while_there_is_room() {
        let mut room = 1000;
        let first = choose(job(600, 300, 0), &mut room);
        assert_eq!((first.omitted, room), (vec![], 100));
        let second = choose(job(50, 300, 100), &mut room);
        assert_eq!((second.omitted, room), (vec![Omitted::Response, Omitted::Request], 0));
        assert!(second.input.is_none() && second.output.is_none() && second.job.error.is_some());
        let mut room = TEXTS;
        assert_eq!(choose(job(1, TEXT + 1, 1), &mut room).omitted, [Omitted::Response]);
    }
}
