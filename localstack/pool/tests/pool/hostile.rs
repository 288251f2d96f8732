//! Code that does its worst. Each fails its own run with an error that a person understands, and the next invocation of
//! this and of every other function works.

use std::time::{Duration, Instant};

use domain::Language;
use domain::function::Module;
use sandbox::{SandboxChoice, SandboxKind};

use crate::kit::{BOTH, Kit, Saved, until};

/// Runs the source, which must fail saying all of `expected`, and then a neighbour and the function itself again, which
/// behaves if its event is `0`.
async fn fails(
    kit: &Kit,
    module: Module,
    source: &str,
    adjust: fn(Saved) -> Saved,
    expected: &[&str],
) -> domain::Logs {
    let source = match module {
        Module::Python => format!(
            "import os, sys, time\ndef handler(event):\n    if event == 0: return 'fine'\n    {source}\n"
        ),
        _ => format!("exports.handler = async (event) => {{ if (event === 0) return 'fine';\n{source}\n}}"),
    };
    let neighbour = kit.python("def handler(event):\n    return 'well'").await;
    assert_eq!(kit.ok(&neighbour, "0").await, r#""well""#);
    let function = adjust(kit.save(module, &source).await);
    let before = Instant::now();
    let outcome = kit.run(&function, "1").await;
    let error = outcome.result.expect_err(&source);
    for part in expected {
        assert!(error.contains(part), "{source}\n---\n{error}");
    }
    let most = Duration::from_secs(u64::from(function.settings.timeout_seconds) + 10);
    assert!(before.elapsed() < most, "{source} took {:?}", before.elapsed());
    assert_eq!(kit.ok(&neighbour, "0").await, r#""well""#, "after {source}");
    assert_eq!(kit.ok(&function, "0").await, r#""fine""#, "{source}");
    outcome.logs
}

fn same(function: Saved) -> Saved {
    function
}

fn short(function: Saved) -> Saved {
    function.timeout(1)
}

const TIMEOUT: &[&str] = &["Task timed out after 1 seconds"];

#[tokio::test(flavor = "multi_thread")]
async fn endless_code_is_stopped_at_its_timeout_and_its_logs_are_kept() {
    for sandbox in BOTH {
        let kit = Kit::new(sandbox).await;
        for (module, source) in [
            (Module::Python, "print('begun')\n    while True: pass"),
            (Module::Python, "print('begun')\n    time.sleep(1000)"),
            (
                Module::Python,
                "print('begun')\n    import signal\n    [signal.signal(s, signal.SIG_IGN) for s in range(1, 32) if s not in (9, 19)]\n    time.sleep(1000)",
            ),
            (
                Module::Python,
                "print('begun')\n    import asyncio\n    async def f(): await asyncio.Future()\n    asyncio.run(f())",
            ),
            (Module::CommonJs, "console.log('begun'); for (;;);"),
            (Module::CommonJs, "console.log('begun'); await new Promise((r) => setTimeout(r, 1e6))"),
            (Module::CommonJs, "console.log('begun'); await new Promise(() => setInterval(() => {}, 10))"),
        ] {
            let logs = fails(&kit, module, source, short, TIMEOUT).await;
            assert_eq!(logs.text(), "begun\n", "{source}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_ends_or_crashes_says_how() {
    for sandbox in BOTH {
        let kit = Kit::new(sandbox).await;
        for (module, source, expected) in [
            (
                Module::Python,
                "os.write(1, b'bye')\n    os._exit(0)",
                "The process ended (exit code 0) before the handler returned",
            ),
            (Module::Python, "os.write(1, b'bye')\n    os._exit(7)", "exit code 7"),
            (Module::Python, "print('bye')\n    import ctypes\n    ctypes.string_at(0)", "SIGSEGV"),
            (Module::Python, "print('bye')\n    os.abort()", "SIGABRT"),
            (Module::Python, "print('bye')\n    os.kill(os.getpid(), 9)", "SIGKILL"),
            // Seen at once, or at the timeout: bubblewrap's own processes hold the other copies of it.
            (Module::Python, "print('bye')\n    os.close(3)\n    time.sleep(100)", ""),
            (Module::Python, "print('bye')\n    os.write(3, b'garbage' * 10)", "file descriptor 3"),
            (
                Module::Python,
                "print('bye')\n    os.write(3, b'\\xff\\xff\\xff\\xff\\x11')\n    time.sleep(100)",
                "file descriptor 3",
            ),
            (
                Module::Python,
                "print('bye')\n    os.write(3, (19).to_bytes(4, 'little') + b'\\x11' + bytes(17) + b'5')\n    time.sleep(100)",
                "file descriptor 3",
            ),
            (Module::CommonJs, "console.log('bye'); process.exit(0)", "exit code 0"),
            (Module::CommonJs, "console.log('bye'); process.abort()", "SIGABRT"),
            (Module::CommonJs, "console.log('bye'); process.kill(process.pid, 'SIGKILL')", "SIGKILL"),
            (Module::CommonJs, "console.log('bye'); require('fs').closeSync(3); for (;;);", ""),
        ] {
            let logs = fails(&kit, module, source, |function| function.timeout(5), &[expected]).await;
            assert!(logs.text().starts_with("bye"), "{source}: {}", logs.text());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_beyond_the_limit_ends_the_run() {
    for sandbox in BOTH {
        let kit = Kit::new(sandbox).await;
        for (module, source) in [
            (Module::Python, "x = bytearray(4 << 30)"),
            (Module::Python, "x = b'x' * (4 << 30)"),
            (Module::Python, "x = []\n    while True: x.append(bytearray(1 << 20))"),
            (Module::Python, "x = []\n    while True: x.append([0] * 1000)"),
            (
                Module::Python,
                "import mmap\n    x = mmap.mmap(-1, 4 << 30)\n    for i in range(0, 4 << 30, 4096): x[i] = 1",
            ),
            (Module::CommonJs, "const x = Buffer.alloc(4 * 2 ** 30 - 4096, 1)"),
            (Module::CommonJs, "const x = []; for (;;) x.push(Buffer.alloc(1 << 20, 1))"),
            (Module::CommonJs, "const x = []; for (;;) x.push(new Array(1000).fill({}).map(() => ({})))"),
        ] {
            fails(&kit, module, source, same, &["emory", "memory"]).await;
        }
        // Less than the limit is fine.
        let fine = kit.python("def handler(e):\n    return len(bytearray(e))").await;
        assert_eq!(kit.ok(&fine, &(200 << 20).to_string()).await, (200 << 20).to_string());
        let large = kit.python("def handler(e):\n    return len(bytearray(e))").await.memory(2048);
        assert_eq!(kit.ok(&large, &(1500 << 20).to_string()).await, (1500 << 20).to_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_never_idle_does_not_keep_a_process_that_it_hid() {
    const SOURCE: &str = "
import sys, time
runs = 0
def handler(hide):
    global runs
    runs += 1
    if hide:
        import ctypes
        if ctypes.CDLL(None).fork() == 0:
            time.sleep(1000)
        del sys.modules['_ctypes']
    time.sleep(0.06)
    return runs
";
    // The other sandbox lets none start.
    let sandbox = SandboxChoice::Only(SandboxKind::Bubblewrap);
    // The next run waits when one is over.
    let kit = Kit::with(sandbox, |config| config.limits.per_function = 1).await;
    let function = kit.python(SOURCE).await;
    assert_eq!(kit.ok(&function, "true").await, "1");
    let deadline = Instant::now() + Duration::from_secs(4);
    let replaced = || async {
        while kit.ok(&function, "false").await != "1" {
            assert!(Instant::now() < deadline, "the worker was used on and on");
        }
    };
    tokio::select! {
        () = replaced() => {}
        () = replaced() => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fork_and_thread_bombs_stay_in_their_worker() {
    for sandbox in BOTH {
        let kit = Kit::new(sandbox).await;
        fails(
            &kit,
            Module::Python,
            "while True:\n        try: os.fork()\n        except OSError: pass",
            short,
            &[],
        )
        .await;
        fails(
            &kit,
            Module::Python,
            "import subprocess\n    while True: subprocess.Popen([sys.executable, '-c', 'while True: pass'])",
            short,
            &[],
        )
        .await;
        fails(
            &kit,
            Module::Python,
            "import threading\n    threading.stack_size(65536)\n    while True: threading.Thread(target=time.sleep, args=(100,), daemon=True).start()",
            short,
            &[],
        )
        .await;
        fails(
            &kit,
            Module::CommonJs,
            "const { spawn } = require('child_process'); for (let i = 0; i < 1000; i++) spawn(process.execPath, ['-e', 'for(;;);']);",
            short,
            &[],
        )
        .await;
        // Four functions, their neighbours, two spares.
        until("the workers of the bombs are gone", || kit.pool.workers() <= 10).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gigabyte_of_prints_is_cut_and_neither_stalls_nor_fills_memory() {
    for sandbox in BOTH {
        let kit = Kit::new(sandbox).await;
        for function in [
            kit.python("def handler(e):\n    line = 'x' * 1023\n    for _ in range(1 << 20): print(line)\n    return 'done'").await,
            kit.python("import os\ndef handler(e):\n    line = b'x' * (1 << 20)\n    for _ in range(1 << 10): os.write(1, line)\n    return 'done'").await,
            kit.node("exports.handler = () => { const line = 'x'.repeat(65535); for (let i = 0; i < 16384; i++) console.log(line); return 'done' }").await,
        ] {
            let outcome = kit.run(&function.timeout(60), "{}").await;
            assert_eq!(outcome.result.as_deref(), Ok(r#""done""#));
            let text = outcome.logs.text();
            assert!(text.len() <= domain::limits::LOGS && text.ends_with(&format!("{}\n", domain::logs::CUT_MARK)));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_tmp_is_the_functions_own_trouble() {
    for sandbox in BOTH {
        let kit = Kit::new(sandbox).await;
        let fill = "import tempfile\n    i = 0\n    while True:\n        i += 1\n        open(os.path.join(tempfile.gettempdir(), str(i)), 'wb').write(bytes(1 << 20))";
        let error = if sandbox == BOTH[0] { "No space left on device" } else { "temporary folder" };
        fails(&kit, Module::Python, fill, |function| function.timeout(10), &[error]).await;
        let one = "import tempfile\n    f = open(os.path.join(tempfile.gettempdir(), 'one'), 'wb')\n    while True: f.write(bytes(1 << 20))";
        fails(&kit, Module::Python, one, |function| function.timeout(10), &["OSError"]).await;
        let many = "import tempfile\n    i = 0\n    while True:\n        i += 1\n        open(os.path.join(tempfile.gettempdir(), str(i)), 'wb').close()";
        fails(&kit, Module::Python, many, |function| function.timeout(10), &["temporary folder"]).await;
        let node = "const fs = require('fs'), os = require('os'); const d = Buffer.alloc(1 << 20); for (let i = 0;; i++) fs.writeFileSync(os.tmpdir() + '/' + i, d)";
        fails(&kit, Module::CommonJs, node, |function| function.timeout(10), &[]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_too_short_to_be_looked_at_fill_no_disk_either() {
    let kit = Kit::new(SandboxChoice::Only(SandboxKind::Landlock)).await;
    let source = "import os, uuid\ndef handler(e):\n    tmp = os.environ['TMPDIR']\n    open(tmp + '/' + str(uuid.uuid4()), 'wb').write(bytes(4 << 20))\n    return len(os.listdir(tmp))";
    let function = kit.python(source).await;
    let deadline = Instant::now() + Duration::from_secs(60);
    assert_eq!(kit.ok(&function, "{}").await, "1");
    loop {
        let outcome = kit.run(&function, "{}").await;
        if outcome.cold_start {
            assert_eq!(outcome.result.as_deref(), Ok("1"), "a folder of its own");
            break;
        }
        assert!(Instant::now() < deadline, "the same worker wrote {} files", outcome.result.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_forged_for_later_harm_nobody() {
    let kit = Kit::new(SandboxChoice::Auto).await;
    // Forged while nobody asked: the worker goes, the next run gets another.
    let early = kit
        .python(
            "import os, threading, time\nn = 0\ndef forge():\n    time.sleep(0.05)\n    os.write(3, (19).to_bytes(4, 'little') + b'\\x11' + bytes(17) + b'5')\n\
             def handler(e):\n    global n\n    n += 1\n    threading.Thread(target=forge, daemon=True).start()\n    return n",
        )
        .await;
    assert_eq!(kit.ok(&early, "{}").await, "1");
    tokio::time::sleep(Duration::from_millis(200)).await;
    let second = kit.run(&early, "{}").await;
    assert!(second.cold_start && second.result.as_deref() == Ok("1"));
    // A child that returns from the handler, too.
    let forked = kit.python("import os\ndef handler(e):\n    os.fork()\n    return os.getpid()").await;
    let first = kit.ok(&forked, "{}").await;
    let second = kit.run(&forked, "{}").await;
    assert!(second.result.is_ok());
    assert!(!first.is_empty());
    // The true answer with something after it.
    let chatty = kit.python("import sys\ndef handler(e):\n    f = sys._getframe(1)\n    while 'channel' not in f.f_locals: f = f.f_back\n    f.f_locals['channel'].send(17, f.f_locals['nonce'] + bytes(9), b'\"first\"')\n    return 'second'").await;
    for _ in 0..3 {
        let outcome = kit.run(&chatty, "{}").await;
        assert!(!matches!(outcome.result.as_deref(), Ok(r#""second""#)), "{:?}", outcome.result);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_handler_leaves_running_goes_with_its_worker() {
    let kit = Kit::new(SandboxChoice::Only(SandboxKind::Bubblewrap)).await;
    for (module, source) in [
        (
            Module::Python,
            "import subprocess, sys\ndef handler(e):\n    subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)'])",
        ),
        (
            Module::Python,
            "import os, time\ndef handler(e):\n    if os.fork() == 0:\n        os.setsid()\n        if os.fork() == 0: time.sleep(1000)\n        os._exit(0)",
        ),
        (
            Module::Python,
            "import os, sys\ndef handler(e):\n    os.posix_spawn(sys.executable, [sys.executable, '-c', 'import time; time.sleep(1000)'], {})",
        ),
        (
            Module::Python,
            "import ctypes, time\ndef handler(e):\n    if ctypes.CDLL(None).fork() == 0: time.sleep(1000)",
        ),
        (
            Module::CommonJs,
            "exports.handler = () => { require('child_process').spawn(process.execPath, ['-e', 'setTimeout(() => {}, 1e6)'], { detached: true, stdio: 'ignore' }).unref() }",
        ),
    ] {
        let function = kit.save(module, source).await;
        for _ in 0..2 {
            let outcome = kit.run(&function, "{}").await;
            assert_eq!(outcome.result.as_deref(), Ok("null"), "{source}");
            assert!(outcome.cold_start, "the worker was not used again: {source}");
        }
    }
    // One that computes on, though it has answered, does not do so for long.
    let busy = kit.python("import threading\ndef spin():\n    while True: pass\ndef handler(e):\n    threading.Thread(target=spin, daemon=True).start()").await;
    kit.ok(&busy, "{}").await;
    until("the restless worker is ended", || kit.pool.idle_workers() == 0).await;
    assert_eq!(Language::Python, busy.version.language);
}
