//! What is said of code that fails.

use domain::function::Module;
use sandbox::SandboxChoice;

use crate::kit::Kit;

#[tokio::test(flavor = "multi_thread")]
async fn python_errors_show_the_users_frames_and_none_of_ours() {
    let kit = Kit::new(SandboxChoice::Auto).await;
    let function =
        kit.python("def inner(x):\n    return 1 / x\n\ndef handler(event):\n    return inner(event)\n").await;
    assert_eq!(
        kit.error(&function, "0").await,
        "ZeroDivisionError: division by zero\n\
         Traceback (most recent call last):\n\
         \x20 File \"main.py\", line 5, in handler\n\
         \x20   return inner(event)\n\
         \x20          ^^^^^^^^^^^^\n\
         \x20 File \"main.py\", line 2, in inner\n\
         \x20   return 1 / x\n\
         \x20          ~~^~~"
    );
    assert_eq!(kit.ok(&function, "1").await, "1.0", "the worker goes on");

    for (source, expected) in [
        ("async def handler(e):\n    raise KeyError('k')", vec!["KeyError: 'k'", "line 2, in handler"]),
        (
            "def handler(e):\n    try:\n        {}['a']\n    except KeyError as error:\n        raise ValueError('outer') from error",
            vec![
                "ValueError: outer",
                "KeyError: 'a'",
                "direct cause",
                "line 3, in handler",
                "line 5, in handler",
            ],
        ),
        (
            "def handler(e):\n    import json\n    json.loads('{')",
            vec!["json.decoder.JSONDecodeError", "python/json/decoder.py"],
        ),
        (
            "def handler(e):\n    raise SystemExit(3)",
            vec!["SystemExit: 3", "ended the process instead of returning"],
        ),
        ("import sys\ndef handler(e):\n    sys.exit()", vec!["SystemExit", "line 3, in handler"]),
        ("def handler(e):\n    exit(1)", vec!["SystemExit: 1", "line 2, in handler", "ended the process"]),
        ("def handler(e):\n    quit()", vec!["SystemExit: None", "line 2, in handler"]),
        ("def handler(e):\n    return input()", vec!["EOFError: EOF when reading a line"]),
        ("def handler(e):\n    breakpoint()", vec!["bdb.BdbQuit"]),
        ("def handler(e):\n    raise KeyboardInterrupt", vec!["KeyboardInterrupt"]),
        ("class E(BaseException): pass\ndef handler(e):\n    raise E('base')", vec!["E: base", "line 3"]),
        (
            "def handler():\n    pass",
            vec!["TypeError: handler() takes 0 positional arguments but 1 was given"],
        ),
        (
            "raise OSError('at import')\ndef handler(e): pass",
            vec!["OSError: at import", "line 1, in <module>"],
        ),
        (
            "import nothing_there\ndef handler(e): pass",
            vec!["ModuleNotFoundError: No module named 'nothing_there'", "line 1"],
        ),
        ("def handler(e):\n    retrun 1", vec!["SyntaxError", "File \"main.py\", line 2", "retrun 1"]),
        ("def handle(e): pass", vec!["main.py has no handler", "def handler(event)"]),
        ("handler = 5", vec!["handler in main.py is an int, not a function"]),
        ("def handler(e):\n    return handler(e)", vec!["RecursionError"]),
        ("def handler(e):\n    raise Exception('x' * 10_000_000)", vec!["Exception: xxx"]),
        (
            "class E(Exception):\n    def __str__(self): raise self\ndef handler(e):\n    raise E",
            vec!["E: <exception str() failed>"],
        ),
        (
            "def handler(e):\n    raise ExceptionGroup('many', [ValueError('one'), TypeError('two')])",
            vec!["ValueError: one", "TypeError: two"],
        ),
    ] {
        let function = kit.python(source).await;
        let error = kit.error(&function, "{}").await;
        for part in expected {
            assert!(error.contains(part), "{source}\n---\n{error}");
        }
        assert!(
            !error.contains("shim") && !error.contains("/root/") && error.len() <= domain::limits::ERROR,
            "{error}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn node_errors_show_the_users_frames_and_none_of_ours() {
    let kit = Kit::new(SandboxChoice::Auto).await;
    let function = kit
        .node("const inner = (x) => x.y.z;\nexports.handler = async (event) => {\n  return inner(event);\n};")
        .await;
    assert_eq!(
        kit.error(&function, "{}").await,
        "TypeError: Cannot read properties of undefined (reading 'z')\n    at inner (main.js:1:26)\n    at exports.handler (main.js:3:10)"
    );
    assert_eq!(kit.ok(&function, r#"{"y":{"z":1}}"#).await, "1", "the worker goes on");

    for (module, source, expected) in [
        (
            Module::CommonJs,
            "exports.handler = () => { throw 'a string' }",
            vec!["Thrown: 'a string'", "not an Error"],
        ),
        (Module::CommonJs, "exports.handler = async () => { throw null }", vec!["Thrown: null"]),
        (
            Module::CommonJs,
            "exports.handler = async () => { throw { code: 7 } }",
            vec!["Thrown: { code: 7 }"],
        ),
        (Module::CommonJs, "exports.handler = async () => { throw undefined }", vec!["Thrown: undefined"]),
        (
            Module::CommonJs,
            "exports.handler = () => { throw { get message() { throw 1 }, [Symbol.for('nodejs.util.inspect.custom')]() { throw 2 } } }",
            vec!["Thrown"],
        ),
        (
            Module::CommonJs,
            "exports.handler = () => { throw new Error('outer', { cause: new RangeError('inner') }) }",
            vec!["Error: outer", "main.js:1:33", "[cause]: RangeError: inner"],
        ),
        (
            Module::CommonJs,
            "exports.handler = async () => { throw new Error('outer', { cause: Object.assign(new TypeError('inner'), { deep: { a: 1 } }) }) }",
            vec![
                "Error: outer\n    at exports.handler (main.js:1:39) {\n  [cause]: TypeError: inner\n      at exports.handler",
                "(main.js:1:81) {\n    deep: { a: 1 }\n  }\n}",
            ],
        ),
        (
            Module::CommonJs,
            "exports.handler = async () => { require('fs').readFileSync('/nope') }",
            vec![
                "open '/nope'\n    at ",
                "exports.handler (main.js:1:47) {\n  errno: -2,\n  code: 'ENOENT',",
            ],
        ),
        (
            Module::CommonJs,
            "exports.handler = () => { throw new AggregateError([new Error('one')], 'all') }",
            vec!["AggregateError: all", "Error: one"],
        ),
        (
            Module::CommonJs,
            "class MyError extends Error {}\nexports.handler = () => { throw new MyError('mine') }",
            vec!["MyError: mine", "main.js:2:"],
        ),
        (
            Module::CommonJs,
            "const x = ;",
            vec!["SyntaxError: Unexpected token ';'", "main.js:1", "const x = ;"],
        ),
        (Module::CommonJs, "require('./other')", vec!["Cannot find module './other'"]),
        (Module::CommonJs, "throw new Error('at import')", vec!["Error: at import", "main.js:1:7"]),
        (Module::CommonJs, "exports.handle = 1", vec!["main.js exports no handler"]),
        (Module::CommonJs, "exports.handler = 1", vec!["a number, not a function"]),
        (Module::Esm, "export const x = 1", vec!["main.mjs exports no handler"]),
        (
            Module::Esm,
            "export function handler() {\n  throw new Error('esm') }",
            vec!["Error: esm", "at handler (main.mjs:2:9)"],
        ),
        (
            Module::Esm,
            "import x from 'nothing-there'; export const handler = () => 1",
            vec!["Cannot find package 'nothing-there'"],
        ),
        (Module::Esm, "await new Promise(() => {}); export const handler = () => 1", vec!["never settled"]),
        (
            Module::CommonJs,
            "exports.handler = () => { const f = () => f(); f() }",
            vec!["RangeError: Maximum call stack"],
        ),
        (
            Module::CommonJs,
            "exports.handler = async () => { Promise.reject(new Error('floating')); return 1 }",
            vec!["Unhandled promise rejection: Error: floating", "main.js:1:"],
        ),
        (
            Module::CommonJs,
            "exports.handler = () => new Promise(() => setTimeout(() => { throw new Error('later') }, 1))",
            vec!["Uncaught exception: Error: later"],
        ),
        (Module::CommonJs, "exports.handler = () => new Promise(() => {})", vec!["promise never settled"]),
        (
            Module::CommonJs,
            "exports.handler = () => ({ then: 1, get x() { throw new Error('getter') } })",
            vec!["getter"],
        ),
        (
            Module::CommonJs,
            "exports.handler = () => process.exit(0)",
            vec!["The process ended (exit code 0) before the handler returned"],
        ),
    ] {
        let function = kit.save(module, source).await;
        let error = kit.error(&function, "{}").await;
        for part in expected {
            assert!(error.contains(part), "{source}\n---\n{error}");
        }
        for ours in ["shim", "node:internal", "/tmp/", "/function"] {
            assert!(!error.contains(ours), "{source}\n---\n{error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn results_that_json_cannot_carry_say_what_and_where() {
    for spares in [0, 1] {
        results_say_what_and_where(Kit::with(SandboxChoice::Auto, |config| config.spares = spares).await)
            .await;
    }
}

async fn results_say_what_and_where(kit: Kit) {
    for (source, expected) in [
        ("return {'a': [float('nan')]}", vec!["nan", "result.a[0]"]),
        ("return float('-inf')", vec!["-inf"]),
        ("x = {}\n    x['self'] = [x]\n    return x", vec!["holds itself", "result.self[0]"]),
        ("return {'when': {1, 2}}", vec!["a set", "result.when", "a list"]),
        ("import datetime\n    return datetime.datetime.now()", vec!["a datetime", "isoformat"]),
        ("return b'x'", vec!["a bytes", "decode"]),
        ("return {(1, 2): 3}", vec!["a tuple", "key"]),
        ("return '\\ud83d'", vec!["surrogate"]),
        ("x = []\n    for _ in range(100000): x = [x]\n    return x", vec!["too deep"]),
        ("x = []\n    for _ in range(200): x = [x]\n    return x", vec!["nested more than 128 deep"]),
        ("return 'x' * 50_000_000", vec!["50,000,002 bytes", "6,291,456"]),
        ("return (i for i in range(3))", vec!["a generator", "list(value)"]),
        ("return object()", vec!["an object"]),
        ("return handler", vec!["a function"]),
        ("return {'a b': {'c': [0, {1}]}}", vec!["result['a b'].c[1]"]),
        ("return [{1}, b'x']", vec!["a set", "result[0]"]),
        (
            "import dataclasses\n    @dataclasses.dataclass\n    class D:\n        a: int = 1\n    return D()",
            vec!["a D", "dataclasses.asdict(value)"],
        ),
        ("import enum\n    return enum.Enum('E', 'A').A", vec!["an E", "value.value"]),
        ("import decimal\n    return decimal.Decimal(1)", vec!["a Decimal", "str(value) or float(value)"]),
        ("import pathlib\n    return pathlib.Path('x')", vec!["Path", "str(value)"]),
        ("import datetime\n    return datetime.timedelta(1)", vec!["a timedelta", "total_seconds"]),
        ("import types\n    return types.MappingProxyType({})", vec!["a mappingproxy", "dict(value)"]),
        ("return {}.keys()", vec!["a dict_keys", "list(value)"]),
        ("return map(str, [])", vec!["a map", "list(value)"]),
        ("return bytearray(b'x')", vec!["a bytearray", "base64"]),
        ("return ValueError('x')", vec!["a ValueError", "raise it"]),
        ("return int", vec!["a type", "fields"]),
        ("async def f(): yield 1\n    return f()", vec!["an async_generator", "async for"]),
        ("async def f(): pass\n    return [f()]", vec!["a coroutine", "awaited"]),
    ] {
        let function = kit.python(&format!("def handler(event):\n    {source}")).await;
        let error = kit.error(&function, "{}").await;
        for part in expected {
            assert!(error.contains(part), "{source}\n---\n{error}");
        }
        assert!(error.starts_with("The handler's result"), "{error}");
    }
    for (source, expected) in [
        ("return { a: [NaN] }", vec!["NaN", "result.a[0]"]),
        ("return -Infinity", vec!["-Infinity"]),
        ("const x = {}; x.self = [x]; return x", vec!["itself", "result.self[0]"]),
        ("return { n: 10n }", vec!["a BigInt", "result.n", "String(value)"]),
        ("return () => 1", vec!["a function"]),
        ("return Symbol('x')", vec!["a symbol"]),
        ("return { p: Promise.resolve(1) }", vec!["a Promise", "Await it"]),
        ("return new Map([[1, 2]])", vec!["a Map", "fromEntries"]),
        ("return [new Set([1])]", vec!["a Set", "result[0]"]),
        ("return new Error('x')", vec!["an Error", "message: error.message"]),
        ("return { e: Object.assign(new RangeError('x'), { code: 5 }) }", vec!["a RangeError", "result.e"]),
        ("return /x/g", vec!["a RegExp", "String(value)"]),
        ("return new URLSearchParams('a=1')", vec!["a URLSearchParams", "fromEntries"]),
        ("return [new WeakMap(), 1]", vec!["a WeakMap", "result[0]"]),
        ("return { s: new WeakSet() }", vec!["a WeakSet", "result.s"]),
        ("return (function* () { yield 1 })()", vec!["a Generator", "[...value]"]),
        ("return (async function* () { yield 1 })()", vec!["an AsyncGenerator", "for await"]),
        ("return { a: [1].values() }", vec!["an Array Iterator (at result.a)", "[...value]"]),
        ("return new Map().entries()", vec!["a Map Iterator", "[...value]"]),
        ("return new Blob(['x'])", vec!["a Blob", "value.text()"]),
        ("return new ReadableStream()", vec!["a ReadableStream", "new Response(stream)"]),
        ("return new Headers({ a: 'b' })", vec!["a Headers", "fromEntries"]),
        ("return new FormData()", vec!["a FormData", "fromEntries"]),
        ("return new Request('http://x/')", vec!["a Request", "request.json()"]),
        ("return { f: () => 1 }", vec!["a function", "result.f", "Leave it out"]),
        ("return [Symbol('x')]", vec!["a symbol", "result[0]"]),
        ("return new Uint8Array(3)", vec!["a Uint8Array", "base64"]),
        ("return { 'a b': new ArrayBuffer(3) }", vec!["an ArrayBuffer", "result['a b']"]),
        ("return new Date(NaN)", vec!["an invalid Date"]),
        ("return [new Number(NaN)]", vec!["NaN", "result[0]"]),
        ("return new (class Money { #cents = 5 })()", vec!["a Money", "toJSON()"]),
        ("return Object.create({ inherited: 1 })", vec!["an object", "toJSON()"]),
        ("return new Proxy(new Map(), {})", vec!["a Map"]),
        ("return new (class Mine extends Map { x = 1 })()", vec!["a Mine", "fromEntries"]),
        ("return require('crypto').createHash('md5')", vec!["a Hash"]),
        ("return setTimeout(() => {}, 1)", vec!["(at result._"]),
        ("return { toJSON: () => new Map() }", vec!["a Map"]),
        ("let x = []; for (let i = 0; i < 100000; i++) x = [x]; return x", vec!["too deep"]),
        ("return 'x'.repeat(50_000_000)", vec!["50,000,002 bytes"]),
        ("return { toJSON() { throw new Error('mine') } }", vec!["mine"]),
    ] {
        let function = kit.node(&format!("exports.handler = async () => {{ {source} }}")).await;
        let error = kit.error(&function, "{}").await;
        for part in expected {
            assert!(error.contains(part), "{source}\n---\n{error}");
        }
        assert!(error.starts_with("The handler's result"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_interpreter_is_named() {
    let kit = Kit::with(SandboxChoice::Auto, |config| config.node = Some("/nowhere/node".into())).await;
    let function = kit.node("exports.handler = () => 1").await;
    let error = kit.try_run(&function, "{}").await.unwrap_err().to_string();
    assert!(error.contains("Node.js at /nowhere/node does not start"), "{error}");
    let health = ports::Runtime::health(&*kit.pool).await.unwrap();
    assert!(health.contains("bubblewrap") && health.contains("Node.js"), "{health}");
    assert_eq!(kit.ok(&kit.python("def handler(e): return 1").await, "{}").await, "1");
}
