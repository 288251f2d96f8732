//! Invoking a release, and deploying it where it isn't there.
//!
//! A request is sent once: when its answer is lost, nobody knows whether the code has run, and whether it may run again
//! is the job's affair. It is sent again only where Lambda said that it began nothing.
//!
//! Large events and results don't go through S3. User code's role may do nothing there, so the shim would need signed
//! addresses, and user code shares the shim's process: every run would hand a tenant the right to upload gigabytes to
//! our bucket. Nor is there need: an event came in through a Lambda function behind the same limit, with more around it
//! than it has here, and a result beyond 1 MB comes packed (`runtime::envelope`), so that the 6 MB it may have fit.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use aws_config::timeout::TimeoutConfig;
use aws_sdk_lambda::config::StalledStreamProtectionConfig;
use aws_sdk_lambda::error::SdkError;
use aws_sdk_lambda::operation::invoke::{InvokeError, InvokeOutput};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::LogType;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use domain::function::CodeFault;
use domain::job::Outcome;
use domain::{Logs, Settings};
use ports::{Invocation, RuntimeError};
use runtime::check::without_mark;
use runtime::envelope::{CHECK, Context, compiled, request};
use runtime::environment::at_start;

use super::deploy::backoff;
use super::outcome;
use super::release::{Release, run_seconds};
use super::{LambdaRuntime, failed};
use crate::retry::{Backoff, code, describe};

/// The most bytes that Lambda takes: 6 MB. Source: Lambda's quotas, "Invocation payload".
const MAX_PAYLOAD: usize = 6 * 1024 * 1024;
/// How much longer than the function's timeout an answer may take: starting an environment (up to 10 s for its
/// initialisation alone), and the way there and back.
const GRACE: Duration = Duration::from_secs(30);

/// Why an invocation had no answer.
enum Refusal {
    /// There is no such release. Nothing was begun.
    Missing,
    /// It isn't ready yet. Nothing was begun.
    NotReady(String),
    /// As much runs as may. Nothing was begun.
    Busy(Duration),
    /// Nobody knows what was begun, or it makes no sense to try again.
    Failed(String),
}

impl LambdaRuntime {
    pub(super) async fn invoke_release(&self, invocation: &Invocation) -> Result<Outcome, RuntimeError> {
        let release = self.release(&invocation.version, &invocation.settings);
        let alias = release.alias();
        let payload = payload(invocation)?;
        if payload.as_ref().len() > MAX_PAYLOAD {
            return Ok(too_large(payload.as_ref().len()));
        }
        let mut patience =
            Backoff::new(Duration::from_millis(200), Duration::from_secs(2), invocation.patience);
        let mut settling = backoff();
        let mut deployed = false;
        loop {
            let begun = Instant::now();
            match self.send(&release, &alias, payload.clone(), &invocation.settings).await {
                Ok(answer) => return Ok(outcome::of(answer, &invocation.settings, begun.elapsed())),
                Err(Refusal::Missing) if !deployed => {
                    if let Err(fault) = self.deploy_release(&release).await? {
                        return Ok(not_begun(fault.to_string()));
                    }
                    deployed = true;
                }
                Err(Refusal::Missing) => {
                    if !settling.wait().await {
                        return Err(failed("AWS Lambda does not find the function; try again", alias));
                    }
                }
                Err(Refusal::NotReady(reason)) => {
                    if !settling.wait().await {
                        return Err(failed(
                            "AWS Lambda did not set the function up in time; try again",
                            reason,
                        ));
                    }
                }
                Err(Refusal::Busy(retry_after)) => {
                    if !patience.wait().await {
                        return Err(RuntimeError::Busy { retry_after });
                    }
                }
                Err(Refusal::Failed(reason)) => {
                    return Err(failed("AWS Lambda did not answer as it should", reason));
                }
            }
        }
    }

    /// What the interpreter of this version of Lambda's has against the code, if anything. The code isn't run.
    ///
    /// The interpreter works here with the function's own memory, time and variables, any of which can be too little or
    /// wrong. So a process that fails is asked once more, and only one that crashes in the same way again, without a
    /// variable that could have made it, was crashed by the code.
    pub(super) async fn compile(
        &self,
        release: &Release<'_>,
        version: &str,
        source: &str,
    ) -> Result<Option<CodeFault>, RuntimeError> {
        let language = release.version.language;
        let interpreter = super::interpreter(language);
        let mut answer = self.ask_to_compile(release, version).await?;
        if answer.function_error.is_some() {
            let first = outcome::ending(&answer, release.settings);
            answer = self.ask_to_compile(release, version).await?;
            if answer.function_error.is_some() {
                let ending = outcome::ending(&answer, release.settings);
                let variables = &release.settings.environment;
                if ending.is_crash && ending == first && at_start(language, variables).is_empty() {
                    let message = format!("{interpreter} crashed while compiling the code: {}", ending.told);
                    return Ok(Some(CodeFault { line: 1, column: 1, message }));
                }
                return Err(failed(&not_checked(&ending.told, variables), "the check failed twice"));
            }
        }
        let payload = answer.payload.map(Blob::into_inner).unwrap_or_default();
        let compiled =
            compiled(&payload).ok_or_else(|| failed(UNCHECKED, "the shim's answer makes no sense"))?;
        Ok(runtime::check::fault(without_mark(source), interpreter, compiled))
    }

    /// The shim's answer to the question what the interpreter has against the code.
    async fn ask_to_compile(
        &self,
        release: &Release<'_>,
        version: &str,
    ) -> Result<InvokeOutput, RuntimeError> {
        let mut patience = backoff();
        loop {
            match self.send(release, version, Blob::new(CHECK), release.settings).await {
                Ok(answer) => return Ok(answer),
                Err(Refusal::Missing | Refusal::NotReady(_) | Refusal::Busy(_)) if patience.wait().await => {}
                Err(Refusal::Busy(retry_after)) => return Err(RuntimeError::Busy { retry_after }),
                Err(Refusal::Missing) => return Err(failed(UNCHECKED, "the new version is not found")),
                Err(Refusal::NotReady(reason) | Refusal::Failed(reason)) => {
                    return Err(failed(UNCHECKED, reason));
                }
            }
        }
    }

    /// Sends it once.
    async fn send(
        &self,
        release: &Release<'_>,
        alias: &str,
        payload: Blob,
        settings: &Settings,
    ) -> Result<InvokeOutput, Refusal> {
        let time = Duration::from_secs(run_seconds(settings).into()) + GRACE;
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(2))
            .operation_attempt_timeout(time)
            .build();
        let config = aws_sdk_lambda::Config::builder()
            .timeout_config(timeouts)
            // A function that works for minutes sends nothing for minutes.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        let request = self
            .client
            .invoke()
            .function_name(&release.function_name)
            .qualifier(alias)
            .log_type(LogType::Tail)
            .payload(payload)
            .customize()
            .config_override(config);
        request.send().await.map_err(refusal)
    }
}

fn payload(invocation: &Invocation) -> Result<Blob, RuntimeError> {
    let context = Context {
        function_id: invocation.version.function_id,
        function_name: &invocation.function_name,
        version: invocation.version.version,
        job_id: invocation.job_id,
        attempt: invocation.attempt,
        memory_mb: invocation.settings.memory_mb,
    };
    let payload = request(&invocation.version.handler.name, &context, &invocation.event);
    payload.map(Blob::new).map_err(|error| failed("The event is not JSON", error))
}

const UNCHECKED: &str = "AWS Lambda could not check the code; try again";

/// What the function's owner is told where the process that was to compile the code failed, and the code need not be
/// to blame.
fn not_checked(ended: &str, environment: &BTreeMap<String, String>) -> String {
    let told = format!("AWS Lambda could not check the code: {ended}");
    if environment.is_empty() {
        return told;
    }
    let names = environment.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    format!("{told}\nThe function's environment may be the cause. Look at {names}.")
}

fn too_large(bytes: usize) -> Outcome {
    not_begun(format!(
        "The event is too large: with the function's context it has {bytes} bytes, and AWS Lambda takes at most \
         {MAX_PAYLOAD}. Send less, or a URL to fetch the data from."
    ))
}

fn not_begun(error: String) -> Outcome {
    Outcome { result: Err(error), logs: Logs::default(), duration: 0.0, cold_start: false }
}

fn refusal(error: SdkError<InvokeError, HttpResponse>) -> Refusal {
    match code(&error) {
        Some("ResourceNotFoundException") => Refusal::Missing,
        Some(
            "ResourceConflictException" | "ResourceNotReadyException" | "CodeArtifactUserPendingException",
        ) => Refusal::NotReady(describe(&error)),
        Some("TooManyRequestsException" | "ThrottlingException" | "EC2ThrottledException") => {
            Refusal::Busy(retry_after(error.as_service_error()))
        }
        _ => Refusal::Failed(describe(&error)),
    }
}

/// As Lambda says, or a second.
fn retry_after(error: Option<&InvokeError>) -> Duration {
    let told = match error {
        Some(InvokeError::TooManyRequestsException(told)) => told.retry_after_seconds(),
        _ => None,
    };
    Duration::from_secs(told.and_then(|seconds| seconds.parse().ok()).unwrap_or(1).clamp(1, 60))
}
