//! What goes to a Lambda function that wraps user code, and what comes back.

use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::job::{Outcome, cut_error};
use domain::{FunctionId, JobId, LogLine, Logs, limits};
use flate2::read::ZlibDecoder;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::check::Compiled;
use crate::output;

/// What the shim tells the handler as `context`.
#[derive(Debug, Serialize)]
pub struct Context<'a> {
    /// The function.
    pub function_id: FunctionId,
    /// Its name.
    pub function_name: &'a str,
    /// The version that runs.
    pub version: u32,
    /// The job.
    pub job_id: JobId,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// MiB that it may use.
    pub memory_mb: u32,
}

#[derive(Serialize)]
struct Request<'a> {
    handler: &'a str,
    context: &'a Context<'a>,
    event: &'a RawValue,
}

/// The payload of a Lambda invocation that calls the function of this name. Fails where the event is not JSON.
pub fn request(handler: &str, context: &Context<'_>, event: &[u8]) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&Request { handler, context, event: serde_json::from_slice(event)? })
}

/// The payload that has the deployed code compiled, and not run. No event can be taken for it: events are one level
/// further down.
pub const CHECK: &[u8] = br#"{"check":true}"#;

/// What the interpreter says of the code, of the payload that [`CHECK`] was answered with; `None` if it makes no sense.
pub fn compiled(payload: &[u8]) -> Option<Compiled> {
    #[derive(Deserialize)]
    struct Answer {
        compiled: String,
    }
    let answer: Answer = serde_json::from_slice(payload).ok()?;
    serde_json::from_str(&answer.compiled).ok()
}

/// What is said of an answer that makes no sense.
const NO_RESULT: &str = "The function's process did not answer with a result.";

#[derive(Deserialize)]
struct Envelope {
    output: Option<String>,
    /// A large output: Base64 of it, deflated.
    packed: Option<String>,
    error: Option<String>,
    #[serde(default)]
    logs: Vec<LogLine>,
    duration_ms: Option<f64>,
    #[serde(default)]
    cold_start: bool,
}

/// What came of a run, of the payload that a Lambda invocation answered. User code can have forged any of it; what it
/// can't do is make this fail or hold more than the limits. `took_ms` is how long the invocation took in all.
pub fn outcome(payload: &[u8], took_ms: f64) -> Outcome {
    let Ok(envelope) = serde_json::from_slice::<Envelope>(payload) else {
        return Outcome {
            result: Err(NO_RESULT.to_owned()),
            logs: Logs::default(),
            duration: took_ms,
            cold_start: false,
        };
    };
    let mut logs = Logs::default();
    for line in envelope.logs {
        logs.push(line.level, line.text);
    }
    let result = match (envelope.error, envelope.output, envelope.packed) {
        (Some(error), ..) => Err(cut_error(&error)),
        (None, Some(output), _) => output::check(output.into_bytes()),
        (None, None, Some(packed)) => unpacked(&packed).and_then(output::check),
        (None, None, None) => Err(NO_RESULT.to_owned()),
    };
    let duration = envelope.duration_ms.filter(|ms| (0.0..=took_ms).contains(ms)).unwrap_or(took_ms);
    Outcome { result, logs, duration, cold_start: envelope.cold_start }
}

/// At most one byte more than a result may have, whatever a few bytes claim to be.
fn unpacked(packed: &str) -> Result<Vec<u8>, String> {
    let most = limits::OUTPUT as u64 + 1;
    let deflated = STANDARD.decode(packed).map_err(|_| NO_RESULT)?;
    let mut output = Vec::new();
    let read = ZlibDecoder::new(&deflated[..]).take(most).read_to_end(&mut output);
    read.map(|_| output).map_err(|_| NO_RESULT.to_owned())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;

    use super::*;

    fn packed(output: &[u8]) -> Outcome {
        let mut deflated = ZlibEncoder::new(Vec::new(), Compression::fast());
        deflated.write_all(output).unwrap();
        let packed = STANDARD.encode(deflated.finish().unwrap());
        outcome(format!(r#"{{"output":null,"packed":"{packed}"}}"#).as_bytes(), 1.0)
    }

    #[test]
    fn a_large_output_comes_packed_and_grows_no_larger_than_it_may() {
        let whole = format!("\"{}\"", "x".repeat(limits::OUTPUT - 2));
        assert_eq!(packed(whole.as_bytes()).result, Ok(whole));
        for (bytes, why) in [(vec![b' '; 20 << 20], "too large"), (b"NaN".to_vec(), "not JSON")] {
            let error = packed(&bytes).result.unwrap_err();
            assert!(error.contains(why), "{error}");
        }
        for forged in [r#"{"packed":"!"}"#, r#"{"packed":"AAAA"}"#, r#"{"packed":""}"#] {
            assert!(outcome(forged.as_bytes(), 1.0).result.is_err(), "{forged}");
        }
    }

    #[test]
    fn an_envelope_is_read_with_care() {
        let good = outcome(
            br#"{"output":"{\"a\":1}","error":null,"logs":[{"l":"warn","t":"x"}],"duration_ms":3.5,"cold_start":true}"#,
            9.0,
        );
        assert_eq!(good.result.as_deref(), Ok(r#"{"a":1}"#));
        assert_eq!((good.duration, good.cold_start, good.logs.text().as_str()), (3.5, true, "x\n"));

        for forged in [
            &b"null"[..],
            b"[]",
            br#"{"output":5}"#,
            br#"{"output":"NaN","duration_ms":10}"#,
            br#"{"errorMessage":"x"}"#,
            br#"{"output":"1","duration_ms":-1e300,"error":"no"}"#,
        ] {
            let outcome = outcome(forged, 9.0);
            assert!(outcome.result.is_err() && outcome.duration == 9.0, "{outcome:?}");
        }
    }

    #[test]
    fn the_event_goes_as_it_came() {
        let context = Context {
            function_id: FunctionId::from_random([1; 16]),
            function_name: "f",
            version: 1,
            job_id: JobId(7),
            attempt: 1,
            memory_mb: 256,
        };
        let payload = request("main", &context, b"{\"n\": 1.10}").unwrap();
        assert!(String::from_utf8(payload).unwrap().ends_with(r#""event":{"n": 1.10}}"#));
        assert!(request("main", &context, b"{").is_err());
    }
}
