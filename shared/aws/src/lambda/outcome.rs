//! What an invocation came to: the shim's envelope, or what Lambda says of a process that didn't live to answer.

use std::time::Duration;

use aws_sdk_lambda::operation::invoke::InvokeOutput;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::job::{Outcome, cut_error};
use domain::{Level, Logs, Settings};
use serde::Deserialize;

use super::release::run_seconds;

/// Lambda's word on a function that failed without answering.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct FunctionError {
    error_type: String,
    error_message: String,
}

/// Reads the answer. `took` is how long it took to come.
pub(super) fn of(answer: InvokeOutput, settings: &Settings, took: Duration) -> Outcome {
    let took_ms = took.as_secs_f64() * 1000.0;
    let payload = answer.payload.map(aws_sdk_lambda::primitives::Blob::into_inner).unwrap_or_default();
    if answer.function_error.is_none() {
        return runtime::envelope::outcome(&payload, took_ms);
    }
    // User code can answer an error of this form itself, so it is read with care too.
    let error: FunctionError = serde_json::from_slice(&payload).unwrap_or_default();
    Outcome {
        result: Err(cut_error(&explain(&error, settings))),
        logs: tail(answer.log_result.as_deref().unwrap_or_default()),
        duration: took_ms,
        cold_start: false,
    }
}

/// How a process ended that answered nothing.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ending {
    /// In words.
    pub(super) told: String,
    /// Whether it ended by itself, and not for want of time or memory.
    pub(super) is_crash: bool,
}

/// How the process ended, of the answer with a function error.
pub(super) fn ending(answer: &InvokeOutput, settings: &Settings) -> Ending {
    let payload = answer.payload.as_ref().map(AsRef::as_ref).unwrap_or_default();
    let error: FunctionError = serde_json::from_slice(payload).unwrap_or_default();
    let exited = error.error_message.split_once("Runtime exited").map(|(_, how)| how);
    let is_crash = exited.is_some_and(|how| !how.contains("signal: killed"));
    Ending { told: cut_error(&explain(&error, settings)), is_crash }
}

fn explain(error: &FunctionError, settings: &Settings) -> String {
    let (kind, message) = (error.error_type.as_str(), error.error_message.as_str());
    // In the local pool's words.
    if kind == "Sandbox.Timedout" || message.contains("Task timed out after") {
        let (asked, got) = (settings.timeout_seconds, run_seconds(settings));
        let why = if got < asked { ": on AWS no run lasts longer" } else { "" };
        return format!("Task timed out after {got} seconds{why}");
    }
    if kind == "Runtime.OutOfMemory" || message.contains("signal: killed") {
        return format!(
            "Out of memory: the function used more than {} MB and was stopped. Use less, or raise memory_mb.",
            settings.memory_mb
        );
    }
    if let Some((_, how)) = message.split_once("Runtime exited with error: ") {
        return match (how.strip_prefix("exit status "), how.strip_prefix("signal: ")) {
            (Some(code), _) => format!("The process ended (exit code {code}) before the handler returned"),
            (_, Some(signal)) => format!("The process was killed ({signal}) before the handler returned"),
            _ => format!("The process ended ({how}) before the handler returned"),
        };
    }
    if message.contains("Runtime exited without providing a reason") {
        return "The process ended (exit code 0) before the handler returned".to_owned();
    }
    if kind == "Function.ResponseSizeTooLarge" {
        return "The handler's result, with what was printed, is more than the 6 MB that AWS Lambda carries. \
                Return less, or return it in parts."
            .to_owned();
    }
    match (kind, message) {
        ("", "") => "The function failed without saying why.".to_owned(),
        ("", text) | (text, "") => text.to_owned(),
        _ => format!("{kind}: {message}"),
    }
}

/// What the code printed last, from the 4 KB of log that Lambda sends along: all that is left of a run that was killed.
fn tail(base64: &str) -> Logs {
    let bytes = STANDARD.decode(base64).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let mut logs = Logs::default();
    for line in text.lines().filter(|line| !is_lambdas_own(line)) {
        logs.push(Level::Info, line);
    }
    logs
}

fn is_lambdas_own(line: &str) -> bool {
    [
        "START RequestId: ",
        "END RequestId: ",
        "REPORT RequestId: ",
        "INIT_START ",
        "INIT_REPORT ",
        "XRAY TraceId: ",
    ]
    .iter()
    .any(|start| line.starts_with(start))
        || line.contains(" Task timed out after ")
        || line.starts_with("Task timed out after ")
        || (line.starts_with("RequestId: ") && line.contains("Error: Runtime exited"))
        || line.trim().is_empty()
}

#[cfg(test)]
mod tests {
    use aws_sdk_lambda::primitives::Blob;

    use super::*;

    fn failed(payload: &str) -> String {
        let answer = InvokeOutput::builder().function_error("Unhandled").payload(Blob::new(payload)).build();
        of(answer, &Settings::default(), Duration::from_millis(5)).result.unwrap_err()
    }

    #[test]
    fn deaths_are_explained() {
        for (payload, text) in [
            (
                r#"{"errorMessage":"2026-01-01T00:00:00.000Z 1-2-3 Task timed out after 30.03 seconds"}"#,
                "timed out after 30 seconds",
            ),
            (
                r#"{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: 1 Error: Task timed out"}"#,
                "Task timed out",
            ),
            (
                r#"{"errorType":"Runtime.ExitError","errorMessage":"RequestId: 1 Error: Runtime exited with error: signal: killed"}"#,
                "Out of memory: the function used more than 256 MB",
            ),
            (r#"{"errorType":"Runtime.OutOfMemory","errorMessage":"x"}"#, "Out of memory"),
            (
                r#"{"errorType":"Runtime.ExitError","errorMessage":"RequestId: 1 Error: Runtime exited with error: exit status 7"}"#,
                "(exit code 7)",
            ),
            (
                r#"{"errorType":"Runtime.ExitError","errorMessage":"RequestId: 1 Error: Runtime exited without providing a reason"}"#,
                "(exit code 0)",
            ),
            (r#"{"errorType":"Function.ResponseSizeTooLarge","errorMessage":"x"}"#, "6 MB"),
            (r#"{"errorType":"A","errorMessage":"b"}"#, "A: b"),
            ("null", "without saying why"),
            ("not JSON", "without saying why"),
        ] {
            let error = failed(payload);
            assert!(error.contains(text), "{payload}: {error}");
        }
    }

    #[test]
    fn a_run_that_aws_ends_early_is_told_so() {
        let settings = Settings { timeout_seconds: 900, ..Settings::default() };
        let error = FunctionError { error_type: "Sandbox.Timedout".into(), ..FunctionError::default() };
        assert_eq!(
            explain(&error, &settings),
            "Task timed out after 840 seconds: on AWS no run lasts longer"
        );
    }

    #[test]
    fn what_was_printed_last_is_kept() {
        let log = "START RequestId: 1 Version: 3\nhello\nworld\n2026-01-01T00:00:00Z 1 Task timed out after 3.00 seconds\n\n\
                   END RequestId: 1\nREPORT RequestId: 1\tDuration: 3000 ms\n";
        assert_eq!(tail(&STANDARD.encode(log)).text(), "hello\nworld\n");
        assert!(tail("not base64!").is_empty());
    }
}
