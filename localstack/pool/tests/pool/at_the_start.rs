//! What an interpreter has from its start: files in memory that count as its own, and the variables of its environment.

use sandbox::{SandboxChoice, SandboxKind};

use crate::kit::{BOTH, Kit};
use crate::library::BUBBLEWRAP;

#[tokio::test(flavor = "multi_thread")]
async fn files_in_memory_count_as_memory() {
    let source = "def handler(mb):\n    import time\n    f = open('/dev/shm/x', 'wb')\n    for _ in range(mb): f.write(bytes(1 << 20)); f.flush()\n    held = bytearray(100 << 20)\n    time.sleep(3)\n    return 'kept'";
    for control_groups in [false, true] {
        let kit = Kit::with(BUBBLEWRAP, |config| config.control_groups = control_groups).await;
        let function = kit.python(source).await.memory(128);
        if !control_groups {
            let error = kit.error(&function, "60").await;
            assert!(error.contains("more than 128 MB"), "{error}");
        }
        assert_eq!(kit.ok(&function, "1").await, r#""kept""#);
        // No more than there is room for.
        let error = kit.error(&function.memory(512), "70").await;
        assert!(error.contains("OSError"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn time_zones_of_the_environment_are_in_force() {
    for sandbox in BOTH {
        let kit = Kit::new(sandbox).await;
        let zone = "Asia/Tokyo";
        let python = "import time, datetime\nZONE = time.tzname[0]\ndef handler(e):\n    return [ZONE, time.localtime(0).tm_hour, datetime.datetime.fromtimestamp(0).hour, datetime.datetime.now().astimezone().utcoffset().seconds]";
        let python = kit.python(python).await.environment("TZ", zone);
        assert_eq!(kit.ok(&python, "{}").await, r#"["JST",9,9,32400]"#, "{sandbox:?}");
        let node = kit.node("const hour = new Date(0).getHours(); exports.handler = () => [hour, Intl.DateTimeFormat().resolvedOptions().timeZone]").await;
        assert_eq!(kit.ok(&node.environment("TZ", zone), "{}").await, r#"[9,"Asia/Tokyo"]"#, "{sandbox:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_that_act_at_the_start_are_in_force() {
    for sandbox in BOTH {
        let kit = Kit::new(sandbox).await;
        for (name, value, source, expected) in [
            (
                "PYTHONHASHSEED",
                "0",
                "def handler(e):\n    import sys\n    return sys.flags.hash_randomization",
                "0",
            ),
            ("PYTHONOPTIMIZE", "1", "def handler(e):\n    assert False\n    return 1", "1"),
            (
                "PYTHONPATH",
                "/code/lib",
                "import sys\ndef handler(e):\n    return '/code/lib' in sys.path",
                "true",
            ),
            (
                "PYTHONWARNINGS",
                "error",
                "import warnings\ndef handler(e):\n    try: warnings.warn('x')\n    except UserWarning: return 1",
                "1",
            ),
            (
                "LC_ALL",
                "C",
                "import locale\ndef handler(e):\n    return locale.setlocale(locale.LC_CTYPE, '')",
                r#""C""#,
            ),
        ] {
            let function = kit.python(source).await.environment(name, value);
            assert_eq!(kit.ok(&function, "{}").await, expected, "{name} {sandbox:?}");
            assert_eq!(kit.ok(&function, "{}").await, expected, "{name} again, {sandbox:?}");
        }
        for (name, value, source, expected) in [
            ("NODE_OPTIONS", "--stack-trace-limit=3", "exports.handler = () => Error.stackTraceLimit", "3"),
            (
                "NODE_OPTIONS",
                "--max-old-space-size=111",
                "exports.handler = () => require('v8').getHeapStatistics().heap_size_limit < 2 ** 28",
                "true",
            ),
            ("NODE_NO_WARNINGS", "1", "exports.handler = () => process.env.NODE_NO_WARNINGS", r#""1""#),
            ("NODE_OPTIONS", "--inspect=0", "exports.handler = () => 1", "1"),
        ] {
            let function = kit.node(source).await.environment(name, value);
            assert_eq!(kit.ok(&function, "{}").await, expected, "{name} {sandbox:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_that_keep_an_interpreter_from_starting_fail_their_own_run() {
    for sandbox in BOTH {
        let kit = Kit::new(sandbox).await;
        let well = kit.python("def handler(e):\n    return 'well'").await;
        // Without sockets there is nothing for a debugger to be waited for at.
        let waits =
            (sandbox == BUBBLEWRAP).then_some(("NODE_OPTIONS", "--inspect-brk=0", "not ready within 2 s"));
        for (name, value, expected) in waits.into_iter().chain([
            ("NODE_OPTIONS", "--require /nowhere.js", "/nowhere.js"),
            ("NODE_OPTIONS", "--no-such-option", "--no-such-option"),
            ("PYTHONHOME", "/nowhere", "encodings"),
            ("PYTHONHASHSEED", "many", "PYTHONHASHSEED"),
        ]) {
            let function = match name {
                "NODE_OPTIONS" => kit.node("exports.handler = () => 1").await,
                _ => kit.python("def handler(e):\n    return 1").await,
            };
            let error = kit.error(&function.environment(name, value).timeout(2), "{}").await;
            assert!(
                error.starts_with("The interpreter did not start with the function's environment"),
                "{error}"
            );
            assert!(error.contains(name) && error.contains(expected), "{name}={value}, {sandbox:?}: {error}");
            assert_eq!(kit.ok(&well, "{}").await, r#""well""#);
        }
        // The linker says so and goes on.
        let odd = kit.python("def handler(e):\n    return 1").await.environment("LD_PRELOAD", "/tmp/no.so");
        assert_eq!(kit.ok(&odd, "{}").await, "1");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spare_is_taken_where_the_environment_does_not_act_at_the_start() {
    let kit = Kit::new(SandboxChoice::Only(SandboxKind::Bubblewrap)).await;
    let source =
        "import os, sys\ndef handler(e):\n    return ['awaited' in sys.orig_argv, os.environ['NAME']]";
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    // The first may come before there is any.
    while kit.ok(&kit.python(source).await.environment("NAME", "x"), "{}").await != r#"[false,"x"]"# {
        assert!(std::time::Instant::now() < deadline, "no spare was ever taken");
    }
}
