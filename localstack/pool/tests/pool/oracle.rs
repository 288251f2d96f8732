//! What the check of code takes or refuses is what an interpreter of this machine, asked by itself, takes or refuses.

use std::process::{Command, Stdio};

use domain::Language;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::check::{HANDLER_JS, HANDLER_PY, check};
use super::kit::{BOTH, Kit};

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
