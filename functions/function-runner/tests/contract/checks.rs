//! Code that could never run is refused when it is saved, with its place; what the interpreter takes is taken, and runs.

use serde_json::{Value, json};
use testkit::{Client, Server, unique};

const PY: &str = "\ndef handler(event):\n    return event\n";
const JS: &str = "\nexports.handler = (event) => event;\n";

async fn save(user: &Client, workspace: &str, runtime: &str, code: &str) -> testkit::Answer {
    let new = json!({"name": unique("f"), "runtime": runtime, "code": code, "workspace_id": workspace});
    user.post("/functions/", &new).await
}

/// The text of the only fault of a 422, which is the code's.
fn told(refused: &Value) -> String {
    let faults = refused["detail"].as_array().unwrap();
    assert_eq!(faults.len(), 1, "{refused}");
    assert_eq!(faults[0]["loc"], json!(["body", "code"]), "{refused}");
    faults[0]["msg"].as_str().unwrap().to_owned()
}

/// Each with the line at fault.
const PYTHON: &[(usize, &str)] = &[
    (3, "try:\n    pass\nexcept:\n    pass\nexcept ValueError:\n    pass"),
    (2, "def f():\n    nonlocal x"),
    (1, "nonlocal x"),
    (3, "def f():\n    x = 1\n    global x"),
    (2, "x = 1\nglobal x"),
    (2, "def f(x):\n    global x"),
    (2, "def f():\n    global x\n    nonlocal x"),
    (2, "class A:\n    x = [(y := 1) for _ in z]"),
    (1, "[x := 1 for x in y]"),
    (5, "while 1:\n    try:\n        pass\n    except* A:\n        break"),
    (5, "def f():\n    try:\n        pass\n    except* A:\n        return"),
    (3, "if 1:\n        x = 1\n\ty = 2"),
    (3, "if 1:\n  x\n    y"),
    (1, "return 1"),
    (1, "yield 1"),
    (1, "await x"),
    (1, "break"),
    (2, "if 1:\n    continue"),
    (1, "def f(a, a): pass"),
    (1, "def f(): return [await x for x in y]"),
    (3, "async def f():\n    yield 1\n    return 2"),
    (2, "x = 1\nfrom __future__ import annotations"),
    (1, "from __future__ import braces"),
    (2, "def f():\n    from x import *"),
    (1, "None = 1"),
    (1, "__debug__ = 1"),
    (1, "f(a=1, a=2)"),
    (1, "f(a=1, b)"),
    (1, "*a = b"),
    (1, "a, *b, *c = d"),
    (2, "match x:\n    case a: pass\n    case b: pass"),
    (2, "match x:\n    case A(b=1, b=2): pass"),
    (2, "match x:\n    case [a, a]: pass"),
    (1, "x = 0777"),
    (1, "x = '\\N{no such name}'"),
    (1, "x = b'é'"),
    (1, "x = f'{a b}'"),
    (1, "print 'x'"),
    (2, "x = 1\ny = '\n"),
    (1, "x = 1\0"),
    (1, "del f()"),
    (1, "(a, b) += c"),
    (1, "{**a for a in b}"),
    (1, "def f(*): pass"),
    (1, "exports.handler = () => 1"),
];

const NODE: &[(usize, &str)] = &[
    (2, "let a;\nlet a;"),
    (1, "const a;"),
    (2, "exports.a = 1;\nclass A { #a; #a; }"),
    (1, "class A { m() { return this.#a; } }"),
    (1, "class A { constructor() {} constructor() {} }"),
    (1, "class A { constructor() { super(); } }"),
    (1, "function f() { super.x; }"),
    (1, "/(/;"),
    (1, "function f() { return function () { return /[b-a]/; }; }"),
    (1, "/(?<a>x)(?<a>y)/;"),
    (1, "/a/gg;"),
    (1, "/\\u{110000}/u;"),
    (2, "function f() {\n  return await 1; }"),
    (1, "break;"),
    (1, "a: for (;;) break b;"),
    (1, "a: a: ;"),
    (2, "'use strict';\nwith (a) {}"),
    (1, "function f() { 'use strict'; return 010; }"),
    (1, "function f(a = 1) { 'use strict'; }"),
    (2, "export { a };\nvar a; export { nope };"),
    (2, "var a; export { a };\nexport { a };"),
    (1, "export default 1; export default 2;"),
    (2, "export const a = 1;\nwith (a) {}"),
    (2, "export const a = 1;\ndelete a;"),
    (2, "export const a = 1;\nvar b = 010;"),
    (1, "a ?? b || c;"),
    (1, "-a ** b;"),
    (1, "a?.b = 1;"),
    (1, "({ a = 1 });"),
    (1, "[...a, b] = c;"),
    (1, "({ __proto__: 1, __proto__: 2 });"),
    (1, "var f = () => { new.target }; export { f };"),
    (1, "try {} catch (a) { let a; }"),
    (1, "switch (a) { case 1: let b; case 2: let b; }"),
    (1, "`${1"),
    (1, "1_000_;"),
    (1, "throw\n1;"),
    (1, "class A { static { await; } }"),
    (1, "let let = 1;"),
    (1, "for (let a of b, c);"),
    (1, "({ get a(b) {} });"),
    (3, "exports.a = 1;\n\n  x y;"),
    (1, "def handler(event): pass"),
];

#[tokio::test]
async fn python_that_can_not_run_is_refused_with_its_line() {
    let user = Server::shared().user().await;
    let workspace = user.workspace().await;
    let nested: String = (0..25).map(|depth| format!("{}while a:\n", " ".repeat(depth))).collect();
    let nested = format!("{nested}{}pass", " ".repeat(25));
    for &(line, code) in PYTHON.iter().chain([&(21, nested.as_str())]) {
        let refused = save(&user, &workspace, "PYTHON", &format!("{code}{PY}")).await.expect(422);
        let text = told(&refused);
        assert!(text.starts_with(&format!("line {line}, column ")), "{code}: {text}");
        assert!(text.contains("Error: "), "{code}: {text}");
    }
}

#[tokio::test]
async fn a_comment_of_html_in_a_module_is_refused_with_its_line() {
    let user = Server::shared().user().await;
    let refused = save(&user, &user.workspace().await, "NODEJS", "<!-- x\nexport const a = 1;").await;
    assert!(told(&refused.expect(422)).starts_with("line 1, column "), "{refused:?}");
}

#[tokio::test]
async fn node_that_can_not_run_is_refused_with_its_line() {
    let user = Server::shared().user().await;
    let workspace = user.workspace().await;
    for &(line, code) in NODE {
        let refused = save(&user, &workspace, "NODEJS", code).await.expect(422);
        let text = told(&refused);
        assert!(text.starts_with(&format!("line {line}, column ")), "{code}: {text}");
        assert!(text.contains("SyntaxError: "), "{code}: {text}");
    }
}

/// Syntax that some version of the language has: this machine's decides, and what it takes runs.
#[tokio::test]
async fn new_syntax_is_taken_where_it_runs_and_else_told_as_such() {
    let user = Server::shared().user().await;
    let workspace = user.workspace().await;
    for (runtime, code, tail) in [
        ("PYTHON", "type X = int", PY),
        ("PYTHON", "def f[T](a: T) -> T: return a", PY),
        ("PYTHON", "x = f'{'a'}'", PY),
        ("PYTHON", "x = t'{1}'", PY),
        ("NODEJS", "class A { accessor x = 1 }", JS),
        ("NODEJS", "const a = (x) => x;\n@a class B {}", JS),
        ("NODEJS", "function f() { using a = null; }", JS),
        ("NODEJS", "/(?i:a)/;", JS),
        ("NODEJS", "/(?<a>x)|(?<a>y)/;", JS),
    ] {
        let saved = save(&user, &workspace, runtime, &format!("{code}{tail}")).await;
        if saved.status == 422 {
            let text = told(&saved.expect(422));
            let newer = ["this server runs Python 3.", "which this server runs, does not know this syntax"];
            assert!(newer.iter().any(|word| text.contains(word)), "{code}: {text}");
        } else {
            let id = saved.expect(200)["id"].as_str().unwrap().to_owned();
            assert_eq!(user.invoke(&id, &json!(7)).await["output"], 7, "{code}");
        }
    }
}

#[tokio::test]
async fn rare_code_that_the_interpreter_takes_is_taken_and_runs() {
    let user = Server::shared().user().await;
    let deep = format!("var x = {}1{};", "[".repeat(1000), "]".repeat(1000));
    let long = format!("var x = 1{};", " + 1".repeat(20_000));
    let strings = format!("x = 'a'{}", "\\\n    'b'".repeat(5_000));
    for (runtime, code, tail) in [
        ("PYTHON", "x = (1 if 2 else 3) is not 4", PY),
        (
            "PYTHON",
            "match = case = type = _ = 1; match[case:type] if 0 else 0",
            "\ndef handler(event):\n    return event",
        ),
        ("PYTHON", "def f(a, /, b, *, c): yield; (yield from ())", PY),
        ("PYTHON", "x = [*'ab', *[1]]; y = {**{'a': 1}, 'b': 2}\nx[0:1, ...] if 0 else 0", PY),
        ("PYTHON", "x = '''\n''' r'\\N{x}' if 0 else 1_0.0_1e-1_0j", PY),
        ("PYTHON", "if 1:\n\tx = 1\n\tif 1:\n\t  y = 2", PY),
        ("PYTHON", "# -*- coding: latin-1 -*-\né = 'é'\x0c", PY),
        ("PYTHON", "\u{feff}# a byte order mark", PY),
        ("PYTHON", &strings, PY),
        ("NODEJS", "var await = 1, yield = 2, let = 3, async = 4, of = 5; var x = 010;", JS),
        ("NODEJS", "with ({}) {} <!-- a comment\n--> another", JS),
        ("NODEJS", "#!/usr/bin/env node", JS),
        ("NODEJS", "\u{feff}#!/usr/bin/env node", JS),
        ("NODEJS", "if (0) return; a: b: for (;;) { break a }", JS),
        ("NODEJS", "var v\\u0061r1 = `${`${1}`}`; label: function l() {}", JS),
        (
            "NODEJS",
            "class A { static #a = 1; static { A.#a; } static has(o) { return #a in o } 'x'; get; set; async; *g() {} }",
            JS,
        ),
        ("NODEJS", &deep, JS),
        ("NODEJS", &long, JS),
        (
            "NODEJS",
            "export { x as 'a b' }; const x = 1; await x;",
            "\nexport const handler = (event) => event;",
        ),
        (
            "NODEJS",
            "\u{feff}#!/usr/bin/env node\nimport 'node:fs';",
            "\nexport const handler = (event) => event;",
        ),
    ] {
        let ran = user.invoke(&user.function(runtime, &format!("{code}{tail}")).await, &json!(7)).await;
        assert_eq!(ran["output"], 7, "{code:.200}: {ran}");
    }
}

#[tokio::test]
async fn the_handler_may_have_another_name() {
    let user = Server::shared().user().await;
    for (runtime, code) in [
        ("PYTHON", "def lambda_handler(event, context):\n    return event"),
        ("PYTHON", "def main(event):\n    return event\ndef other(event): pass"),
        ("PYTHON", "def add(a, b): pass\ndef greet(event):\n    return event"),
        ("PYTHON", "async def greet(name):\n    return name"),
        ("NODEJS", "exports.lambda_handler = (event) => event"),
        ("NODEJS", "function main(event) { return event }"),
        ("NODEJS", "module.exports = async (event) => event"),
        ("NODEJS", "module.exports = greet; function greet(event) { return event }"),
        ("NODEJS", "const greet = (event) => event"),
        ("NODEJS", "exports.greet = (event) => event; const add = (a, b) => a + b"),
        ("NODEJS", "export default (event) => event"),
        ("NODEJS", "export default async function handler(event) { return event }"),
        ("NODEJS", "export const greet = (event) => event"),
        ("NODEJS", "import 'node:fs'; function greet(event) { return event }"),
        ("NODEJS", "import 'node:fs'; function handler(event) { return event } // no newline"),
    ] {
        let ran = user.invoke(&user.function(runtime, code).await, &json!(7)).await;
        assert_eq!(ran["output"], 7, "{code}: {ran}");
    }
    let workspace = user.workspace().await;
    for (runtime, code) in [
        ("PYTHON", "def a(x): pass\n\ndef b(x): pass"),
        ("NODEJS", "function a(x) {}\n\nfunction b(x) {}"),
        ("NODEJS", "export function a(event) {}\nexport function b(event) {}"),
    ] {
        let text = told(&save(&user, &workspace, runtime, code).await.expect(422));
        assert!(text.starts_with("line 1, column ") && text.contains("`a` and `b`"), "{text}");
    }
}

/// However many workspaces they save it in.
#[tokio::test]
async fn nobody_keeps_others_from_saving_code() {
    // A server of its own: its places to check code are taken for a while.
    let server = Server::start(&[]);
    let (greedy, other) = (server.user().await, server.user().await);
    let workspace = other.workspace().await;
    let slow = format!("x = {}{PY}", "9".repeat(1_000_000));
    let mut asked = tokio::task::JoinSet::new();
    for _ in 0..12 {
        let (greedy, workspace, slow) = (greedy.clone(), greedy.workspace().await, slow.clone());
        asked.spawn(async move { save(&greedy, &workspace, "PYTHON", &slow).await });
    }
    // Once the first is refused, all the others are there.
    let first = asked.join_next().await.unwrap().unwrap();
    assert!([422, 429].contains(&first.status), "{}", first.status);
    save(&other, &workspace, "PYTHON", PY).await.expect(200);
    while let Some(answer) = asked.join_next().await {
        assert!([422, 429].contains(&answer.unwrap().status));
    }
}

/// Every way to new code is checked, and what is refused changes nothing.
#[tokio::test]
async fn an_update_and_a_rollback_are_checked_too() {
    let user = Server::shared().user().await;
    for (runtime, other, good, bad) in [
        ("PYTHON", "NODEJS", "def greet(event):\n    return event", "def handler(event):\n    nonlocal x"),
        ("NODEJS", "PYTHON", "module.exports = (event) => event", "let a; let a; exports.handler = () => 1"),
    ] {
        let function = user.function(runtime, good).await;
        let path = format!("/functions/{function}");
        let before = user.get(&path).await.expect(200);
        told(&user.put(&path, &json!({"code": bad})).await.expect(422));
        told(&user.put(&path, &json!({"runtime": other})).await.expect(422));
        assert_eq!(user.get(&path).await.expect(200), before);
        assert_eq!(user.invoke(&function, &json!(7)).await["output"], 7);
        // The name of the handler goes with the version.
        let second = if runtime == "PYTHON" {
            "def handler(event):\n    return 2"
        } else {
            "exports.handler = () => 2"
        };
        user.put(&path, &json!({"code": second})).await.expect(200);
        assert_eq!(user.invoke(&function, &json!(7)).await["output"], 2);
        user.post(&format!("{path}/rollback"), &json!({"version": 1})).await.expect(200);
        assert_eq!(user.invoke(&function, &json!(7)).await["output"], 7);
    }
}
