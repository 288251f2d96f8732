//! Code is compiled before it is saved, by the interpreter that will run it, and never run.

use std::time::Duration;

use domain::function::{Checked, CodeFault};
use domain::{Language, UserId, limits};
use ports::{Draft, Runtime, RuntimeError};

use super::kit::{BOTH, Kit};

pub(super) const HANDLER_PY: &str = "\ndef handler(event):\n    return 1\n";
pub(super) const HANDLER_JS: &str = "\nvar handler = (event) => 1;\n";

fn draft(language: Language, code: &str) -> Draft<'_> {
    Draft { user_id: UserId(1), language, code, waits: true }
}

pub(super) async fn check(kit: &Kit, language: Language, code: &str) -> Result<Checked, CodeFault> {
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
