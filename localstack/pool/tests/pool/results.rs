//! What goes in and what comes out.

use domain::Level;
use domain::function::Module;
use sandbox::SandboxChoice;

use crate::kit::{BOTH, Kit, until};

#[tokio::test(flavor = "multi_thread")]
async fn handlers_of_every_shape_run_under_every_sandbox() {
    for sandbox in BOTH.into_iter().chain([SandboxChoice::Unsafe]) {
        let kit = Kit::new(sandbox).await;
        for source in [
            "def handler(event):\n    return event",
            "def handler(event, context):\n    return event",
            "async def handler(event):\n    return event",
            "import asyncio\nasync def handler(event, context):\n    await asyncio.sleep(0.001)\n    return event",
            "def handler(*args):\n    assert len(args) == 2\n    return args[0]",
            "handler = lambda event: event",
            "\u{feff}#!/usr/bin/env python3\n# -*- coding: latin-1 -*-\ndef handler(event): return event",
            "class H:\n    def __call__(self, event):\n        return event\nhandler = H()",
            "import functools\ndef deco(f):\n    @functools.wraps(f)\n    def inner(*a):\n        return f(*a)\n    return inner\n@deco\ndef handler(event):\n    return event",
        ] {
            let function = kit.python(source).await;
            for event in [r#"{"a":[1,"é",null,true]}"#, "5", r#""x""#] {
                assert_eq!(kit.ok(&function, event).await, event, "{sandbox:?} {source}");
            }
        }
        for (module, source) in [
            (Module::CommonJs, "exports.handler = (event) => event"),
            (Module::CommonJs, "module.exports = { handler: async (event, context) => event }"),
            (Module::CommonJs, "function handler(event) { return event } // the end"),
            (Module::CommonJs, "'use strict'; async function handler(event) { await null; return event }"),
            (
                Module::CommonJs,
                "const t = require('timers/promises'); exports.handler = async (e) => { await t.setTimeout(1); return e }",
            ),
            (Module::CommonJs, "#!/usr/bin/env node\nif (0) return;\nexports.handler = (event) => event"),
            (Module::CommonJs, "\u{feff}exports.handler = (event) => event"),
            (Module::Esm, "\u{feff}export function handler(event) { return event }"),
            (Module::Esm, "#!/usr/bin/env node\nexport function handler(event) { return event }"),
            (
                Module::Esm,
                "import { setTimeout } from 'node:timers/promises'; export const handler = async (e) => { await setTimeout(1); return e }",
            ),
            (
                Module::Esm,
                "import { createRequire } from 'node:module'; createRequire(import.meta.url)('fs'); export default { handler: (e) => e }",
            ),
        ] {
            let function = kit.save(module, source).await;
            for event in [r#"{"a":[1,"é",null,true]}"#, "5", r#""x""#] {
                assert_eq!(kit.ok(&function, event).await, event, "{sandbox:?} {source}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_context_says_what_runs() {
    let kit = Kit::new(SandboxChoice::Auto).await;
    let python = kit
        .python(
            "def handler(event, c):\n    left = c.remaining_time_ms()\n    assert isinstance(left, int) and 0 < left <= 20000\n    return [c.function_id, c.function_name, c.version, c.attempt, c.memory_mb, c.job_id > 0]",
        )
        .await;
    let node = kit
        .node(
            "exports.handler = (event, c) => { const left = c.remainingTimeMs(); if (!Number.isInteger(left) || left <= 0 || left > 20000) throw left; \
             return [c.function_id, c.function_name, c.version, c.attempt, c.memory_mb, c.job_id > 0] }",
        )
        .await;
    for function in [python, node] {
        let expected = format!(r#"["{}","test",1,1,256,true]"#, function.version.function_id);
        assert_eq!(kit.ok(&function, "{}").await, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_and_texts_pass_exactly() {
    let kit = Kit::new(SandboxChoice::Auto).await;
    let python = kit.python("def handler(event):\n    return event").await;
    let big = format!("[{},0.1,1e-7,-0.0]", "9".repeat(5000));
    assert_eq!(kit.ok(&python, &big).await, big.replace("1e-7", "1e-07"));
    let node = kit.node("exports.handler = (e) => [undefined, e, '\\ud83d', '\\\\ud83d', '\u{1f600}']").await;
    assert_eq!(kit.ok(&node, "[1]").await, "[null,[1],\"\u{fffd}\",\"\\\\ud83d\",\"\u{1f600}\"]");
    let nothing = kit.node("exports.handler = () => {}").await;
    assert_eq!(kit.ok(&nothing, "{}").await, "null");

    // As large as a request and a result may be.
    let large = format!("\"{}\"", "x".repeat(domain::limits::OUTPUT - 2));
    for function in [&python, &kit.node("exports.handler = (e) => e").await] {
        assert_eq!(kit.ok(function, &large).await.len(), large.len());
        assert_eq!(kit.ok(function, "1").await, "1");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_json_carries_passes_as_it_is() {
    let kit = Kit::new(SandboxChoice::Auto).await;
    for (source, expected) in [
        ("{ toJSON() {} }", "null"),
        ("{ a: undefined, b: [undefined, , null], c: {}, d: [] }", r#"{"b":[null,null,null],"c":{},"d":[]}"#),
        ("new Date(0)", r#""1970-01-01T00:00:00.000Z""#),
        ("[new Date(0)]", r#"["1970-01-01T00:00:00.000Z"]"#),
        ("Buffer.from('hi')", r#"{"type":"Buffer","data":[104,105]}"#),
        (
            "new (class { #hidden = 1; shown = 2; when = new Date(0) })()",
            r#"{"shown":2,"when":"1970-01-01T00:00:00.000Z"}"#,
        ),
        ("Object.assign(Object.create(null), { a: 1 })", r#"{"a":1}"#),
        ("new Proxy({ a: [1] }, {})", r#"{"a":[1]}"#),
        ("require('vm').runInNewContext('({ a: [1, {}] })')", r#"{"a":[1,{}]}"#),
        ("[Object('x'), Object(5), Object(true)]", r#"["x",5,true]"#),
        ("new URL('http://x/y')", r#""http://x/y""#),
        ("new (class extends Array {})(1, 2)", "[1,2]"),
        ("'abc'.match(/b/)", r#"["b"]"#),
        ("[new (class { toJSON() { return { a: 1 } } })()]", r#"[{"a":1}]"#),
        ("(BigInt.prototype.toJSON = function () { return String(this) }, [10n])", r#"["10"]"#),
        ("{ get a() { this.n = (this.n ?? 0) + 1; return this.n } }", r#"{"a":1}"#),
    ] {
        let function = kit.node(&format!("exports.handler = async () => ({source})")).await;
        assert_eq!(kit.ok(&function, "{}").await, expected, "{source}");
    }
    for (source, expected) in [
        ("collections.namedtuple('N', 'a b')(1, 2)", "[1,2]"),
        ("collections.OrderedDict(a=1)", r#"{"a":1}"#),
        ("{1: 2, None: 3, False: 4, 1.5: 6}", r#"{"1":2,"null":3,"false":4,"1.5":6}"#),
        ("enum.IntEnum('E', 'A').A", "1"),
        ("(1, 'x', None)", r#"[1,"x",null]"#),
    ] {
        let function =
            kit.python(&format!("import collections, enum\ndef handler(e):\n    return {source}")).await;
        assert_eq!(kit.ok(&function, "{}").await, expected, "{source}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whether_an_interpreter_was_at_hand_makes_no_difference() {
    let event = format!(r#"{{"a":[1.5e-07,-0.0,{},true,null,"é\n\u0000😀"]}}"#, "9".repeat(5000));
    for sandbox in BOTH {
        let mut seen = Vec::new();
        for spares in [0, 1] {
            let kit = Kit::with(sandbox, |config| config.spares = spares).await;
            until("there are spares", || kit.pool.workers() >= 2 * spares).await;
            let same = kit.python("def handler(event):\n    return event").await;
            assert_eq!(kit.ok(&same, &format!(" {event}\n")).await, event);
            // Whoever changes how everything is encoded does so for their results too.
            let change = "import json; json.JSONEncoder.default = lambda self, value: 'changed'";
            let first = kit.python(&format!("{change}\ndef handler(event):\n    return [{{1}}]")).await;
            assert_eq!(kit.ok(&first, "{}").await, "[\"changed\"]");
            let source =
                format!("def handler(event):\n    if event: {change}\n    return {{1}} if event else 2");
            let later = kit.python(&source).await;
            assert_eq!(kit.ok(&later, "0").await, "2");
            assert_eq!(kit.ok(&later, "1").await, "\"changed\"");
            let told = "[sys.argv, sys.path[1:], sys.flags, sys._xoptions, sys.stdout.encoding]";
            let told = kit.python(&format!("import sys\ndef handler(event):\n    return {told}")).await;
            seen.push(kit.ok(&told, "{}").await);
        }
        assert_eq!(seen[0], seen[1]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_is_the_functions_own() {
    for sandbox in BOTH {
        let kit = Kit::new(sandbox).await;
        let python = kit.python("import os\ndef handler(e):\n    return dict(os.environ)").await;
        let node = kit.node("exports.handler = () => ({ ...process.env })").await;
        for function in [python, node] {
            let text = kit.ok(&function.environment("MINE", "é=1"), "{}").await;
            let seen: std::collections::BTreeMap<String, String> = serde_json::from_str(&text).unwrap();
            assert_eq!(seen["MINE"], "é=1");
            let names: Vec<_> = seen.keys().map(String::as_str).collect();
            assert_eq!(names, ["HOME", "LANG", "LOGNAME", "MINE", "PATH", "TMPDIR", "TZ", "USER"]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_printed_comes_back_with_its_level() {
    let kit = Kit::new(SandboxChoice::Auto).await;
    let python = kit
        .python(
            "import logging, os, sys, warnings\n\
             print('at import')\n\
             log = logging.getLogger('x')\n\
             def handler(event):\n\
             \x20   print('one', 'line')\n\
             \x20   os.write(1, b'raw\\n')\n\
             \x20   log.debug('unseen')\n\
             \x20   log.info('two\\nlines')\n\
             \x20   logging.warning('careful')\n\
             \x20   log.error('bad')\n\
             \x20   warnings.warn('old')\n\
             \x20   print('err', file=sys.stderr)\n\
             \x20   print('no end', end='')\n",
        )
        .await;
    let logs = kit.run(&python, "{}").await.logs;
    let lines: Vec<_> = logs.lines().iter().map(|line| (line.level, line.text.as_str())).collect();
    assert_eq!(
        lines,
        [
            (Level::Info, "at import"),
            (Level::Info, "one line"),
            (Level::Info, "raw"),
            (Level::Info, "two"),
            (Level::Info, "lines"),
            (Level::Warn, "WARNING:root:careful"),
            (Level::Error, "ERROR:x:bad"),
            (Level::Warn, "main.py:11: UserWarning: old"),
            (Level::Error, "err"),
            (Level::Info, "no end"),
        ]
    );
    let configured = kit
        .python(
            "import logging, sys\nlogging.basicConfig(level=logging.DEBUG, stream=sys.stdout, format='%(levelname)s %(message)s')\n\
             def handler(event):\n    logging.debug('d')\n    logging.critical('c')\n",
        )
        .await;
    let logs = kit.run(&configured, "{}").await.logs;
    let lines: Vec<_> = logs.lines().iter().map(|line| (line.level, line.text.as_str())).collect();
    assert_eq!(lines, [(Level::Debug, "DEBUG d"), (Level::Error, "CRITICAL c")]);

    let node = kit
        .node(
            "console.log('at import'); exports.handler = async () => { console.log('a %s', 'b', {c: 1}); console.debug('d'); console.info('i');\
             console.warn('w\\nw2'); console.error('e'); console.table([[1]]); process.stdout.write('raw'); process.stdout.write(' more\\n');\
             process.stderr.write('err\\n'); console.group('g'); console.log('in'); console.groupEnd(); require('fs').writeSync(1, 'direct\\n'); }",
        )
        .await;
    let logs = kit.run(&node, "{}").await.logs;
    let lines: Vec<_> = logs.lines().iter().map(|line| (line.level, line.text.as_str())).collect();
    assert_eq!(
        lines[..7],
        [
            (Level::Info, "at import"),
            (Level::Info, "a b { c: 1 }"),
            (Level::Debug, "d"),
            (Level::Info, "i"),
            (Level::Warn, "w"),
            (Level::Warn, "w2"),
            (Level::Error, "e"),
        ]
    );
    assert_eq!(
        lines[lines.len() - 5..],
        [
            (Level::Info, "raw more"),
            (Level::Error, "err"),
            (Level::Info, "g"),
            (Level::Info, "  in"),
            (Level::Info, "direct"),
        ]
    );
    // The next run has its own.
    assert!(kit.run(&node, "{}").await.logs.text().starts_with("a b"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_keeps_its_module_and_its_tmp_between_runs() {
    for sandbox in BOTH {
        let kit = Kit::new(sandbox).await;
        let function = kit
            .python(
                "import tempfile, os\nn = 0\ndef handler(e):\n    global n\n    n += 1\n    path = os.path.join(tempfile.gettempdir(), 'kept')\n    open(path, 'a').write('x')\n    return [n, len(open(path).read())]",
            )
            .await;
        let first = kit.run(&function, "{}").await;
        assert!(first.cold_start);
        assert_eq!(first.result.as_deref(), Ok("[1,1]"));
        let second = kit.run(&function, "{}").await;
        assert!(!second.cold_start);
        assert_eq!(second.result.as_deref(), Ok("[2,2]"));
    }
}
