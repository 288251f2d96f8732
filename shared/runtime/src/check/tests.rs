//! What is taken for a handler, and what is not.

use domain::Language::{Nodejs, Python};
use domain::function::Module::{CommonJs, Esm};
use proptest::prelude::*;

use super::*;

const PYTHON: Version = Version { language: Python, major: 3, minor: 11 };
const NODE: Version = Version { language: Nodejs, major: 20, minor: 0 };

/// The handler that is found in code that parses.
fn found(version: Version, source: &str) -> Result<(Module, Handler), CodeFault> {
    guess(source, Some(&read(version, source))).map(|checked| (checked.module, checked.handler))
}

fn named(name: &str) -> Handler {
    Handler::named(name)
}

fn local(name: &str) -> Handler {
    Handler { name: name.into(), local: true }
}

fn fault(version: Version, source: &str) -> (usize, usize, String) {
    let fault = found(version, source).unwrap_err();
    (fault.line, fault.column, fault.message)
}

#[test]
fn what_no_parser_takes_is_a_module_where_a_script_stops_at_its_import_or_export() {
    for (source, module) in [
        ("<!-- x\nexport const a = 1;", Esm),
        ("var f = () => { new.target }; export { f };", Esm),
        ("import a from 'a';\nlet b;\nlet b;", Esm),
        ("let b;\nlet b;", CommonJs),
        ("x important;", CommonJs),
        ("x exports;", CommonJs),
    ] {
        assert_eq!(found(NODE, source).map(|(module, _)| module), Ok(module), "{source}");
    }
}

#[test]
fn python_handlers() {
    let of_this_name = [
        "def handler(event): pass",
        "async def handler(event, context): return 1",
        "def handler(event, context, extra=None, *args, option=1, **kwargs): pass",
        "def handler(*args): pass",
        "def handler(event=None): pass",
        "handler = lambda event: event",
        "def main(e): pass\nhandler = main",
        "handler: object = print",
        "a, (handler, *b) = 1, (print, 2)",
        "from os.path import join as handler",
        "import json as handler",
        "from os import *",
        "try:\n    import x\nexcept ImportError:\n    def handler(event): pass",
        "if True:\n    pass\nelif 1:\n    def handler(event): pass",
        "with open('x') as f:\n    def handler(event): pass",
        "class handler:\n    def __init__(self, event): pass",
        "@wrap\ndef handler(a, b, c, d): pass",
        "(handler := print)",
        "globals()['handler'] = print",
        "def make():\n    global handler\n    handler = print\nmake()",
        "def handler(event):\r\n    return 1\r\n",
        "match 1:\n    case 1:\n        def handler(event): pass",
        "def lambda_handler(event, context): pass\ndef handler(event): pass\ndef main(event): pass",
    ];
    for source in of_this_name {
        assert_eq!(found(PYTHON, source), Ok((Module::Python, named("handler"))), "{source}");
    }
    let of_another = [
        ("x = 1\ndef lambda_handler(event, context): pass\ndef main(event): pass", "lambda_handler"),
        ("def main(anything): pass\ndef process(event): pass", "main"),
        ("def main(): pass\ndef process(event): pass\nif __name__ == '__main__':\n    main()", "process"),
        ("main = 5\ndef process(event): pass", "process"),
        ("main = make()", "main"),
        ("def Handler(event): pass", "Handler"),
        ("def greet(name): pass", "greet"),
        ("def greet(name, ctx=None): pass\ndef _help(x): pass\ndef three(a, b, c): pass", "greet"),
        ("def add(a, b): pass\ndef process(event): pass", "process"),
        ("def add(a, b): pass\nasync def process(event, context): pass", "process"),
        ("def f(event): pass\ndef f(event): pass", "f"),
        ("from math import *\ndef area(event): pass", "area"),
        ("class A:\n    def handler(self, event): pass\ndef f(event): pass", "f"),
    ];
    for (source, name) in of_another {
        assert_eq!(found(PYTHON, source), Ok((Module::Python, named(name))), "{source}");
    }
}

#[test]
fn python_faults() {
    let refused = [
        ("", 1, 1, "There is no handler"),
        ("# nothing\n", 1, 1, "There is no handler"),
        ("class A:\n    def handler(self, event): pass", 1, 1, "There is no handler"),
        ("def handler(): pass", 1, 5, "takes no parameters"),
        ("\nhandler = lambda: 1", 2, 1, "takes no parameters"),
        ("def handler(a, b, c): pass", 1, 5, "needs 3 parameters"),
        ("def handler(event, *, key): pass", 1, 5, "`key` by name"),
        ("def main(): pass", 1, 5, "takes no parameters"),
        ("\ndef a(x): pass\ndef b(x): pass", 2, 5, "`a` and `b`. Name one of them `handler`"),
        ("def a(event): pass\ndef b(event): pass\ndef c(event): pass", 1, 5, "`a`, `b` and `c`"),
    ];
    for (source, line, column, message) in refused {
        let fault = fault(PYTHON, source);
        assert_eq!((fault.0, fault.1), (line, column), "{source:?}: {fault:?}");
        assert!(fault.2.contains(message), "{source:?}: {fault:?}");
    }
}

#[test]
fn node_handlers() {
    let accepted = [
        ("exports.handler = async (event) => event", CommonJs, named("handler")),
        ("module.exports.handler = function () {}", CommonJs, named("handler")),
        ("exports['handler'] = 1", CommonJs, named("handler")),
        ("module.exports = { handler }; function handler() {}", CommonJs, named("handler")),
        ("module.exports = { async handler(event) { return event } }", CommonJs, named("handler")),
        ("module.exports = { 'handler': x => x }", CommonJs, named("handler")),
        ("module.exports = exports = { handler() {} }", CommonJs, named("handler")),
        ("const fs = require('fs');\nmodule.exports = { ...fs, x: 1 };", CommonJs, named("handler")),
        ("module.exports = new App()", CommonJs, named("handler")),
        ("module.exports = require('./app')", CommonJs, named("handler")),
        ("Object.assign(exports, { handler() {} })", CommonJs, named("handler")),
        ("const e = module.exports; e.handler = () => 1", CommonJs, named("handler")),
        ("exports[name] = () => 1", CommonJs, named("handler")),
        ("function handler(event) {}", CommonJs, named("handler")),
        ("async function handler(event, context) { await 1 }", CommonJs, named("handler")),
        ("const handler = async (event) => event", CommonJs, named("handler")),
        ("if (true) { exports.handler = () => 1 }", CommonJs, named("handler")),
        ("try { exports.handler = () => 1 } catch {}", CommonJs, named("handler")),
        ("#!/usr/bin/env node\nexports.handler = () => 1", CommonJs, named("handler")),
        ("if (0) return;\nexports.handler = () => 1", CommonJs, named("handler")),
        ("// export function\nexports.handler = () => import('x')", CommonJs, named("handler")),
        ("exports.handler = x => x; exports.main = x => x", CommonJs, named("handler")),
        ("exports.main = () => 1", CommonJs, named("main")),
        ("exports.lambda_handler = wrap(1); exports.main = () => 1", CommonJs, named("lambda_handler")),
        ("function main(event) {}", CommonJs, named("main")),
        ("module.exports = async (event) => event", CommonJs, named("default")),
        ("module.exports = run; function run(a, b, c, d) {}", CommonJs, named("default")),
        ("module.exports = async (event) => event; module.exports.main = x => x", CommonJs, named("main")),
        ("function add(a, b) {}\nfunction greet(event) {}", CommonJs, named("greet")),
        ("const greet = (name) => name", CommonJs, named("greet")),
        ("exports.greet = (event, context) => help(event); function help(x) {}", CommonJs, named("greet")),
        ("module.exports = { greet }; function greet(event) {}", CommonJs, named("greet")),
        ("module.exports = { greet(event) {}, version: 1 }", CommonJs, named("greet")),
        ("const Handler = 1; const f = function (event, context, callback) {}", CommonJs, named("f")),
        ("export function handler(event) {}", Esm, named("handler")),
        ("export const handler = async (event) => event", Esm, named("handler")),
        ("export let a = 1, handler = x => x", Esm, named("handler")),
        ("import fs from 'fs';\nasync function run() {}\nexport { run as handler }", Esm, named("handler")),
        ("export { handler } from './app.mjs'", Esm, named("handler")),
        ("export * from './app.mjs'", Esm, named("handler")),
        ("export default { async handler(event) {} }", Esm, named("handler")),
        ("console.log(import.meta.url); export class handler {}", Esm, named("handler")),
        ("import fs from 'fs'\nfunction handler() {}", Esm, local("handler")),
        ("export default async function handler(event) {}", Esm, local("handler")),
        ("export default async function (event) {}", Esm, named("default")),
        ("export default (event) => event", Esm, named("default")),
        ("const f = (event) => event; export default f", Esm, named("default")),
        ("export async function main() {}", Esm, named("main")),
        ("export const main = wrap(1)", Esm, named("main")),
        ("export function greet(event) {}\nfunction add(a, b) {}", Esm, named("greet")),
        ("import 'fs'\nconst greet = (event) => event", Esm, local("greet")),
    ];
    for (source, module, handler) in accepted {
        assert_eq!(found(NODE, source), Ok((module, handler)), "{source}");
    }
}

#[test]
fn node_faults() {
    let refused = [
        ("", 1, 1, "There is no handler"),
        ("console.log(1)", 1, 1, "There is no handler"),
        ("function outer() { function handler() {} }", 1, 1, "There is no handler"),
        ("const Handler = 1", 1, 1, "There is no handler"),
        ("export default class {}", 1, 1, "There is no handler"),
        ("module.exports = { a(x) {},\n b(x) {} }", 1, 20, "`a` and `b`. Name one of them `handler`"),
        ("export function a(event) {}\nexport const b = (event) => 1", 1, 17, "`a` and `b`"),
    ];
    for (source, line, column, message) in refused {
        let fault = fault(NODE, source);
        assert!(fault.2.contains(message), "{source:?}: {fault:?}");
        assert_eq!((fault.0, fault.1), (line, column), "{source:?}: {fault:?}");
    }
}

#[test]
fn newer_syntax_is_told_as_such() {
    let source = "type X = int\ndef handler(event): pass";
    let refusal = Refusal { message: "SyntaxError: invalid syntax".into(), line: Some(1), column: Some(6) };
    let compiled = Compiled { module: Module::Python, fault: Some(refusal.clone()) };
    let told = judge(source, PYTHON, compiled.clone(), Some(&read(PYTHON, source))).unwrap_err();
    assert!(
        told.message.contains("added in Python 3.12")
            && told.message.ends_with("; this server runs Python 3.11")
    );
    assert_eq!((told.line, told.column), (1, 1));
    // Not where the code is wrong in any version.
    let source = "type X = int\ndef handler(event) pass";
    let told = judge(source, PYTHON, compiled, Some(&read(PYTHON, source))).unwrap_err();
    assert_eq!((told.line, told.column, told.message), (1, 6, refusal.message));

    let source = "exports.handler = () => { using a = b }";
    let refusal =
        Refusal { message: "SyntaxError: Unexpected identifier 'a'".into(), line: Some(1), column: Some(33) };
    let compiled = Compiled { module: CommonJs, fault: Some(refusal) };
    let told = judge(source, NODE, compiled, Some(&read(NODE, source))).unwrap_err();
    assert!(
        told.message.ends_with("Node.js 20, which this server runs, does not know this syntax"),
        "{told}"
    );
}

/// What a checker sends has been in touch with hostile code.
#[test]
fn no_answer_of_an_interpreter_is_trusted() {
    let source = "def handler(event): pass";
    let readings = read(PYTHON, source);
    for (line, column) in [(None, None), (Some(0), Some(0)), (Some(usize::MAX), Some(7)), (Some(1), Some(0))]
    {
        let refusal = Refusal { message: "\u{1b}x\n".repeat(1000), line, column };
        let compiled = Compiled { module: Module::Python, fault: Some(refusal) };
        let told = judge(source, PYTHON, compiled, Some(&readings)).unwrap_err();
        assert!((1, 1) == (told.line, told.column) && told.message.len() <= MESSAGE, "{told:?}");
        assert!(!told.message.contains(char::is_control));
    }
    // Nor is one that takes a source for what it can't be.
    let compiled = Compiled { module: Esm, fault: None };
    assert!(judge(source, PYTHON, compiled, Some(&readings)).is_err());
}

fn pieces() -> impl Strategy<Value = String> {
    let words = "( ) [ ] { } ` ${ ' \" / // /* */ \\ , ; : => = . ... ? a handler exports module.exports if else for \
                 while do function class async await yield lambda def return match case - ++ <!-- --> # @ * export \
                 import default \u{feff} \0 한 f' !";
    let words: Vec<_> = words.split(' ').chain(["\n", "\r\n", "\t", " ", "\u{2028}"]).collect();
    let piece = prop_oneof![".{0,4}", prop::sample::select(words).prop_map(str::to_owned)];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_text_is_taken_or_refused(source in pieces()) {
        for version in [PYTHON, NODE] {
            if let Err(fault) = found(version, &source) {
                prop_assert!(fault.line <= source.lines().count() + 1 && fault.column >= 1);
            }
        }
    }
}
