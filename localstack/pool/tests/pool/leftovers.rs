//! What a run leaves behind, and what comes of it in a later one.

use std::time::{Duration, Instant};

use domain::Level;
use domain::job::Outcome;
use sandbox::SandboxChoice;

use crate::kit::{BOTH, Kit, Saved};

/// What comes of the first run of a function, which leaves something, and of the next.
async fn twice(kit: &Kit, function: &Saved) -> (Outcome, Outcome) {
    (kit.run(function, "1").await, kit.run(function, "2").await)
}

fn is_told(next: &Outcome, says: &str) {
    let lines = next.logs.lines();
    let Some(first) = lines.first() else { panic!("{says}: nothing is told") };
    assert!(
        first.text.starts_with("Left over from an earlier run (job ") && first.text.contains(says),
        "{says}: {}",
        first.text
    );
    assert!(lines.iter().all(|line| line.level == Level::Error), "{lines:?}");
    let text = next.logs.text();
    assert!(!text.contains("shim") && !text.contains("/function"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_node_run_left_behind_fails_no_other() {
    for sandbox in BOTH {
        let kit = Kit::new(sandbox).await;
        for (leaves, says) in [
            ("setTimeout(() => { over(); throw new Error('late') }, 50)", "Uncaught exception: Error: late"),
            ("setTimeout(() => { over(); throw 'late' }, 50).unref()", "Thrown: 'late'"),
            (
                "let n = 0; const t = setInterval(() => { if (++n > 2) { over(); clearInterval(t) } throw new Error('late') }, 50)",
                "Error: late",
            ),
            (
                "setTimeout(() => { over(); Promise.reject(new Error('late')) }, 50)",
                "Unhandled promise rejection: Error: late",
            ),
            (
                "(async () => { await new Promise((r) => setTimeout(r, 50)); over(); throw new Error('late') })()",
                "Unhandled promise rejection: Error: late",
            ),
            (
                "setTimeout(() => { over(); new (require('events'))().emit('error', new Error('late')) }, 50)",
                "Uncaught exception: Error: late",
            ),
            (
                "setTimeout(() => require('fs').readFile('/nowhere', (error) => { over(); throw error }), 50)",
                "ENOENT",
            ),
            ("setTimeout(() => require('fs').promises.readFile('/nowhere').finally(over), 50)", "ENOENT"),
            (
                "require('zlib').deflate(Buffer.alloc(1 << 24), () => { over(); throw new Error('late') })",
                "Error: late",
            ),
            (
                "require('crypto').pbkdf2('a', 'b', 100_000, 9, 'sha1', () => { over(); throw new Error('late') })",
                "Error: late",
            ),
            ("setTimeout(() => { over(); process.exit(3) }, 50)", "process.exit() was called"),
        ] {
            let function = kit
                .node(&format!(
                    "let over; const ended = new Promise((r) => {{ over = r }}); \
                     exports.handler = async (e) => {{ if (e === 1) {{ {leaves}; return 'first' }} \
                     const t = setInterval(() => {{}}, 10); await ended; await new Promise((r) => setTimeout(r, 1)); clearInterval(t); return 'next' }}"
                ))
                .await;
            let (first, next) = twice(&kit, &function).await;
            assert_eq!(
                (first.result.as_deref(), next.result.as_deref()),
                (Ok("\"first\""), Ok("\"next\"")),
                "{leaves}"
            );
            assert!(first.logs.is_empty() && !next.cold_start, "{leaves}");
            is_told(&next, says);
            // A process in which that happened runs nothing more.
            let after = kit.run(&function, "1").await;
            assert!(after.cold_start && after.logs.is_empty() && after.result.is_ok(), "{leaves}: {after:?}");
        }
        // A callback that comes too late.
        let late = kit
            .node(
                "let over; const ended = new Promise((r) => { over = r }); \
                 exports.handler = (e, c, callback) => { if (e !== 1) return ended.then(() => 'next'); \
                 c.callbackWaitsForEmptyEventLoop = false; setTimeout(() => { callback(new Error('late')); over() }, 50); callback(null, 'first') }",
            )
            .await;
        let (first, next) = twice(&kit, &late).await;
        assert_eq!((first.result.as_deref(), next.result.as_deref()), (Ok("\"first\""), Ok("\"next\"")));
        is_told(&next, "The callback was called with an error: Error: late");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_node_run_does_itself_fails_it_beside_what_was_left() {
    let kit = Kit::new(SandboxChoice::Auto).await;
    for does in [
        "setTimeout(() => { throw new Error('own') }, 5); await new Promise(() => {})",
        "Promise.reject(new Error('own'))",
        "setTimeout(() => Promise.reject(new Error('own')), 5); await new Promise((r) => setTimeout(r, 60_000))",
        "throw new Error('own')",
        "new (require('events'))().emit('error', new Error('own'))",
    ] {
        let function = kit
            .node(&format!("exports.handler = async (e) => {{ if (e === 1) return setTimeout(() => {{}}, 60_000) && 'first'; {does} }}"))
            .await;
        let (first, next) = twice(&kit, &function).await;
        assert_eq!(first.result.as_deref(), Ok("\"first\""));
        let error = next.result.unwrap_err();
        assert!(error.contains("Error: own") && next.logs.is_empty(), "{does}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_python_run_left_behind_fails_no_other() {
    for sandbox in BOTH {
        let kit = Kit::new(sandbox).await;
        for (leaves, says) in [
            ("threading.Thread(target=late).start()", "the thread Thread-1"),
            ("threading.Timer(0, late).start()", "the thread Thread-1"),
            (
                "threading.Thread(target=late, name='mine', daemon=True).start()",
                "the thread mine failed: ValueError: late",
            ),
            (
                "asyncio.get_running_loop().call_later(0.2, late)",
                "Exception in callback late() at main.py:4: ValueError: late",
            ),
        ] {
            let function = kit
                .python(&format!(
                    "import asyncio, threading\nnext_runs = threading.Event()\nover = False\ndef late():\n    global over\n    next_runs.wait()\n    \
                     over = True\n    raise ValueError('late')\n\
                     async def handler(e):\n    if e == 1:\n        {leaves}\n        return 'first'\n    next_runs.set()\n    \
                     while not over or threading.active_count() > 1:\n        await asyncio.sleep(0.001)\n    return 'next'\n"
                ))
                .await;
            let (first, next) = twice(&kit, &function).await;
            assert_eq!(
                (first.result.as_deref(), next.result.as_deref()),
                (Ok("\"first\""), Ok("\"next\"")),
                "{leaves}"
            );
            assert!(first.logs.is_empty() && !next.cold_start, "{leaves}");
            is_told(&next, says);
            assert!(next.logs.text().contains("ValueError: late"), "{leaves}");
        }
        // An alarm is its own run's.
        let alarm = kit
            .python(
                "import signal, time\ndef handler(e):\n    if e == 1:\n        signal.setitimer(signal.ITIMER_REAL, 0.02)\n        return 'first'\n    \
                 time.sleep(0.1)\n    return 'next'\n",
            )
            .await;
        let (first, next) = twice(&kit, &alarm).await;
        assert_eq!((first.result.as_deref(), next.result.as_deref()), (Ok("\"first\""), Ok("\"next\"")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_that_failed_while_nothing_ran_is_told_by_the_next_run() {
    let kit = Kit::new(SandboxChoice::Auto).await;
    let function = kit
        .python(
            "import threading, time\ndef late():\n    time.sleep(0.1)\n    raise ValueError('late')\n\
             def handler(e):\n    if e == 1:\n        threading.Thread(target=late).start()\n    return threading.active_count()\n",
        )
        .await;
    assert_eq!(kit.ok(&function, "1").await, "2");
    // Each run is so short that it fails while none is under way.
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut next = kit.run(&function, "2").await;
    while next.logs.is_empty() && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(50)).await;
        next = kit.run(&function, "2").await;
    }
    is_told(&next, "the thread Thread-1");
}
