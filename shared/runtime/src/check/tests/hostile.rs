//! Sources that are out to hurt, and long ones that are not.

use domain::Language::{Nodejs, Python};
use domain::function::Module::CommonJs;
use proptest::prelude::*;

use crate::check::*;

/// As much of it as a source may hold.
fn much(unit: &str) -> String {
    unit.repeat(limits::CODE / unit.len())
}

#[test]
fn hostile_python_is_refused_or_taken_and_never_crashes() {
    let nested_functions: String =
        (0..1400).map(|depth| format!("{}def f():\n", " ".repeat(depth))).collect();
    let sources = [
        much("("),
        much("["),
        much("{"),
        much("(["),
        much(")"),
        much("-"),
        much("~"),
        much("not "),
        much("lambda:"),
        much("lambda a,:"),
        much("[lambda a,:"),
        much("await "),
        much("(yield "),
        much("x if y else "),
        much("a**"),
        much("a+"),
        much("a."),
        much("a.b"),
        much("a()"),
        much("a[0]"),
        much("a if "),
        much("if a:"),
        much("if a,b:"),
        much("while a:"),
        much("class a:"),
        much("@"),
        much("*"),
        much("f'{"),
        much("f\"{f'{"),
        much("f'{a:{"),
        much("'"),
        much("\\\n"),
        much("with ("),
        much("match a:\n case ("),
        much("import a."),
        much("a="),
        much("a:=("),
        much("print("),
        much("\n"),
        much("\t\n "),
        format!("x = {}", much("a and ")),
        format!("x = {}1", much("a < ").split_off(8)),
        format!("x = {}1", much("1 + ").split_off(8)),
        format!("x{}", much(".b").split_off(8)),
        format!("x{}", much("()").split_off(8)),
        nested_functions,
    ];
    for source in sources {
        let fault = check(Python, &source).unwrap_err();
        assert!(!fault.message.contains("could not be checked"), "{source:.20}");
    }
}

#[test]
fn hostile_javascript_is_refused_or_taken_and_never_crashes() {
    let units = [
        "(",
        "[",
        "{",
        "([",
        "({a:",
        "a(",
        "a[",
        ")",
        "!",
        "-",
        "- -",
        "+-",
        "typeof ",
        "await ",
        "new ",
        "delete ",
        "void ",
        "a=>",
        "(a)=>",
        "async a=>",
        "(a=",
        "a?b:",
        "a?",
        "a=",
        "a**",
        "a+",
        "a.",
        "a.b",
        "a()",
        "a[0]",
        "a``",
        "`${",
        "``",
        "if(a)",
        "if(a);else ",
        "if(a)b,c;else ",
        "if(a){}else ",
        "if(a)b\nelse ",
        "for(;;)",
        "while(a)",
        "do ",
        "do;while(a)",
        "with(a)",
        "a:",
        "{a:",
        "class a{b(){",
        "class a extends ",
        "class a\nextends ",
        "(class a{[",
        "function a(){",
        "(function(){",
        "()=>{",
        "switch(a){case b:",
        "try{",
        "try{}catch{}",
        "label:",
        "import(",
        "yield ",
        "...",
        "[...",
        "a?.b",
        "a?.(",
        "async ",
        "async(",
        "let ",
        "export default ",
        "/",
        "/(",
        "a/(",
        ")/(",
        "}/(",
        "\n/(",
        "/*",
        "<!--(",
        "-->\n(",
        "\\",
        "\"",
        "'",
        "#",
        "@a ",
        "@(",
        "static{",
        "class{static{",
        "a\n(",
        "++",
        "a++\n(",
        "/[(]/",
        "\u{2028}",
        "\u{2028}(",
        "//\u{2028}(",
        "'\\\n",
        "a&&(b||",
    ];
    for unit in units {
        for source in [much(unit), format!("exports.handler = {unit}{}", unit.repeat(300_000 / unit.len()))] {
            if let Err(fault) = check(Nodejs, &source) {
                assert!(!fault.message.contains("could not be checked"), "{unit}");
            }
        }
    }
    assert!(check(Nodejs, &much("(")).is_err());
}

/// Everything at its limit at once, closed so that it parses: the stack has to hold what the scanners let through.
#[test]
fn what_the_scanners_let_through_fits_the_stack() {
    let weight = MAX_WEIGHT as usize - 100;
    let python = [
        format!("x = {}1{}", "(".repeat(199), ")".repeat(199)),
        format!("x = {}1{}", "[".repeat(199), "]".repeat(199)),
        format!("x = {}1", "-".repeat(weight)),
        format!("x = {}1", "not ".repeat(weight)),
        format!("x = {}1", "lambda: ".repeat(weight / 2)),
        format!("x = {}1", "a if b else ".repeat(weight / 4)),
        format!("x = {}1", "a ** ".repeat(weight / 2)),
        format!("x = {}1", "a + ".repeat(weight / 2)),
        format!("x = a{}", ".b".repeat(weight / 2)),
        format!("x = a{}", "()".repeat(weight)),
        format!("x = a{}", "[0]".repeat(weight)),
        format!("x = {}1{}", "f'{".repeat(90), "}'".repeat(90)),
    ];
    for source in python {
        let source = format!("{source}\ndef handler(event): pass\n");
        assert_eq!(check(Python, &source), Ok(Module::Python), "{source:.30}");
    }
    let javascript = [
        format!("{}1{}", "(".repeat(199), ")".repeat(199)),
        format!("{}1{}", "[".repeat(199), "]".repeat(199)),
        format!("{}1{}", "a(".repeat(199), ")".repeat(199)),
        format!("{}1{}", "(a=".repeat(199), ")".repeat(199)),
        format!("{}1{}", "a?(".repeat(99), "):b".repeat(99)),
        format!("{}1{}", "{a(){(".repeat(60), ")}}".repeat(60)).replacen('{', "({", 1) + ")",
        format!("{}1{}", "`${".repeat(99), "}`".repeat(99)),
        format!("{}1", "!".repeat(weight)),
        format!("{}1", "typeof ".repeat(weight)),
        format!("{}1", "a=>".repeat(weight / 3)),
        format!("{}1", "(a)=>".repeat(weight / 4)),
        format!("{}1", "a?b:".repeat(weight / 4)),
        format!("{}1", "a=".repeat(weight / 2)),
        format!("{}1", "a+".repeat(weight / 2)),
        format!("{}1", "a**".repeat(weight / 2)),
        format!("a{}", ".b".repeat(weight / 2)),
        format!("a{}", "()".repeat(weight)),
        format!("a{}", "``".repeat(weight)),
        format!("{}1", "new ".repeat(weight)),
        format!("{};", "if(a)".repeat(weight / 2)),
        format!("{};", "if(a);else ".repeat(weight / 5)),
        format!("{};", "for(;;)".repeat(weight / 2)),
        format!("{};", "while(a)".repeat(weight / 2)),
        format!("{};", "a0:".repeat(weight / 2)),
    ];
    for source in javascript {
        let labels: String = if source.starts_with("a0:") {
            (0..weight / 2).map(|n| format!("a{n}:")).collect::<String>() + ";"
        } else {
            source
        };
        let source = format!("exports.handler = () => 1;\n{labels}\n");
        assert_eq!(check(Nodejs, &source), Ok(CommonJs), "{source:.60}");
    }
}

/// Sources that are long, and nested no deeper than people write.
#[test]
fn long_sources_are_taken() {
    let python = "def handler(event):\n    return [1, (2, {'a': f'{event}'})]\n\n".repeat(15_000);
    assert_eq!(check(Python, &python), Ok(Module::Python));
    let table = format!("def handler(e): pass\nx = [\n{}]\n", "    ('a', 1, {'b': -2}),\n".repeat(40_000));
    assert_eq!(check(Python, &table), Ok(Module::Python));
    let units = [
        "function f() { return [1, /a\\/[/]b/g.exec(x) / 2]; }\n",
        "function f() { if (a) { b() } else { c() } }\n",
        "foo(a, b)\n  .then(x => x / 2)\nbar(`a${b}c`)\n",
        "var x = {a: 1, b: [2, 3], get c() { return 1 }, d() {}};\n",
        "x = a\nlet y = b\n",
        "if(a){b}function g(){}var z=function(){return(a+b)/2/c};",
        "class A { a = 1\n b() {} static { c } }\n",
        "switch (a) { case 1: b(); break; default: c() }\n",
        "/* } */ // `(\n'(' + \"[\";\n",
        "for (const a of b) { c++ } \n/re\\(/.test(a);\n",
    ];
    for unit in units {
        let unit = unit.replace("class A", "A = class").replace("let y", "y");
        let source = format!("exports.handler = () => 1;{}", unit.repeat(200_000 / unit.len()));
        assert_eq!(check(Nodejs, &source), Ok(CommonJs), "{unit}");
    }
    let array =
        format!("exports.handler = 1;\nvar x = [{}];", "{a: [1, -2, 'x'], \"b\": null},".repeat(30_000));
    assert_eq!(check(Nodejs, &array), Ok(CommonJs));
    let too_large = " ".repeat(limits::CODE + 1);
    assert!(check(Nodejs, &too_large).unwrap_err().message.contains("larger"));
}

fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        ".{0,4}",
        prop::sample::select(vec![
            "(",
            ")",
            "[",
            "]",
            "{",
            "}",
            "`",
            "${",
            "'",
            "\"",
            "/",
            "//",
            "/*",
            "*/",
            "\\",
            "\n",
            "\r\n",
            ",",
            ";",
            ":",
            "=>",
            "=",
            ".",
            "...",
            "?",
            "a",
            "handler",
            "exports",
            "if",
            "else",
            "for",
            "while",
            "do",
            "function ",
            "class ",
            "async ",
            "await ",
            "yield ",
            "lambda ",
            "def ",
            "  ",
            "\t",
            "f'",
            "f\"\"\"",
            "{",
            "}",
            "!",
            "-",
            "++",
            "<!--",
            "-->",
            "#",
            "@",
            "*",
            "export ",
            "import ",
            "return ",
            "match ",
            "case ",
            "\u{2028}",
            "\u{feff}",
            "\0",
            "한",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_text_is_taken_or_refused(source in pieces()) {
        for language in [Python, Nodejs] {
            if let Err(fault) = check(language, &source) {
                prop_assert!(fault.line <= source.lines().count() + 1 && fault.column >= 1);
                prop_assert!(!fault.message.contains("could not be checked"), "{language:?} {source:?}");
            }
        }
    }
}
