//! Code is compiled before it is saved, by the interpreter that will run it, and never run. What that takes or refuses is
//! what an interpreter of this machine, asked by itself, takes or refuses.

use std::process::{Command, Stdio};
use std::time::Duration;

use domain::function::{Checked, CodeFault};
use domain::{Language, UserId, limits};
use ports::{Draft, Runtime, RuntimeError};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::kit::{BOTH, Kit};

const HANDLER_PY: &str = "\ndef handler(event):\n    return 1\n";
const HANDLER_JS: &str = "\nvar handler = (event) => 1;\n";

fn draft(language: Language, code: &str) -> Draft<'_> {
    Draft { user_id: UserId(1), language, code, waits: true }
}

async fn check(kit: &Kit, language: Language, code: &str) -> Result<Checked, CodeFault> {
    kit.pool.check(draft(language, code)).await.unwrap()
}

/// As much of it as a source may hold, and still have a handler.
fn much(unit: &str) -> String {
    unit.repeat((limits::CODE - 200) / unit.len())
}

#[tokio::test]
async fn code_is_compiled_and_not_run_in_every_sandbox() {
    for sandbox in BOTH {
        let kit = Kit::new(sandbox).await;
        let endless = "while True: pass\ndef handler(event): return 1";
        assert_eq!(check(&kit, Language::Python, endless).await.unwrap().handler.name, "handler");
        for endless in ["for (;;);\nexports.handler = () => 1", "for (;;);\nexport const handler = () => 1"] {
            assert_eq!(check(&kit, Language::Nodejs, endless).await.unwrap().handler.name, "handler");
        }
        for (language, wrong) in [(Language::Python, "def handler(:"), (Language::Nodejs, "let x = ;")] {
            assert_eq!(check(&kit, language, wrong).await.unwrap_err().line, 1);
        }
    }
}

/// Whatever a source does to the interpreter or the parser, it is told of the source, and the next one is checked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_sources_end_and_hurt_nobody() {
    let kit = Kit::new(BOTH[0]).await;
    let python = [
        "(",
        "[",
        "{",
        "-",
        "not ",
        "lambda:",
        "[lambda a,:",
        "x if y else ",
        "a**",
        "a.",
        "a()",
        "if a:",
        "class a:",
        "f'{",
        "f\"{f'{",
        "\\\n",
        "match a:\n case (",
        "with (",
        "a:=(",
        "@",
        "\t\n ",
        "\r",
        "\0",
        "9",
        "1e",
        "'a'*",
    ];
    let node = [
        "(",
        "[",
        "{",
        "({a:",
        "!",
        "- -",
        "typeof ",
        "new ",
        "a=>",
        "(a=",
        "a?b:",
        "a**",
        "a.b",
        "``",
        "`${",
        "if(a)",
        "for(;;)",
        "class a{b(){",
        "(class a{[",
        "function a(){",
        "try{",
        "import(",
        "/",
        "/(",
        "<!--(",
        "\\",
        "\u{2028}",
        "async(",
        "a&&(b||",
        "#",
        "@(",
        "\0",
        "9",
        "/[",
        "\u{feff}",
    ];
    let whole = [
        (Language::Python, format!("x = 9**9**9**9; y = 'x' * 10**9; z = 1 << 10**9{HANDLER_PY}")),
        (Language::Python, format!("x = {}1{HANDLER_PY}", "1 + ".repeat(200_000))),
        (Language::Python, format!("x = a{}{HANDLER_PY}", ".b".repeat(400_000))),
        (Language::Python, format!("x = {}{HANDLER_PY}", "9".repeat(1_000_000))),
        (Language::Python, format!("{}{HANDLER_PY}", "x=1\n".repeat(250_000))),
        (Language::Nodejs, format!("{HANDLER_JS}x = {}1", "1 + ".repeat(200_000))),
        (Language::Nodejs, format!("{HANDLER_JS}x = a{}", ".b".repeat(400_000))),
        (Language::Nodejs, format!("{HANDLER_JS}{}", "x=1;".repeat(250_000))),
    ];
    let units = python.iter().map(|unit| (Language::Python, format!("{}{HANDLER_PY}", much(unit))));
    let units =
        units.chain(node.iter().map(|unit| (Language::Nodejs, format!("{HANDLER_JS}{}", much(unit)))));
    for (language, source) in units.chain(whole) {
        let answered =
            tokio::time::timeout(Duration::from_secs(60), kit.pool.check(draft(language, &source)));
        let answered = answered.await.unwrap_or_else(|_| panic!("{language:?} {source:.60} has no end"));
        if let Err(fault) = answered.unwrap() {
            assert!(
                !fault.message.is_empty() && fault.line >= 1 && fault.column >= 1,
                "{source:.60}: {fault}"
            );
        }
        let innocent = match language {
            Language::Python => HANDLER_PY,
            Language::Nodejs => HANDLER_JS,
        };
        assert!(check(&kit, language, innocent).await.is_ok(), "after {source:.60}");
    }
}

/// Whoever has no turn in time is told when to come back; another user's turn comes meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_checks_for_everybody() {
    let kit = Kit::new(BOTH[0]).await;
    let slow = format!("x = {}{HANDLER_PY}", "9".repeat(1_000_000));
    let greedy = (0..60).map(|_| {
        let (pool, slow) = (kit.pool.clone(), slow.clone());
        tokio::spawn(async move { pool.check(draft(Language::Python, &slow)).await })
    });
    let greedy: Vec<_> = greedy.collect();
    let other = Draft { user_id: UserId(2), ..draft(Language::Python, HANDLER_PY) };
    for _ in 0..5 {
        assert!(kit.pool.check(other).await.unwrap().is_ok());
    }
    let mut busy = 0;
    for asked in greedy {
        match asked.await.unwrap() {
            Err(RuntimeError::Busy { retry_after }) => busy += usize::from(retry_after > Duration::ZERO),
            other => assert!(other.unwrap().is_err()),
        }
    }
    assert!(busy > 40, "{busy}");
}

/// What is checked beside other faults of a request waits for no turn, whoever holds the place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_anyway_is_told_now_or_not_at_all() {
    let kit = Kit::new(BOTH[0]).await;
    let slow = format!("x = {}{HANDLER_PY}", "9".repeat(1_000_000));
    let pool = kit.pool.clone();
    let long = tokio::spawn(async move {
        loop {
            let asked = pool.check(Draft { waits: false, ..draft(Language::Python, &slow) }).await;
            if !matches!(asked, Err(RuntimeError::Busy { .. })) {
                return asked;
            }
            tokio::task::yield_now().await;
        }
    });
    let quick = Draft { waits: false, ..draft(Language::Python, HANDLER_PY) };
    loop {
        let asked = kit.pool.check(quick).await;
        assert!(!long.is_finished(), "it waited for the other: {asked:?}");
        if matches!(asked, Err(RuntimeError::Busy { .. })) {
            break;
        }
    }
    // Another user has a place of their own.
    let other = Draft { user_id: UserId(2), ..quick };
    assert!(kit.pool.check(other).await.unwrap().is_ok());
    assert!(long.await.unwrap().unwrap().is_err());
}

/// What the machine's own interpreter says of each source, asked by a script.
fn oracle(program: &str, script: &str, sources: &[String]) -> Vec<bool> {
    let mut child = Command::new(program);
    child.args(if program == "node" {
        vec!["--experimental-vm-modules", "--no-warnings", "-e"]
    } else {
        vec!["-c"]
    });
    let mut child =
        child.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let asked = serde_json::to_vec(sources).unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writing = std::thread::spawn(move || std::io::Write::write_all(&mut stdin, &asked).unwrap());
    let answer = child.wait_with_output().unwrap();
    writing.join().unwrap();
    serde_json::from_slice(&answer.stdout).unwrap()
}

const ASK_PYTHON: &str = r#"
import json, sys, warnings
warnings.simplefilter("ignore")
def compiles(source):
    try:
        compile(source, "main.py", "exec", dont_inherit=True)
        return True
    except Exception:
        return False
print(json.dumps([compiles(source) for source in json.load(sys.stdin)]))
"#;

/// A script as Node loads one, by a function around it; a module by its own class.
const ASK_NODE: &str = r#"
const vm = require('vm'), { wrap } = require('module');
const compiles = (source) => {
  try { vm.compileFunction(source, ['exports', 'require', 'module', '__filename', '__dirname']); return true; } catch {}
  try { new vm.SourceTextModule(source); return true; } catch { return false; }
};
console.log(JSON.stringify(JSON.parse(require('fs').readFileSync(0)).map(compiles)));
"#;

const PYTHON_PIECES: &[&str] = &[
    "x = 1",
    "x: int = 1",
    "del x",
    "def f(a, b=1, *c, d, **e): return a",
    "def f(a, a): pass",
    "async def f(): await x",
    "await x",
    "lambda: (yield)",
    "class A(B, c=1): x = [y for y in z]",
    "class A:\n    x = [(y := 1) for _ in z]",
    "for a in b:\n    continue\nelse:\n    pass",
    "while x: break",
    "break",
    "continue",
    "return 1",
    "yield 1",
    "try:\n    pass\nexcept:\n    pass\nexcept A:\n    pass",
    "try:\n    pass\nexcept* A:\n    pass",
    "while 1:\n    try:\n        pass\n    except* A:\n        break",
    "global x",
    "x = 1\nglobal x",
    "nonlocal x",
    "def f():\n    x = 1\n    global x",
    "def f():\n    def g():\n        nonlocal x\n    x = 1",
    "def f():\n    nonlocal x",
    "from __future__ import annotations",
    "from __future__ import nope",
    "from x import *",
    "def f():\n    from x import *",
    "with a as b, c: pass",
    "with (a as b, c as d): pass",
    "match x:\n    case [1, *_]: pass",
    "match x:\n    case a: pass\n    case b: pass",
    "match x:\n    case A(b=1, b=2): pass",
    "x = f'{a!r:>{b}}'",
    "x = f'{a b}'",
    "x = f'{f\"{a}\"}'",
    "x = f'{'a'}'",
    "type X = int",
    "def f[T](a: T): pass",
    "x = 0777",
    "x = 1_000",
    "x = 1__0",
    "x = 'a' b'c'",
    "x = b'é'",
    "x = '\\N{DASH}'",
    "x = '\\N{nope}'",
    "(x := 1)",
    "x := 1",
    "f(a for a in b, c)",
    "f(**a, *b)",
    "f(a=1, a=2)",
    "f(a=1, b)",
    "*a, = b",
    "*a = b",
    "a, *b, *c = d",
    "1 = x",
    "f() = x",
    "x += 1",
    "(a, b) += c",
    "a < b > c",
    "not x",
    "x if y else z",
    "None = 1",
    "__debug__ = 1",
    "x.__debug__ = 1",
    "if x:\n        a = 1\n\tb = 2",
    "if x:\n  a\n    b",
    "print 'x'",
    "exec 'x'",
    "raise a from b",
    "assert (a, b)",
    "x is 1",
    "a: int = yield",
    "async with a: pass",
    "async def f():\n    async with a as b: pass",
    "def f(): return [await x for x in y]",
    "async def f():\n    yield 1\n    return 2",
    "{**a, 'b': 1}",
    "{*a, 1}",
    "{**a for a in b}",
    "[*a for a in b]",
    "x[1:2, ::3]",
    "x[*a]",
    "def f(*, a): pass",
    "def f(*): pass",
    "def f(a, /, b): pass",
    "def f(/, a): pass",
    "@a.b[c]\ndef f(): pass",
    "é = 1",
    "x = $",
    "x = ?",
    "x = 1 \\\n  + 2",
    "x = 1 \\ \n",
    "é\u{301} = 1",
    "\u{a0}x = 1",
    "x = ''' \n '''",
    "x = '''",
    "x = 'a\nb'",
];

const NODE_PIECES: &[&str] = &[
    "var x = 1;",
    "let y; let y;",
    "const z;",
    "let let_ = 1;",
    "let let = 1;",
    "function f(a, a) {}",
    "(a, a) => 1;",
    "'use strict'; with (a) {}",
    "with (a) {}",
    "function g() { 'use strict'; var x = 010; }",
    "var x = 010;",
    "var x = 09.5;",
    "return 1;",
    "if (0) return;",
    "break;",
    "a: for (;;) break a;",
    "a: for (;;) break b;",
    "a: a: ;",
    "await 1;",
    "async () => await 1;",
    "for await (const a of b);",
    "import 'fs';",
    "import a from 'fs' with { type: 'json' };",
    "import { a as default } from 'fs';",
    "import defer * as a from 'fs';",
    "import.meta;",
    "import('x');",
    "export default 1;",
    "export { nope };",
    "export { undefined };",
    "export * as ns from 'fs';",
    "export { 'a' as b } from 'fs';",
    "class A { #a; m() { return this.#a; } }",
    "class A { m() { return this.#a; } }",
    "class A { #a; #a; }",
    "class A { static { await; } }",
    "class A { static { var x; } }",
    "class A { constructor() {} constructor() {} }",
    "class A { constructor() { super(); } }",
    "class A extends B { constructor() { super(); } }",
    "super.x;",
    "({ m() { super.x; } });",
    "class A { accessor x = 1; }",
    "@a class B {}",
    "{ using a = b; }",
    "/(?i:a)/;",
    "/(?<a>x)|(?<a>y)/;",
    "/(?<a>x)(?<a>y)/;",
    "/[/]/;",
    "/a/vv;",
    "/a/gg;",
    "/[a--b]/v;",
    "/(?<=a)b/;",
    "/\\u{110000}/u;",
    "function h() { return /(/; }",
    "<!-- x",
    "--> x",
    "x-->y;",
    "`${1}`;",
    "`${`;",
    "`\\u`;",
    "a`\\u`;",
    "a?.b ??= c;",
    "a ?? b || c;",
    "a ** b;",
    "-a ** b;",
    "new.target;",
    "function n() { new.target; }",
    "a?.b = 1;",
    "a => {} ()",
    "(a => {})();",
    "async a => {};",
    "async (a, b) => {};",
    "({ a = 1 });",
    "({ a = 1 } = b);",
    "[a, ...b] = c;",
    "[...a, b] = c;",
    "({ __proto__: 1, __proto__: 2 });",
    "for (let a of b, c);",
    "for (let a, b of c);",
    "for (var a = 1 in b);",
    "let [a] = b, { c } = d;",
    "delete a;",
    "function d() { 'use strict'; delete a; }",
    "eval = 1;",
    "'use strict'; eval = 1;",
    "yield = 1;",
    "function* y() { yield = 1; }",
    "function* w() { yield 1; }",
    "async function* v() { yield await 1; }",
    "var await;",
    "if (1) function q() {}",
    "while (1) function q() {}",
    "switch (a) { case 1: let b; case 2: let b; }",
    "try {} catch { }",
    "try {} catch (a) { let a; }",
    "try {}",
    "debugger;",
    "1_000;",
    "1__0;",
    "0b2;",
    "1n;",
    "1.5n;",
    "'\\08';",
    "'a\nb';",
    "'\u{2028}';",
    "a\u{2028}b;",
    "\\u0061 = 1;",
    "v\\u0061r x;",
    "한글 = 1;",
    "#a in b;",
    "class P { #a; static t(o) { return #a in o; } }",
    "enum = 1;",
    "interface = 1;",
    "const { a: { b } } = c;",
    "label: function l() {}",
    "import x, { y } from 'fs';",
    "let undefined;",
    "get\n*a(){}",
    "({ get a() {}, set a(b) {} });",
    "({ get a(b) {} });",
    "({ async *a() {} });",
    "import source x from 'y';",
    "throw\n1;",
    "a++ ++;",
    "++a++;",
    "(a, b) = 1;",
    "(a) = 1;",
    "({a}) = 1;",
    "(a, ) => 1;",
    "f(a, );",
    "(,);",
];

/// Sources of one, two and three pieces each.
fn sources(pieces: &'static [&'static str], separator: &'static str, count: usize) -> Vec<String> {
    let mut runner = TestRunner::deterministic();
    let some = prop::collection::vec(prop::sample::select(pieces), 2..4);
    let mixed = (0..count).map(|_| some.new_tree(&mut runner).unwrap().current().join(separator));
    pieces.iter().map(|&piece| piece.to_owned()).chain(mixed).collect()
}

async fn agree(language: Language, program: &str, script: &str, sources: Vec<String>) {
    let kit = Kit::new(BOTH[0]).await;
    let expected = oracle(program, script, &sources);
    let taken = expected.iter().filter(|taken| **taken).count();
    assert!(taken > sources.len() / 8 && taken < sources.len() * 7 / 8, "a fair mixture: {taken}");
    for (source, expected) in sources.iter().zip(expected) {
        let checked = check(&kit, language, source).await;
        assert_eq!(checked.is_ok(), expected, "{source:?}: {checked:?}");
        if let Err(fault) = checked {
            assert!(fault.line <= source.split(['\n', '\u{2028}']).count() + 1, "{source:?}: {fault}");
            assert!(
                fault.message.starts_with("SyntaxError") || !fault.message.contains("handler"),
                "{fault}"
            );
        }
    }
}

#[tokio::test]
async fn what_is_taken_is_what_python_takes() {
    let sources = sources(PYTHON_PIECES, "\n", 400).into_iter().map(|source| source + HANDLER_PY).collect();
    agree(Language::Python, "python3", ASK_PYTHON, sources).await;
}

#[tokio::test]
async fn what_is_taken_is_what_node_takes() {
    let sources = sources(NODE_PIECES, "\n", 400).into_iter().map(|source| source + HANDLER_JS).collect();
    agree(Language::Nodejs, "node", ASK_NODE, sources).await;
}
