//! What the callers do until the server dies under them, and what they were told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use testkit::{Client, unique};

use crate::Dice;
use crate::tenants::Kept;

pub(crate) const PYTHON: &str = "import time
def handler(event, context):
    time.sleep(event.get('for', 0))
    if context.attempt <= event.get('fails', 0):
        raise ValueError('not yet')
    pad = {'pad': 'y' * event['big']} if event.get('big') else {}
    return {'n': event['n'], 'attempt': context.attempt, **pad}
";
const NODE: &str = "exports.handler = async (event, context) => {
  if (context.attempt <= (event.fails ?? 0)) throw new Error('not yet');
  const pad = event.big ? { pad: 'y'.repeat(event.big) } : {};
  return { n: event.n, attempt: context.attempt, ...pad };
};";

/// How often a queued job of these functions is run while it fails.
pub(crate) const ATTEMPTS: u64 = 3;

/// The functions that stay, and where those are that don't.
pub(crate) struct Functions {
    pub(crate) workspace: String,
    pub(crate) sync: Vec<String>,
    pub(crate) queued: Vec<String>,
    doomed: String,
    /// Where the other API saves.
    pub(crate) saves: String,
}

impl Functions {
    pub(crate) async fn make(user: &Client) -> Self {
        let workspace = user.workspace().await;
        let mut made = Self {
            sync: vec![],
            queued: vec![],
            doomed: user.workspace().await,
            saves: user.workspace().await,
            workspace,
        };
        for (runtime, code) in [("PYTHON", PYTHON), ("NODEJS", NODE)] {
            let fields = json!({"runtime": runtime, "code": code});
            made.sync.push(user.function_with(&made.workspace, fields).await);
            let queued = fields_queued(runtime, code);
            made.queued.push(user.function_with(&made.workspace, queued).await);
        }
        made
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &String> {
        self.sync.iter().chain(&self.queued)
    }

    fn is_queued(&self, function: &String) -> bool {
        self.queued.contains(function)
    }
}

pub(crate) fn fields_queued(runtime: &str, code: &str) -> Value {
    json!({"runtime": runtime, "code": code, "execution_type": "ASYNC", "max_attempts": ATTEMPTS})
}

/// What the server acknowledged.
#[derive(Default)]
pub(crate) struct Told {
    /// Jobs, by id: their function and what they were given.
    pub(crate) jobs: BTreeMap<u64, (String, Value)>,
    /// Jobs that are over: status and output.
    pub(crate) over: BTreeMap<u64, (Value, Value)>,
    /// Requests with a key: the key, the function, the event, the answer.
    pub(crate) keyed: Vec<(String, String, Value, Value)>,
    /// Functions that are gone.
    pub(crate) deleted: BTreeSet<String>,
    /// Keys, workspaces, and what the other API saved.
    pub(crate) kept: Kept,
}

impl Told {
    /// Notes what an invocation was answered.
    pub(crate) fn invoked(&mut self, function: &str, event: &Value, answer: &Value) {
        let id = answer["job_id"].as_u64().expect("an id");
        let before = self.jobs.insert(id, (function.to_owned(), event.clone()));
        assert!(before.is_none(), "job {id} was given twice: {answer}");
        if matches!(answer["status"].as_str(), Some("success" | "error")) {
            self.over(id, answer);
        }
    }

    /// Notes that a job is over; it must never be anything else from then on.
    pub(crate) fn over(&mut self, id: u64, job: &Value) {
        let now = (job["status"].clone(), job["output"].clone());
        let first = self.over.entry(id).or_insert_with(|| now.clone());
        assert_eq!(*first, now, "job {id} was over, and changed");
    }
}

/// Why a caller stops: the server is gone.
pub(crate) struct Gone;

/// An answer, whole; what a dead server sent the half of was not said.
pub(crate) async fn send(request: RequestBuilder) -> Result<(u16, Value), Gone> {
    let gone = |error: reqwest::Error| {
        assert!(!error.is_timeout(), "neither an answer nor the end of the connection: {error}");
        Gone
    };
    let response = request.send().await.map_err(gone)?;
    let status = response.status().as_u16();
    let body = response.bytes().await.map_err(gone)?;
    Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
}

/// Calls until the server is gone.
pub(crate) async fn call(mut caller: Caller, mut dice: Dice) {
    while caller.step(&mut dice).await.is_ok() {}
}

/// One of those who call at once.
pub(crate) struct Caller {
    pub(crate) user: Client,
    pub(crate) functions: Arc<Functions>,
    pub(crate) told: Arc<Mutex<Told>>,
    /// Tells it from the others, in every round.
    pub(crate) number: u64,
}

impl Caller {
    async fn step(&mut self, dice: &mut Dice) -> Result<(), Gone> {
        let functions = self.functions.clone();
        match dice.roll(100) {
            0..22 => self.invoke(pick(&functions.sync, dice), dice, false).await,
            22..44 => self.invoke(pick(&functions.queued, dice), dice, false).await,
            44..54 => {
                let all: Vec<_> = functions.all().cloned().collect();
                self.invoke(pick(&all, dice), dice, true).await
            }
            54..64 => self.cancel(dice).await,
            64..72 => self.again(dice).await,
            72..78 => self.look(dice).await,
            78..80 => self.make_and_delete(dice).await,
            80..82 => self.make_and_delete_workspace(dice).await,
            82..90 => self.use_keys(dice).await,
            _ => self.save(dice).await,
        }
    }

    async fn invoke(&self, function: &String, dice: &mut Dice, with_key: bool) -> Result<(), Gone> {
        let mut event = json!({"n": dice.roll(1 << 40)});
        match dice.roll(6) {
            0 => event["for"] = json!(dice.roll(80) as f64 / 1000.0),
            1 => event["fails"] = json!(dice.roll(ATTEMPTS + 1)),
            // Kept as a blob, not in the table.
            2 if dice.roll(4) == 0 => event["pad"] = json!("x".repeat(70_000)),
            3 if dice.roll(4) == 0 => event["big"] = json!(70_000 + dice.roll(500_000)),
            _ => {}
        }
        let path = format!("/functions/{function}/invoke");
        let mut request = self.user.request(Method::POST, &path).json(&event);
        let key = unique("key-");
        if with_key {
            request = request.header("idempotency-key", &key);
        }
        let (status, answer) = send(request).await?;
        let queued = self.functions.is_queued(function);
        match status {
            200 if !queued => self.told.lock().unwrap().invoked(function, &event, &answer),
            202 => self.told.lock().unwrap().invoked(function, &event, &answer),
            429 => return Ok(()),
            _ => panic!("an invocation was answered {status}: {answer}"),
        }
        if with_key {
            self.told.lock().unwrap().keyed.push((key, function.clone(), event, answer));
        }
        Ok(())
    }

    /// Withdraws one of the latest jobs.
    async fn cancel(&self, dice: &mut Dice) -> Result<(), Gone> {
        let Some(id) = self.some_job(dice) else { return Ok(()) };
        let (status, job) = send(self.user.request(Method::POST, &format!("/jobs/{id}/cancel"))).await?;
        match status {
            200 => {
                assert_eq!(job["status"], "cancelled", "{job}");
                self.told.lock().unwrap().over(id, &job);
            }
            409 => {}
            _ => panic!("a cancellation was answered {status}: {job}"),
        }
        Ok(())
    }

    /// Runs a job once more, as a new one.
    async fn again(&self, dice: &mut Dice) -> Result<(), Gone> {
        let Some(id) = self.some_job(dice) else { return Ok(()) };
        let (status, answer) = send(self.user.request(Method::POST, &format!("/jobs/{id}/retry"))).await?;
        match status {
            200 | 202 => {
                let mut told = self.told.lock().unwrap();
                let (function, event) = told.jobs[&id].clone();
                told.invoked(&function, &event, &answer);
            }
            429 => {}
            _ => panic!("a retry was answered {status}: {answer}"),
        }
        Ok(())
    }

    async fn look(&self, dice: &mut Dice) -> Result<(), Gone> {
        let Some(id) = self.some_job(dice) else { return Ok(()) };
        let (status, job) = send(self.user.request(Method::GET, &format!("/jobs/{id}"))).await?;
        assert_eq!(status, 200, "job {id} is lost: {job}");
        if !matches!(job["status"].as_str(), Some("pending" | "running")) {
            self.told.lock().unwrap().over(id, &job);
        }
        Ok(())
    }

    /// A function that is invoked, and deleted while its jobs wait or run.
    async fn make_and_delete(&self, dice: &mut Dice) -> Result<(), Gone> {
        let mut fields = fields_queued("PYTHON", PYTHON);
        fields["name"] = unique("fn-").into();
        fields["workspace_id"] = self.functions.doomed.clone().into();
        let (status, made) = send(self.user.request(Method::POST, "/functions/").json(&fields)).await?;
        assert_eq!(status, 200, "{made}");
        let id = made["id"].as_str().expect("ids are text").to_owned();
        for _ in 0..dice.roll(4) {
            let event = json!({"n": 1, "for": dice.roll(50) as f64 / 1000.0});
            let path = format!("/functions/{id}/invoke");
            let (status, answer) = send(self.user.request(Method::POST, &path).json(&event)).await?;
            assert_eq!(status, 202, "{answer}");
        }
        let (status, answer) = send(self.user.request(Method::DELETE, &format!("/functions/{id}"))).await?;
        assert_eq!(status, 200, "{answer}");
        self.told.lock().unwrap().deleted.insert(id);
        Ok(())
    }

    /// One of the latest jobs.
    fn some_job(&self, dice: &mut Dice) -> Option<u64> {
        let told = self.told.lock().unwrap();
        let open: Vec<_> = told.jobs.keys().filter(|id| !told.over.contains_key(id)).collect();
        let some = if open.is_empty() || dice.roll(5) == 0 { told.jobs.keys().collect() } else { open };
        let at = dice.roll(some.len().max(1) as u64) as usize;
        some.get(at).map(|id| **id)
    }
}

pub(crate) fn pick<'a>(from: &'a [String], dice: &mut Dice) -> &'a String {
    &from[dice.roll(from.len() as u64) as usize]
}
