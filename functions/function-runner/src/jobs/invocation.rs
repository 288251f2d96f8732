//! What whoever invokes a function is answered.

use app::invocations::Invoked;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::LOCATION;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use web::{Json, RawJson, Result};

use super::{JobStatus, millis, raw};

/// The result of an invocation, or the job that it is queued as.
#[derive(Serialize, ToSchema)]
pub struct Invocation {
    /// The job that records it.
    #[schema(minimum = 1, maximum = 9007199254740991_i64)]
    job_id: u64,
    /// `error` for a handler that failed; `pending` or `running` for what is under way.
    status: JobStatus,
    /// What the handler returned.
    #[schema(value_type = RawJson)]
    output: Option<Box<RawValue>>,
    /// What went wrong: type, message and traceback.
    error: Option<String>,
    /// Milliseconds that the handler took.
    duration: Option<f64>,
    /// What the code printed, newest last, at most 256 KB.
    logs: Option<String>,
    /// The version that ran.
    version: u32,
    /// Whether the code had to be loaded first.
    cold_start: bool,
}

/// The answer: 200 with the result, or 202 with where to look.
pub(crate) fn answer(invoked: Invoked) -> Result<Response> {
    let (job, output, logs, accepted) = match invoked {
        Invoked::Ran(ran) => (ran.job, ran.output, Some(ran.logs.text()), false),
        Invoked::Accepted(job) => (*job, None, None, true),
    };
    let body = Invocation {
        job_id: job.id.0,
        status: job.status.into(),
        output: raw(output)?,
        error: job.error,
        duration: job.duration_us.map(millis),
        logs,
        version: job.version,
        cold_start: job.cold_start,
    };
    Ok(match accepted {
        true => (StatusCode::ACCEPTED, [(LOCATION, super::location(job.id))], Json(body)).into_response(),
        false => Json(body).into_response(),
    })
}
