//! The frames between the pool and a worker's shim, over two pipes that only the two of them have.
//!
//! A frame is a length (4 bytes, little endian, of what follows), a kind (1 byte) and a body. The server speaks first:
//! at most one [`load`] before the first [`invoke`], then one [`invoke`] at a time; or, to a worker that is there for
//! nothing else, one [`check`] at a time. The worker says [`READY`] once, and
//! then one answer to each invocation, carrying the invocation's nonce. Anything else is a reason to end the worker.

use std::collections::BTreeMap;

use domain::function::Module;
use domain::{FunctionId, limits};
use serde::Serialize;

/// The file descriptor that a worker writes its answers to.
pub const ANSWERS_FD: i32 = 3;
/// The file descriptor that a worker reads what it is asked from.
pub const REQUESTS_FD: i32 = 4;
/// Server to worker: the code to run from now on.
const LOAD: u8 = 1;
/// Server to worker: run it.
const INVOKE: u8 = 2;
/// Server to worker: compile it, and don't run it.
const CHECK: u8 = 3;
/// Worker to server: warm, and waiting.
pub const READY: u8 = 16;
/// Worker to server: what the handler returned.
const RESULT: u8 = 17;
/// Worker to server: what went wrong in it.
const ERROR: u8 = 18;
/// An answer's flag: do not use this worker again.
const RETIRE: u8 = 1;

/// Bytes of a frame's length and kind.
pub const HEAD: usize = 5;
/// Bytes of an answer before its text: nonce, flags, microseconds in the handler.
const ANSWER_HEAD: usize = 8 + 1 + 8;
/// The longest body that a worker may send: a result of [`limits::OUTPUT`] bytes.
pub const MAX_BODY: usize = ANSWER_HEAD + limits::OUTPUT;

/// What a worker is told about the function it is to be.
#[derive(Debug, Serialize)]
pub struct Load<'a> {
    /// How to load it.
    pub module: Module,
    /// Its environment variables.
    pub environment: &'a BTreeMap<String, String>,
    /// For `context`.
    pub function_id: FunctionId,
    /// For `context`.
    pub function_name: &'a str,
    /// For `context`.
    pub version: u32,
    /// For `context`, and for what is said when memory runs out.
    pub memory_mb: u32,
    /// What its handler is called.
    pub handler: &'a str,
}

fn begin(frame: &mut Vec<u8>, kind: u8, body: usize) {
    let length = u32::try_from(1 + body).expect("bodies are bounded by the request limit");
    frame.reserve(HEAD + body);
    frame.extend_from_slice(&length.to_le_bytes());
    frame.push(kind);
}

/// Appends the frame that makes a worker a function's.
pub fn load(frame: &mut Vec<u8>, load: &Load<'_>, code: &[u8]) {
    let head = serde_json::to_vec(load).expect("names and numbers serialize");
    let head_length = u32::try_from(head.len()).expect("environments are bounded");
    begin(frame, LOAD, 4 + head.len() + code.len());
    frame.extend_from_slice(&head_length.to_le_bytes());
    frame.extend_from_slice(&head);
    frame.extend_from_slice(code);
}

/// One invocation, as a worker is told of it.
#[derive(Clone, Copy, Debug)]
pub struct Invoke {
    /// What the answer must carry.
    pub nonce: [u8; 8],
    /// For `context`.
    pub job_id: u64,
    /// For `context`.
    pub attempt: u32,
    /// How long until the run is stopped.
    pub timeout_ms: u32,
}

/// Appends the head of the frame that runs the handler; the event's bytes must follow it.
pub fn invoke(frame: &mut Vec<u8>, invoke: &Invoke, event_length: usize) {
    begin(frame, INVOKE, 24 + event_length);
    frame.extend_from_slice(&invoke.nonce);
    frame.extend_from_slice(&invoke.job_id.to_le_bytes());
    frame.extend_from_slice(&invoke.attempt.to_le_bytes());
    frame.extend_from_slice(&invoke.timeout_ms.to_le_bytes());
}

/// Appends the head of the frame that has a source compiled; the source's bytes must follow it. It is answered as an
/// invocation is, by the text of a [`Compiled`](crate::check::Compiled).
pub fn check(frame: &mut Vec<u8>, nonce: [u8; 8], source_length: usize) {
    begin(frame, CHECK, 8 + source_length);
    frame.extend_from_slice(&nonce);
}

/// A frame's kind and the length of its body, of its first [`HEAD`] bytes. `None` if no worker may send such a frame.
pub fn head(bytes: &[u8; HEAD]) -> Option<(u8, usize)> {
    let [a, b, c, d, kind] = *bytes;
    let body = (u32::from_le_bytes([a, b, c, d]) as usize).checked_sub(1)?;
    match kind {
        READY if body == 0 => Some((kind, body)),
        RESULT | ERROR if (ANSWER_HEAD..=MAX_BODY).contains(&body) => Some((kind, body)),
        _ => None,
    }
}

/// What a worker answered. The text is as it came: not checked yet.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// What the handler returned, or what went wrong in it.
    pub result: Result<Vec<u8>, Vec<u8>>,
    /// Microseconds in the handler, as the worker has it.
    pub took_us: u64,
    /// Whether the worker asks not to be used again.
    pub retire: bool,
}

/// The answer in a body of this kind. `None` if it is no answer to the invocation of this nonce.
pub fn answer(kind: u8, mut body: Vec<u8>, nonce: [u8; 8]) -> Option<Answer> {
    let (head, _) = body.split_first_chunk::<ANSWER_HEAD>()?;
    let (said, rest) = head.split_first_chunk::<8>()?;
    let (flags, took) = rest.split_first()?;
    let took_us = u64::from_le_bytes(took.try_into().ok()?);
    let retire = flags & RETIRE != 0;
    if *said != nonce {
        return None;
    }
    body.drain(..ANSWER_HEAD);
    match kind {
        RESULT => Some(Answer { result: Ok(body), took_us, retire }),
        ERROR => Some(Answer { result: Err(body), took_us, retire }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_that_no_worker_may_send_are_refused() {
        let head_of = |length: u32, kind: u8| {
            let mut bytes = [0; HEAD];
            bytes[..4].copy_from_slice(&length.to_le_bytes());
            bytes[4] = kind;
            head(&bytes)
        };
        assert_eq!(head_of(1, READY), Some((READY, 0)));
        assert_eq!(head_of(18, RESULT), Some((RESULT, 17)));
        for (length, kind) in [
            (0, READY),
            (2, READY),
            (17, RESULT),
            (u32::MAX, RESULT),
            (MAX_BODY as u32 + 2, ERROR),
            (18, LOAD),
            (18, 99),
        ] {
            assert_eq!(head_of(length, kind), None, "{length} {kind}");
        }
    }

    #[test]
    fn an_answer_must_carry_the_nonce() {
        let mut body = vec![7; 8];
        body.extend_from_slice(&[1, 5, 0, 0, 0, 0, 0, 0, 0]);
        body.extend_from_slice(b"null");
        let expected = Answer { result: Ok(b"null".to_vec()), took_us: 5, retire: true };
        assert_eq!(answer(RESULT, body.clone(), [7; 8]), Some(expected));
        assert_eq!(answer(RESULT, body.clone(), [8; 8]), None);
        assert_eq!(answer(READY, body.clone(), [7; 8]), None);
        assert_eq!(answer(RESULT, body[..10].to_vec(), [7; 8]), None);
    }
}
