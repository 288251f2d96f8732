//! How handlers are called, and what they are told.

use domain::function::Module;
use sandbox::SandboxChoice;

use crate::kit::{BOTH, Kit};

const WRAPS: &str = "import functools\n\
    def full(f):\n    @functools.wraps(f)\n    def inner(event, context):\n        assert context.version == 1\n        return f(event)\n    return inner\n\
    def bare(f):\n    @functools.wraps(f)\n    def inner(event):\n        return f(event, 'mine')\n    return inner\n\
    def whatever(f):\n    @functools.wraps(f)\n    def inner(*args, **named):\n        return f(*args, **named)\n    return inner\n";

/// Sources whose `handler` gets what it takes, and then returns the event.
const PYTHON: &[&str] = &[
    // What is called counts, not what it wraps.
    "@full\ndef handler(event): return event",
    "@bare\ndef handler(event, second):\n    assert second == 'mine'\n    return event",
    // Unless that passes on whatever it is given.
    "@whatever\ndef handler(event): return event",
    "@whatever\n@whatever\ndef handler(event, context):\n    assert context.version == 1\n    return event",
    "@whatever\n@full\ndef handler(event): return event",
    "@whatever\n@bare\ndef handler(event, second): return event",
    "@functools.singledispatch\ndef handler(event): return event",
    "@functools.singledispatch\ndef handler(event, context): return context and event",
    "handler = functools.lru_cache(lambda event: event)",
    "handler = functools.lru_cache(lambda event, context: event)",
    "class Wrapper:\n    def __init__(self, f):\n        functools.update_wrapper(self, f)\n        self.f = f\n    \
     def __call__(self, event, context):\n        return self.f(event)\n@Wrapper\ndef handler(event): return event",
    // Arguments that are there already.
    "handler = functools.partial(lambda db, event: event, 'db')",
    "handler = functools.partial(lambda db, event, context: context and event, 'db')",
    "def f(event, context): return context == 'mine' and event\nhandler = functools.partial(f, context='mine')",
    "def f(event, x, *, context): return context.version and event\nhandler = functools.partial(f, x=1)",
    "class H:\n    def run(self, event): return event\nhandler = H().run",
    "class H:\n    def run(self, event, context): return context and event\nhandler = H().run",
    "class H:\n    @classmethod\n    def run(cls, event): return event\nhandler = H.run",
    "class H:\n    @staticmethod\n    def run(event, context): return context and event\nhandler = H.run",
    "class H:\n    def __call__(self, event, context): return context and event\nhandler = H()",
    "class H:\n    @whatever\n    def __call__(self, event): return event\nhandler = H()",
    // Defaults, and what is only taken by its name.
    "def handler(event, context=None): return context and event",
    "def handler(event, /, context): return context and event",
    "def handler(event, *, context): return context and event",
    "async def handler(event, *, context=None): return context and event",
    "def handler(event, **named):\n    assert not named\n    return event",
    "def handler(event, *rest): return len(rest) == 1 and event",
    // What can't be seen from its code.
    "import operator\nhandler = operator.index",
    "import inspect\ndef handler(*args):\n    assert len(args) == 1\n    return args[0]\n\
     handler.__signature__ = inspect.Signature([inspect.Parameter('event', inspect.Parameter.POSITIONAL_ONLY)])",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_python_handler_gets_the_context_if_it_takes_it() {
    let kit = Kit::new(SandboxChoice::Auto).await;
    for source in PYTHON {
        let function = kit.python(&format!("{WRAPS}{source}")).await;
        assert_eq!(kit.ok(&function, "7").await, "7", "{source}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_handler_answers_by_its_callback_as_on_lambda() {
    for sandbox in BOTH {
        let kit = Kit::new(sandbox).await;
        for source in [
            "(e, c, callback) => { setTimeout(() => callback(null, e), 10) }",
            // What it returns is not its answer.
            "(e, c, callback) => setTimeout(() => callback(null, e), 10)",
            "function (e, c, callback) { process.nextTick(callback, null, e); return true }",
            "(e, c, callback) => callback(null, e)",
            "(e, c, callback) => { callback(null, e); callback(null, 'again'); throw new Error('too late') }",
            // However it hides its third parameter.
            "(e, c, callback = () => {}) => { setTimeout(() => callback(null, e), 10) }",
            "(...all) => { setTimeout(() => all[2](null, all[0]), 10) }",
            "function () { const all = arguments; setTimeout(() => all[2](null, all[0]), 10) }",
            "((e, c, callback) => { setTimeout(() => callback(null, e), 10) }).bind({})",
            "(() => { const o = new (class { x = 1; run(e, c, callback) { setTimeout(() => callback(null, this.x && e), 10) } })(); return o.run.bind(o) })()",
            "((f) => (...all) => f(...all))((e, c, callback) => setTimeout(() => callback(null, e), 10))",
            "(e, c, callback) => require('util').callbackify(async (e) => e)(e, callback)",
            // The context's own, with and without it.
            "(e, c) => { setTimeout(() => c.succeed(e), 10) }",
            "(e, c) => { Promise.resolve(e).then(c.succeed, c.fail) }",
            "(e, c) => { setTimeout(c.done, 10, null, e) }",
            // The first answer is the answer.
            "async (e, c, callback) => { callback(null, e) }",
            "async (e, c, callback) => { setTimeout(() => callback(null, 'late'), 10); return e }",
            // Without one, what it returned is.
            "(e, c, callback) => e",
            "async (e, c, callback) => e",
            // What still runs is waited for, unless it says otherwise.
            "(e, c, callback) => { const all = {}; setTimeout(() => { all.e = e }, 10); callback(null, { toJSON: () => all.e }) }",
            "(e, c, callback) => { c.callbackWaitsForEmptyEventLoop = false; setTimeout(() => {}, 60_000); callback(null, e) }",
            "(e, c) => { setTimeout(() => {}, 60_000); c.succeed(e) }",
        ] {
            let function = kit.node(&format!("exports.handler = {source}")).await;
            for event in ["5", "6"] {
                assert_eq!(kit.ok(&function, event).await, event, "{source}");
            }
        }
        let nothing = kit.node("exports.handler = (e, c, callback) => {}").await;
        assert_eq!(kit.ok(&nothing, "5").await, "null");
        for (source, says) in [
            (
                "(e, c, callback) => { setTimeout(() => callback(new Error('no')), 10) }",
                "Error: no\n    at Timeout",
            ),
            ("(e, c, callback) => { callback('no') }", "Thrown: 'no'"),
            ("(e, c) => { setTimeout(c.fail, 10, new Error('no')) }", "Error: no\n"),
            ("(e, c) => { setTimeout(c.fail, 10) }", "Thrown: 'handled'"),
            ("(e, c, callback) => { throw new Error('no') }", "Error: no\n"),
            ("async (e, c, callback) => { throw new Error('no') }", "Error: no\n"),
            (
                "(e, c, callback) => { setTimeout(() => { throw new Error('no') }, 10); callback(null, 1) }",
                "Uncaught exception: Error: no\n",
            ),
        ] {
            let function = kit.node(&format!("exports.handler = {source}")).await;
            for _ in 0..2 {
                let error = kit.error(&function, "{}").await;
                assert!(error.starts_with(says), "{source}\n{error}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_context_has_lambdas_names_too() {
    let kit = Kit::new(SandboxChoice::Auto).await;
    let python = kit
        .python(
            "import collections.abc, re\n\
             def handler(event, c):\n\
             \x20   assert isinstance(c, collections.abc.Mapping) and len(dict(c)) == len(c) == len({**c})\n\
             \x20   assert all(c[name] == getattr(c, name) for name in c)\n\
             \x20   assert c.get('nothing', 5) == 5 and 'nothing' not in c and c == c and {c: 1}\n\
             \x20   assert re.fullmatch(r'\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z', c.get('timestamp'))\n\
             \x20   assert 0 < c.get_remaining_time_in_millis() <= 20000\n\
             \x20   assert c.aws_request_id == str(c.job_id) and c.client_context is c.identity is None\n\
             \x20   c.mine = 1\n\
             \x20   assert c['log_stream_name'] == f'/jobs/{c.job_id}' and c.log_group_name == f'/functions/{c.function_id}'\n\
             \x20   assert c.invoked_function_arn.endswith(c.function_id)\n\
             \x20   return [c.function_version, c.memory_limit_in_mb, c.get('function_name'), hasattr(c, 'mine')]",
        )
        .await;
    assert_eq!(kit.ok(&python, "{}").await, r#"["1","256","test",true]"#);
    assert_eq!(kit.ok(&python, "{}").await, r#"["1","256","test",true]"#);
    let node = kit
        .node(
            "const assert = require('node:assert'); exports.handler = (e, c) => { \
             const { getRemainingTimeInMillis, awsRequestId } = c; const left = getRemainingTimeInMillis(); \
             assert(left > 0 && left <= 20000); assert.equal(awsRequestId, String(c.job_id)); \
             assert.equal(new Date(c.timestamp).toISOString(), c.timestamp); assert(c.invokedFunctionArn.endsWith(c.function_id)); \
             assert.equal(c.logStreamName, `/jobs/${c.job_id}`); assert.equal(c.logGroupName, `/functions/${c.function_id}`); \
             assert.equal(c.callbackWaitsForEmptyEventLoop, true); \
             assert.deepEqual(Object.keys(c), ['function_id', 'function_name', 'version', 'job_id', 'attempt', 'memory_mb']); \
             return [c.functionVersion, c.memoryLimitInMB, c.functionName, 'identity' in c] }",
        )
        .await;
    assert_eq!(kit.ok(&node, "{}").await, r#"["1","256","test",false]"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_response_is_that_response() {
    for sandbox in BOTH {
        let kit = Kit::new(sandbox).await;
        for (source, expected) in [
            (
                "new Response('hé')",
                r#"{"statusCode":200,"headers":{"content-type":"text/plain;charset=UTF-8"},"body":"hé","isBase64Encoded":false}"#,
            ),
            (
                "Response.json({ a: 1 }, { status: 201, headers: [['set-cookie', 'a=1'], ['Set-Cookie', 'b=2; Path=/'], ['X-A', '1']] })",
                r#"{"statusCode":201,"headers":{"content-type":"application/json","x-a":"1"},"body":"{\"a\":1}","isBase64Encoded":false,"cookies":["a=1","b=2; Path=/"]}"#,
            ),
            (
                "new Response(new Uint8Array([255, 0]), { headers: { 'content-type': 'image/png' } })",
                r#"{"statusCode":200,"headers":{"content-type":"image/png"},"body":"/wA=","isBase64Encoded":true}"#,
            ),
            (
                "new Response(null, { status: 204 })",
                r#"{"statusCode":204,"headers":{},"body":"","isBase64Encoded":false}"#,
            ),
            (
                "Response.redirect('http://x/y')",
                r#"{"statusCode":302,"headers":{"location":"http://x/y"},"body":"","isBase64Encoded":false}"#,
            ),
            (
                "new Response(new ReadableStream({ start(c) { setTimeout(() => { c.enqueue(new TextEncoder().encode('late')); c.close() }, 5) } }))",
                r#"{"statusCode":200,"headers":{},"body":"late","isBase64Encoded":false}"#,
            ),
        ] {
            for handler in
                [format!("async () => {source}"), format!("(e, c, callback) => callback(null, {source})")]
            {
                let function = kit.save(Module::CommonJs, &format!("exports.handler = {handler}")).await;
                assert_eq!(kit.ok(&function, "{}").await, expected, "{handler}");
            }
        }
        for (source, says) in [
            ("return Response.error()", "cannot be sent: its status is 0"),
            ("const r = new Response('x'); await r.text(); return r", "body was read already"),
            (
                "return new Response(new ReadableStream({ pull() { throw new Error('mine') } }))",
                "Error: mine\n    at Object.pull (main.js",
            ),
            ("return { nested: new Response('x') }", "a Response (at result.nested)"),
        ] {
            let function = kit.node(&format!("exports.handler = async () => {{ {source} }}")).await;
            let error = kit.error(&function, "{}").await;
            assert!(error.contains(says), "{source}\n{error}");
        }
    }
}
