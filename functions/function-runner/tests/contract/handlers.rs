//! Handlers in every accepted form, what they are told, and how they fail.

use serde_json::{Value, json};
use testkit::{Client, Server};

pub(crate) async fn run(runtime: &str, code: &str, event: Value) -> Value {
    let user = Server::shared().user().await;
    let function = user.function(runtime, code).await;
    user.invoke(&function, &event).await
}

pub(crate) async fn output(runtime: &str, code: &str, event: Value) -> Value {
    let ran = run(runtime, code, event).await;
    assert_eq!(ran["status"], "success", "{code}: {ran}");
    ran["output"].clone()
}

pub(crate) async fn error(runtime: &str, code: &str) -> String {
    let ran = run(runtime, code, json!({})).await;
    assert_eq!((&ran["status"], &ran["output"]), (&json!("error"), &json!(null)), "{code}: {ran}");
    ran["error"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn python_handlers_of_every_form() {
    for code in [
        "def handler(event):\n    return event['n'] + 1",
        "def handler(event, context):\n    return event['n'] + 1",
        "async def handler(event):\n    return event['n'] + 1",
        "import asyncio\nasync def handler(event, context):\n    await asyncio.sleep(0)\n    return event['n'] + 1",
        "handler = lambda event: event['n'] + 1",
        "import functools\ndef full(f):\n    @functools.wraps(f)\n    def inner(event, context):\n        return f(event) + context.version\n    \
         return inner\n@full\ndef handler(event):\n    return event['n']",
        "import functools\ndef bare(f):\n    @functools.wraps(f)\n    def inner(event):\n        return f(event, 1)\n    return inner\n\
         @bare\ndef handler(event, more):\n    return event['n'] + more",
        "def handler(event, *, context=None):\n    return event['n'] + context.version",
    ] {
        assert_eq!(output("PYTHON", code, json!({"n": 1})).await, 2, "{code}");
    }
}

#[tokio::test]
async fn node_handlers_of_every_form() {
    for code in [
        "exports.handler = (event) => event.n + 1",
        "exports.handler = async (event, context) => event.n + 1",
        "module.exports = { handler(event) { return event.n + 1 } }",
        "module.exports.handler = function (event) { return event.n + 1 }",
        "export function handler(event) { return event.n + 1 }",
        "export const handler = async (event) => event.n + 1",
        "import { sep } from 'node:path'; export async function handler(event) { return event.n + sep.length }",
        "function handler(event) { return event.n + 1 }",
        "async function handler(event, context) { return event.n + 1 }",
    ] {
        assert_eq!(output("NODEJS", code, json!({"n": 1})).await, 2, "{code}");
    }
}

#[tokio::test]
async fn node_handlers_may_answer_by_callback() {
    for code in [
        "exports.handler = (event, context, callback) => { setTimeout(() => callback(null, event.n + 1), 10) }",
        "exports.handler = (event, context, callback) => setTimeout(() => callback(null, event.n + 1), 10)",
        "export const handler = (event, context, callback) => { callback(null, event.n + 1) }",
        "exports.handler = (event, context) => { setTimeout(context.succeed, 10, event.n + 1) }",
    ] {
        assert_eq!(output("NODEJS", code, json!({"n": 1})).await, 2, "{code}");
    }
}

#[tokio::test]
async fn the_context_tells_about_the_run() {
    let user = Server::shared().user().await;
    let python = "def handler(event, context):\n    return {k: getattr(context, k) for k in ('function_id', \
                  'function_name', 'version', 'job_id', 'attempt', 'memory_mb')} | {'left': context.remaining_time_ms(), \
                  'request': context.get('aws_request_id')}";
    let node = "exports.handler = (event, context) => ({...context, left: context.remainingTimeMs(), request: context.awsRequestId})";
    for (runtime, code) in [("PYTHON", python), ("NODEJS", node)] {
        let function = user.function(runtime, code).await;
        let shown = user.get(&format!("/functions/{function}")).await.expect(200);
        let ran = user.invoke(&function, &json!({})).await;
        let context = &ran["output"];
        assert_eq!(context["function_id"], json!(function), "{ran}");
        assert_eq!(context["function_name"], shown["name"]);
        assert_eq!(context["job_id"], ran["job_id"]);
        assert_eq!(
            (&context["version"], &context["attempt"], &context["memory_mb"]),
            (&json!(1), &json!(1), &json!(256))
        );
        assert_eq!(context["request"], json!(ran["job_id"].to_string()));
        let left = context["left"].as_f64().unwrap();
        assert!(left > 0.0 && left <= 30_000.0, "{left}");
    }
}

#[tokio::test]
async fn the_environment_is_the_functions_own() {
    let user = Server::shared().user().await;
    let workspace = user.workspace().await;
    for (runtime, code) in [
        (
            "PYTHON",
            "import os\ndef handler(event):\n    e = os.environ\n    return [e['GREETING'], sorted(e), e.get('USER', 'function')]",
        ),
        (
            "NODEJS",
            "const e = process.env\nexports.handler = () => [e.GREETING, Object.keys(e).sort(), e.USER ?? 'function']",
        ),
    ] {
        let fields = json!({"runtime": runtime, "code": code, "environment": {"GREETING": "hei på deg"}});
        let function = user.function_with(&workspace, fields).await;
        let ran = user.invoke(&function, &json!({})).await;
        assert_eq!(ran["output"][0], "hei på deg", "{ran}");
        let names = ran["output"][1].to_string();
        for foreign in ["FUNCTION_RUNNER", "CARGO", "HOSTNAME"] {
            assert!(!names.contains(foreign), "{names}");
        }
        assert_eq!(ran["output"][2], "function", "the user is the sandbox's own, not the server's");
        // A changed environment is in force from the next run on.
        let path = format!("/functions/{function}");
        user.put(&path, &json!({"environment": {"GREETING": "moin"}})).await.expect(200);
        assert_eq!(user.invoke(&function, &json!({})).await["output"][0], "moin");
    }
}

#[tokio::test]
async fn an_error_is_told_with_the_users_own_traceback() {
    let python = "def inner(x):\n    return 1 / x\n\ndef handler(event):\n    return inner(0)\n";
    let text = error("PYTHON", python).await;
    assert!(text.contains("ZeroDivisionError: division by zero"), "{text}");
    assert!(text.contains("line 2, in inner") && text.contains("return 1 / x"), "{text}");
    assert_eq!(text.matches("File \"").count(), 2, "no frames of ours: {text}");
    let node = "function inner() { null.x }\nexports.handler = async () => {\n  inner();\n};\n";
    let text = error("NODEJS", node).await;
    assert!(text.starts_with("TypeError: ") && text.contains("at inner") && text.contains(":1:"), "{text}");
    assert_eq!(text.matches("\n    at ").count(), 2, "no frames of ours: {text}");
}

#[tokio::test]
async fn whatever_is_thrown_is_an_error() {
    for code in [
        "exports.handler = () => { throw 'a plain string' }",
        "exports.handler = async () => { throw {reason: 'a plain string'} }",
        "exports.handler = () => Promise.reject(new Error('a plain string'))",
        "exports.handler = async () => { class Odd extends Error {}; throw new Odd('a plain string') }",
    ] {
        let text = error("NODEJS", code).await;
        assert!(text.contains("a plain string"), "{code}: {text}");
    }
    for code in ["exports.handler = () => { throw null }", "exports.handler = () => { throw undefined }"] {
        assert!(!error("NODEJS", code).await.is_empty());
    }
    for (code, says) in [
        ("import sys\ndef handler(event):\n    sys.exit(3)", "SystemExit"),
        ("def handler(event):\n    raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("def handler(event):\n    raise BaseException('odd')", "odd"),
        (
            "class E(Exception):\n    def __str__(self): raise ValueError\ndef handler(event):\n    raise E()",
            "E",
        ),
        ("raise RuntimeError('at import')\ndef handler(event):\n    return 1", "at import"),
        ("import nothing_of_this_name\ndef handler(event):\n    return 1", "nothing_of_this_name"),
    ] {
        let text = error("PYTHON", code).await;
        assert!(text.contains(says), "{code}: {text}");
    }
}

#[tokio::test]
async fn what_an_earlier_run_left_behind_fails_no_other() {
    let user = Server::shared().user().await;
    for (runtime, code) in [
        (
            "NODEJS",
            "exports.handler = (event) => { if (event.leave) { setTimeout(() => { throw new Error('late') }, 50); return 'fine' } \
             return new Promise((resolve) => setTimeout(resolve, 500, 'fine')) }",
        ),
        (
            "PYTHON",
            "import threading, time\ngo = threading.Event()\ndef late():\n    go.wait()\n    raise ValueError('late')\n\
             def handler(event):\n    if event['leave']:\n        threading.Thread(target=late, daemon=True).start()\n    else:\n        \
             go.set()\n        time.sleep(0.5)\n    return 'fine'",
        ),
    ] {
        let function = user.function(runtime, code).await;
        let first = user.invoke(&function, &json!({"leave": true})).await;
        let next = user.invoke(&function, &json!({"leave": false})).await;
        assert_eq!((&first["output"], &next["output"]), (&json!("fine"), &json!("fine")), "{next}");
        let logs = next["logs"].as_str().unwrap();
        let says = format!("Left over from an earlier run (job {}): ", first["job_id"]);
        assert!(logs.starts_with(&says) && logs.contains("Error: late"), "{logs}");
    }
}

#[tokio::test]
async fn what_the_language_gives_every_program_is_there() {
    let python = "import sys\ndef handler(event):\n    sys.stderr.reconfigure(line_buffering=True)\n    print('seen', file=sys.__stderr__)\n    exit(1)";
    let ran = run("PYTHON", python, json!({})).await;
    assert!(ran["error"].as_str().unwrap().starts_with("SystemExit: 1\n"), "{ran}");
    assert_eq!(ran["logs"], "seen\n");
    let text =
        error("NODEJS", "exports.handler = async () => { throw Object.assign(new Error('odd'), {code: 5}) }")
            .await;
    assert!(text.ends_with(" {\n  code: 5\n}"), "{text}");
}

/// The function fails as it is told to, and the next run is as good as any.
async fn fails_and_recovers(user: &Client, runtime: &str, code: &str, fields: Value, says: &str) {
    let workspace = user.workspace().await;
    let mut all = json!({"runtime": runtime, "code": code});
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let function = user.function_with(&workspace, all).await;
    let ran = user.invoke(&function, &json!({"fail": true})).await;
    assert_eq!(ran["status"], "error", "{code}: {ran}");
    let text = ran["error"].as_str().unwrap();
    assert!(text.contains(says), "{code}: {text}");
    let ran = user.invoke(&function, &json!({"fail": false})).await;
    assert_eq!((&ran["status"], &ran["output"]), (&json!("success"), &json!("fine")), "{code}: {ran}");
}

#[tokio::test]
async fn code_that_kills_its_process_fails_its_own_job_only() {
    let user = Server::shared().user().await;
    let python = "import os, signal\ndef handler(event):\n    if event['fail']: BODY\n    return 'fine'";
    for (body, says) in [("os._exit(0)", "exit"), ("os.kill(os.getpid(), signal.SIGKILL)", "ill")] {
        fails_and_recovers(&user, "PYTHON", &python.replace("BODY", body), json!({}), says).await;
    }
    let node = "exports.handler = async (event) => { if (event.fail) BODY; return 'fine' }";
    for (body, says) in [("process.exit(0)", "exit"), ("process.abort()", "")] {
        fails_and_recovers(&user, "NODEJS", &node.replace("BODY", body), json!({}), says).await;
    }
}

#[tokio::test]
async fn a_run_over_its_time_is_ended_and_keeps_its_logs() {
    let user = Server::shared().user().await;
    let short = json!({"timeout_seconds": 1});
    let python = "def handler(event):\n    print('begun')\n    while event['fail']: pass\n    return 'fine'";
    fails_and_recovers(&user, "PYTHON", python, short.clone(), "timed out after 1 second").await;
    for body in ["while (event.fail);", "if (event.fail) await new Promise((r) => setTimeout(r, 60_000));"] {
        let node =
            format!("exports.handler = async (event) => {{ console.log('begun'); {body} return 'fine' }}");
        fails_and_recovers(&user, "NODEJS", &node, short.clone(), "timed out after 1 second").await;
    }
    let function = user
        .function_with(
            &user.workspace().await,
            json!({"runtime": "PYTHON", "code": python, "timeout_seconds": 1}),
        )
        .await;
    let ran = user.invoke(&function, &json!({"fail": true})).await;
    assert_eq!(ran["logs"], "begun\n");
}

#[tokio::test]
async fn a_promise_that_never_settles_is_told_apart() {
    let user = Server::shared().user().await;
    let node = "exports.handler = (event) => event.fail ? new Promise(() => {}) : 'fine'";
    fails_and_recovers(&user, "NODEJS", node, json!({"timeout_seconds": 5}), "never settle").await;
}

#[tokio::test]
async fn too_much_memory_fails_its_own_job_only() {
    let user = Server::shared().user().await;
    let python = "def handler(event):\n    x = bytearray(4 << 30) if event['fail'] else b''\n    x = b'x' * (len(x))\n    return 'fine'";
    fails_and_recovers(&user, "PYTHON", python, json!({"memory_mb": 128}), "emory").await;
    let node = "exports.handler = (event) => { const all = []; while (event.fail) all.push(Buffer.alloc(1 << 24, 1)); return 'fine' }";
    fails_and_recovers(&user, "NODEJS", node, json!({"memory_mb": 128}), "emory").await;
}

#[tokio::test]
async fn logs_are_what_was_printed_in_order_and_cut_at_a_limit() {
    let python = "import logging, sys\ndef handler(event):\n    print('one')\n    print('two', file=sys.stderr)\n    \
                  logging.warning('three')\n    sys.stdout.write('four')\n    print('ünï')";
    let ran = run("PYTHON", python, json!({})).await;
    let logs = ran["logs"].as_str().unwrap();
    let places: Vec<_> = ["one", "two", "three", "four", "ünï"].iter().map(|word| logs.find(word)).collect();
    assert!(places.is_sorted() && places[0].is_some(), "{logs}");
    let node = "exports.handler = () => { console.log('one', {a: 1}); console.error('two'); process.stdout.write('three\\n'); }";
    let ran = run("NODEJS", node, json!({})).await;
    assert_eq!(ran["logs"], "one { a: 1 }\ntwo\nthree\n");
    for (runtime, code) in [
        (
            "PYTHON",
            "def handler(event):\n    for i in range(100_000):\n        print('x' * 99)\n    return 'fine'",
        ),
        (
            "NODEJS",
            "exports.handler = () => { for (let i = 0; i < 100_000; i++) console.log('x'.repeat(99)); return 'fine' }",
        ),
    ] {
        let ran = run(runtime, code, json!({})).await;
        let logs = ran["logs"].as_str().unwrap();
        assert_eq!(ran["output"], "fine", "{}", ran["error"]);
        assert!(logs.len() <= 256 * 1024 && logs.len() > 200 * 1024, "{}", logs.len());
        assert!(logs.lines().last().unwrap().contains("cut"), "{runtime}");
    }
}
