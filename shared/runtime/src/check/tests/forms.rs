//! What is taken for a handler, and what is not.

use domain::Language::{Nodejs, Python};
use domain::function::Module::{CommonJs, Esm};

use crate::check::*;

fn fault(language: Language, source: &str) -> (usize, usize, String) {
    let fault = check(language, source).unwrap_err();
    (fault.line, fault.column, fault.message)
}

#[test]
fn python_handlers() {
    let accepted = [
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
        "\u{feff}def handler(event): pass",
        "def handler(event):\r\n    return 1\r\n",
        "match 1:\n    case 1:\n        def handler(event): pass",
        "def handler(event):\n    return f\"{f'{event!r:>{10}}'}\"",
    ];
    for source in accepted {
        assert_eq!(check(Python, source), Ok(Module::Python), "{source}");
    }
}

#[test]
fn python_faults() {
    let refused = [
        ("", 1, 1, "There is no handler"),
        ("\u{feff}", 1, 1, "There is no handler"),
        ("# nothing\n", 1, 1, "There is no handler"),
        ("x = 1\ndef lambda_handler(event, context): pass", 1, 1, "Rename `lambda_handler` to `handler`"),
        ("def Handler(event): pass", 1, 1, "Rename `Handler`"),
        ("def main(event): pass", 1, 1, "Rename `main`"),
        ("class A:\n    def handler(self, event): pass", 1, 1, "There is no handler"),
        ("def handler(event)\n    return 1", 1, 19, "Syntax error"),
        ("x = 1\n\n  y = 2\n", 3, 1, "Syntax error"),
        ("def handler(event):\n    한글 = = 1\n", 2, 10, "Syntax error"),
        ("def handler(event):\r\n    return (1\r\n", 3, 1, "Syntax error"),
        ("def handler(event): print 'x'", 1, 27, "Syntax error"),
        ("def handler(event): pass\nreturn 1", 2, 1, "Syntax error"),
        ("def handler(event):\n    await event", 2, 5, "Syntax error"),
        ("def handler(event): break", 1, 21, "Syntax error"),
        ("def handler(event, event): pass", 1, 20, "Syntax error"),
        ("x = yield\ndef handler(event): pass", 1, 5, "Syntax error"),
        ("def handler(event): pass\nfrom __future__ import annotations", 2, 1, "Syntax error"),
        ("class A:\n    return 1", 2, 5, "Syntax error"),
        ("async def handler(event):\n    yield 1\n    return 2", 3, 5, "Syntax error"),
        ("def handler(): pass", 1, 5, "takes no parameters"),
        ("\nhandler = lambda: 1", 2, 1, "takes no parameters"),
        ("def handler(a, b, c): pass", 1, 5, "needs 3 parameters"),
        ("def handler(event, *, key): pass", 1, 5, "`key` by name"),
        ("def handler(event): pass\0", 1, 25, "null characters"),
        ("def handler(e):\n\treturn t'{e}'", 2, 9, "Syntax error"),
        ("exports.handler = () => 1", 1, 23, "Syntax error"),
    ];
    for (source, line, column, message) in refused {
        let fault = fault(Python, source);
        assert_eq!((fault.0, fault.1), (line, column), "{source:?}: {fault:?}");
        assert!(fault.2.contains(message), "{source:?}: {fault:?}");
    }
}

#[test]
fn node_handlers() {
    let accepted = [
        ("exports.handler = async (event) => event", CommonJs),
        ("module.exports.handler = function () {}", CommonJs),
        ("exports['handler'] = 1", CommonJs),
        ("module.exports = { handler }; function handler() {}", CommonJs),
        ("module.exports = { async handler(event) { return event } }", CommonJs),
        ("module.exports = { 'handler': x => x }", CommonJs),
        ("module.exports = exports = { handler() {} }", CommonJs),
        ("'use strict';\nconst fs = require('fs');\nmodule.exports = { ...fs, x: 1 };", CommonJs),
        ("module.exports = new App()", CommonJs),
        ("module.exports = require('./app')", CommonJs),
        ("Object.assign(exports, { handler() {} })", CommonJs),
        ("const e = module.exports; e.handler = () => 1", CommonJs),
        ("exports[name] = () => 1", CommonJs),
        ("function handler(event) {}", CommonJs),
        ("async function handler(event, context) { await 1 }", CommonJs),
        ("const handler = async (event) => event", CommonJs),
        ("if (true) { exports.handler = () => 1 }", CommonJs),
        ("try { exports.handler = () => 1 } catch {}", CommonJs),
        ("#!/usr/bin/env node\nexports.handler = () => 1", CommonJs),
        ("\u{feff}exports.handler = () => 1", CommonJs),
        ("if (0) return;\nexports.handler = () => 1", CommonJs),
        ("var await_ = 010;\r\nexports.handler = () => 1", CommonJs),
        ("exports.handler = (e) => e.a?.b ?? /[/(]/.test(e) / 2", CommonJs),
        ("// export function\nexports.handler = () => import('x')", CommonJs),
        ("export function handler(event) {}", Esm),
        ("export const handler = async (event) => event", Esm),
        ("export let a = 1, handler = x => x", Esm),
        ("import fs from 'fs';\nasync function run() {}\nexport { run as handler }", Esm),
        ("export { handler } from './app.mjs'", Esm),
        ("export * from './app.mjs'", Esm),
        ("export default { handler() {} }", Esm),
        ("const data = await fetch('x');\nexport const handler = () => data", Esm),
        ("import fs from 'fs'\nconst app = {}\nexport default app", Esm),
        ("console.log(import.meta.url); export class handler {}", Esm),
    ];
    for (source, module) in accepted {
        assert_eq!(check(Nodejs, source), Ok(module), "{source}");
    }
}

#[test]
fn node_faults() {
    let refused = [
        ("", 1, 1, "There is no handler"),
        ("\u{feff}", 1, 1, "There is no handler"),
        ("console.log(1)", 1, 1, "There is no handler"),
        ("exports.main = 1; function main() {}", 1, 1, "Rename `main`"),
        ("const Handler = 1", 1, 1, "exports.handler = Handler"),
        ("module.exports = async (event) => event", 1, 1, "module.exports is a function itself"),
        ("function outer() { function handler() {} }", 1, 1, "There is no handler"),
        ("import fs from 'fs'\nfunction handler() {}", 1, 1, "`handler` is not exported"),
        ("export default async function handler(event) {}", 1, 1, "is not exported"),
        ("export default async function (event) {}", 1, 1, "only a default one"),
        ("export default (event) => event", 1, 1, "only a default one"),
        ("export async function main() {}", 1, 1, "export { main as handler }"),
        ("exports.handler = async (event) => {\n  return {\n}", 3, 2, "Syntax error"),
        ("exports.handler = () => 1;\nconst a = 1;\nconst a = 2;", 2, 7, "Syntax error"),
        ("exports.handler = (한글) => { 한글 한글 }", 1, 31, "Syntax error"),
        ("exports.handler = () => await 1", 1, 25, "Syntax error"),
        ("exports.handler = () => 'abc", 1, 25, "Syntax error"),
        ("exports.handler = () => /(/", 1, 26, "Syntax error"),
        ("export function handler() {}\nvar x = 010;", 2, 9, "Syntax error"),
        ("exports.handler = (a: string) => a", 1, 21, "Syntax error"),
        ("def handler(event): pass", 1, 4, "Syntax error"),
        ("exports.handler = () => { break }", 1, 27, "Syntax error"),
    ];
    for (source, line, column, message) in refused {
        let fault = fault(Nodejs, source);
        assert!(fault.2.contains(message), "{source:?}: {fault:?}");
        assert_eq!((fault.0, fault.1), (line, column), "{source:?}: {fault:?}");
    }
}
