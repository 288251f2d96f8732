//! What is zipped for AWS Lambda, run by the interpreters of this machine as Lambda's own runtime does.
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use domain::function::{Handler, Module};
use domain::job::Outcome;
use runtime::envelope::{CHECK, compiled, outcome};
use runtime::package::lambda_files;
use serde_json::{Value, json};

/// Like Lambda's runtime for Node: whatever nobody catches, and a loop with nothing left to do, fail the invocation.
const DRIVE_NODE: &str = r"
const fs = require('fs');
const die = (what) => { fs.appendFileSync('answers', JSON.stringify({ errorMessage: what }) + '\n'); process.exit(1); };
for (const name of ['unhandledRejection', 'uncaughtException', 'beforeExit']) process.on(name, () => die(name));
const { handler } = require('./lambda_function.js');
(async () => {
  const aws = { getRemainingTimeInMillis: () => 5000 };
  for (const request of JSON.parse(fs.readFileSync('requests'))) {
    fs.appendFileSync('answers', JSON.stringify(await handler(request, aws)) + '\n');
  }
  process.exit(0);
})();
";

const DRIVE_PYTHON: &str = r"
import json, os, sys
sys.path.insert(0, os.getcwd())
import lambda_function

class Aws:
    def get_remaining_time_in_millis(self):
        return 5000

with open('requests') as file, open('answers', 'w') as answers:
    for request in json.load(file):
        print(json.dumps(lambda_function.lambda_handler(request, Aws())), file=answers)
os._exit(0)
";

/// What came of the runs of a source, one after the other in one process, as jobs 1, 2 and so on.
fn run(module: Module, source: &str, events: &[Value]) -> Vec<Outcome> {
    let requests = (1..).zip(events).map(|(job, event)| request("handler", job, event)).collect();
    let answers = answers(module, &Handler::default(), source, requests);
    answers.iter().map(|answer| outcome(answer.as_bytes(), 1e6)).collect()
}

fn request(handler: &str, job: u32, event: &Value) -> Value {
    json!({"handler": handler, "event": event, "context": {"function_id": "f", "function_name": "greet", "version": 3,
        "job_id": job, "attempt": 1, "memory_mb": 256}})
}

/// What the front answers to each of these, in one process.
fn answers(module: Module, handler: &Handler, source: &str, requests: Vec<Value>) -> Vec<String> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let folder =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("front-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for (name, bytes) in lambda_files(module, handler, source.as_bytes()) {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
    let count = requests.len();
    std::fs::write(folder.join("requests"), Value::from(requests).to_string()).unwrap();
    let (program, driver, name) = match module {
        Module::Python => ("python3", DRIVE_PYTHON, "drive.py"),
        Module::CommonJs | Module::Esm => ("node", DRIVE_NODE, "drive.js"),
    };
    std::fs::write(folder.join(name), driver).unwrap();
    let ran = Command::new(program).arg(name).current_dir(&folder).stdin(Stdio::null()).output().unwrap();
    let answers = std::fs::read_to_string(folder.join("answers")).unwrap();
    assert_eq!(
        answers.lines().count(),
        count,
        "{source}\n{answers}\n{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    std::fs::remove_dir_all(&folder).unwrap();
    answers.lines().map(str::to_owned).collect()
}

fn results(module: Module, source: &str, events: &[Value]) -> Vec<Result<String, String>> {
    run(module, source, events).into_iter().map(|outcome| outcome.result).collect()
}

#[test]
fn a_callback_answers() {
    for (source, expected) in [
        ("exports.handler = (e, c, callback) => { setTimeout(() => callback(null, 5), 10) }", "5"),
        ("exports.handler = (e, c, callback) => setTimeout(() => callback(null, 5), 10)", "5"),
        ("exports.handler = (e, c, callback = () => {}) => { setTimeout(() => callback(null, 6), 10) }", "6"),
        ("exports.handler = (...all) => { setTimeout(() => all[2](null, 7), 10) }", "7"),
        ("exports.handler = (e, c) => { setTimeout(c.succeed, 10, 8) }", "8"),
        ("exports.handler = (e, c, callback) => {}", "null"),
        ("exports.handler = (e, c, callback) => ({ a: 1 })", "{\"a\":1}"),
        // Nothing but the callback and what is still to run decides.
        (
            "exports.handler = (e, c, callback) => { const all = []; setTimeout(() => all.push(1), 10); callback(null, all) }",
            "[1]",
        ),
    ] {
        let expected = Ok(expected.to_owned());
        assert_eq!(
            results(Module::CommonJs, source, &[json!(1), json!(2)]),
            [expected.clone(), expected],
            "{source}"
        );
    }
    let fails = "exports.handler = (e, c, callback) => { setTimeout(() => callback(new Error('no')), 10) }";
    for result in results(Module::CommonJs, fails, &[json!(1), json!(2)]) {
        assert_eq!(result.unwrap_err(), "Error: no\n    at Timeout._onTimeout (main.js:1:67)");
    }
}

#[test]
fn what_a_run_left_behind_fails_no_other() {
    for (what, says) in [
        ("setTimeout(() => { throw new Error('late') }, 5)", "Uncaught exception: Error: late"),
        (
            "setTimeout(() => Promise.reject(new Error('late')), 5)",
            "Unhandled promise rejection: Error: late",
        ),
        ("setTimeout(() => process.exit(3), 5)", "process.exit() was called"),
    ] {
        let source = format!(
            "exports.handler = (e) => {{ if (e === 1) {{ {what}; return 'first' }} return new Promise((r) => setTimeout(r, 50, 'next')) }}"
        );
        let ran = run(Module::CommonJs, &source, &[json!(1), json!(2), json!(3)]);
        let results: Vec<_> = ran.iter().map(|outcome| outcome.result.as_deref()).collect();
        assert_eq!(results, [Ok("\"first\""), Ok("\"next\""), Ok("\"next\"")], "{what}");
        let told = ran[1].logs.text();
        assert!(told.starts_with(&format!("Left over from an earlier run (job 1): {says}")), "{told}");
        assert_eq!(ran[2].logs.text(), "");
    }
    let source = "import threading, time\ndef late():\n    time.sleep(0.02)\n    raise ValueError('late')\n\
                  def handler(e):\n    if e == 1:\n        threading.Thread(target=late).start()\n        return 'first'\n    time.sleep(0.1)\n    return 'next'\n";
    let ran = run(Module::Python, source, &[json!(1), json!(2), json!(3)]);
    assert!(ran.iter().all(|outcome| outcome.result.is_ok()));
    let told = ran[1].logs.text();
    assert!(told.starts_with("Left over from an earlier run (job 1): the thread Thread-1"), "{told}");
    assert!(told.contains("ValueError: late") && ran[2].logs.text().is_empty(), "{told}");
}

#[test]
fn a_run_fails_for_what_it_did_itself() {
    for (source, says) in [
        (
            "exports.handler = () => new Promise(() => setTimeout(() => { throw new Error('own') }, 5))",
            "Uncaught exception: Error: own",
        ),
        (
            "exports.handler = async () => { Promise.reject(new Error('own')); return 1 }",
            "Unhandled promise rejection: Error: own",
        ),
        ("exports.handler = () => new Promise(() => {})", "never settled"),
        ("exports.handler = 5", "a number, not a function"),
        ("throw new Error('own')", "Error: own"),
    ] {
        for result in results(Module::CommonJs, source, &[json!(1), json!(2)]) {
            let error = result.unwrap_err();
            assert!(error.contains(says) && !error.contains("lambda_function"), "{error}");
        }
    }
}

#[test]
fn a_response_is_that_response() {
    let source = "export const handler = (e) => e === 1 \
        ? Response.json({ a: 'é' }, { status: 201, headers: [['set-cookie', 'a=1'], ['set-cookie', 'b=2'], ['x-a', '1']] }) \
        : new Response(new Uint8Array([255, 0]));";
    let results = results(Module::Esm, source, &[json!(1), json!(2)]);
    let seen = |i: usize| serde_json::from_str::<Value>(results[i].as_ref().unwrap()).unwrap();
    let expected = json!({"statusCode": 201, "headers": {"content-type": "application/json", "x-a": "1"}, "cookies": ["a=1", "b=2"],
        "body": "{\"a\":\"é\"}", "isBase64Encoded": false});
    assert_eq!(seen(0), expected);
    let expected = json!({"statusCode": 200, "headers": {"content-type": "application/octet-stream"}, "body": "/wA=", "isBase64Encoded": true});
    assert_eq!(seen(1), expected);
}

#[test]
fn the_context_has_lambdas_names() {
    let node = "exports.handler = (e, c) => [c.awsRequestId, c.functionName, c.functionVersion, c.memoryLimitInMB, \
                c.getRemainingTimeInMillis() > 4000, c.logStreamName, c.version]";
    let python = "def handler(e, c):\n    return [c.aws_request_id, c.function_name, c.function_version, c.memory_limit_in_mb, \
                  c.get_remaining_time_in_millis() > 4000, c.log_stream_name, c['version']]";
    for (module, source) in [(Module::CommonJs, node), (Module::Python, python)] {
        let expected = "[\"1\",\"greet\",\"3\",\"256\",true,\"/jobs/1\",3]";
        assert_eq!(results(module, source, &[json!({})]), [Ok(expected.to_owned())]);
    }
}

#[test]
fn what_is_printed_is_the_runs_own() {
    let node = "console.log('load'); exports.handler = () => { console.warn('a\\nb'); process.stdout.write('c\\n'); process.stderr.end('d\\n'); }";
    let python = "import sys\nprint('load')\ndef handler(e):\n    sys.stderr.reconfigure(line_buffering=True)\n    print('a\\nb', file=sys.__stderr__)\n    \
                  sys.stdout.buffer.write(b'c\\n')\n    print('d ', end='', flush=True, file=sys.stderr)\n    print(1, file=sys.stderr)\n    exit(3) if e else 0";
    let ran = run(Module::CommonJs, node, &[json!(0), json!(0)]);
    assert_eq!(
        (ran[0].logs.text(), ran[1].logs.text()),
        ("load\na\nb\nc\nd\n".into(), "a\nb\nc\nd\n".into())
    );
    let ran = run(Module::Python, python, &[json!(0), json!(1), json!(0)]);
    assert_eq!(
        (ran[0].logs.text(), ran[2].logs.text()),
        ("load\na\nb\nc\nd 1\n".into(), "a\nb\nc\nd 1\n".into())
    );
    assert!(ran[1].result.as_ref().unwrap_err().starts_with("SystemExit: 3"));
}

#[test]
fn the_code_is_compiled_when_that_is_asked_and_never_run_for_it() {
    let check: Value = serde_json::from_slice(CHECK).unwrap();
    for (module, good, bad) in [
        (Module::Python, "while True: pass\ndef handler(event): pass", "x = 1\nnonlocal x"),
        (Module::CommonJs, "for (;;);\nexports.handler = () => 1", "let a;\nlet a;"),
        (Module::Esm, "for (;;);\nexport const handler = () => 1", "let a;\nexport { nope };"),
    ] {
        let answered = answers(module, &Handler::default(), good, vec![check.clone(), check.clone()]);
        for answer in answered {
            let compiled = compiled(answer.as_bytes()).unwrap();
            assert_eq!((compiled.module, compiled.fault), (module, None), "{good}");
        }
        let answered = answers(module, &Handler::default(), bad, vec![check.clone()]);
        let refusal = compiled(answered[0].as_bytes()).unwrap().fault.unwrap();
        assert_eq!(refusal.line, Some(2), "{bad}: {refusal:?}");
        assert!(refusal.message.starts_with("SyntaxError: "), "{refusal:?}");
    }
    // No event is the question, and the code runs after it was asked.
    let source = "exports.handler = (event) => event";
    let requests = vec![check.clone(), request("handler", 1, &check)];
    let answered = answers(Module::CommonJs, &Handler::default(), source, requests);
    let ran = outcome(answered[1].as_bytes(), 1e6);
    assert_eq!((ran.result.as_deref(), ran.cold_start), (Ok(r#"{"check":true}"#), true));
}

#[test]
fn the_handler_that_was_found_is_called() {
    let local = Handler { name: "greet".into(), local: true };
    for (module, handler, source) in [
        (Module::Python, Handler::named("greet"), "def greet(event):\n    return event"),
        (Module::CommonJs, Handler::named("default"), "module.exports = (event) => event"),
        (Module::CommonJs, Handler::named("greet"), "const greet = (event) => event"),
        (Module::Esm, Handler::named("default"), "export default (event) => event"),
        (Module::Esm, local, "import 'node:fs'; const greet = (event) => event"),
    ] {
        let answered = answers(module, &handler, source, vec![request(&handler.name, 1, &json!(7))]);
        assert_eq!(outcome(answered[0].as_bytes(), 1e6).result.as_deref(), Ok("7"), "{source}");
    }
}
