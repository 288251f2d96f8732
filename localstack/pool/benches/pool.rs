//! What an invocation costs in the pool alone: `cargo bench -p pool --bench pool`. Prints numbers, asserts none.

#![allow(clippy::unwrap_used, dead_code, missing_docs)]

#[path = "../tests/pool/kit.rs"]
mod kit;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use kit::{BOTH, Kit, Saved};

fn show(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)].as_secs_f64() * 1e6;
    println!("{what:<42} p50 {:8.1} us   p90 {:8.1} us   p99 {:8.1} us", at(50), at(90), at(99));
}

/// The least that two processes need: a byte each way, between threads that block.
fn floor() {
    let (mut ours, mut theirs) = UnixStream::pair().unwrap();
    let echo = std::thread::spawn(move || {
        let mut buffer = [0; 256];
        while let Ok(read @ 1..) = theirs.read(&mut buffer) {
            theirs.write_all(&buffer[..read]).unwrap();
        }
    });
    let mut buffer = [0; 256];
    let times = (0..20_000).map(|_| {
        let began = Instant::now();
        ours.write_all(&[1; 64]).unwrap();
        let _ = ours.read(&mut buffer).unwrap();
        began.elapsed()
    });
    show("floor: socketpair between two threads", times.collect());
    drop(ours);
    echo.join().unwrap();
}

async fn warm(kit: &Kit, name: &str, function: &Saved, at_once: usize, event: &str) {
    for _ in 0..200 {
        kit.ok(function, event).await;
    }
    let began = Instant::now();
    let tasks = (0..at_once).map(|_| {
        let (pool, function, event) = (kit.pool.clone(), function.clone(), event.to_owned());
        tokio::spawn(async move {
            let mut times = Vec::new();
            for _ in 0..20_000 / at_once {
                let invocation = function.invocation(&event);
                let began = Instant::now();
                ports::Runtime::invoke(&*pool, invocation).await.unwrap().result.unwrap();
                times.push(began.elapsed());
            }
            times
        })
    });
    let mut times = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        times.extend(task.await.unwrap());
    }
    let rate = times.len() as f64 / began.elapsed().as_secs_f64();
    show(&format!("{name}, {at_once} at once ({rate:.0}/s)"), times);
}

async fn cold(kit: &Kit, name: &str, source: &str, module: domain::function::Module) {
    let mut times = Vec::new();
    for i in 0..40 {
        let function = kit
            .save(module, &format!("{source}\n{} {i}", if name.starts_with('P') { "#" } else { "//" }))
            .await;
        // Until a spare is there again.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let began = Instant::now();
        let outcome = kit.run(&function, "{}").await;
        times.push(began.elapsed());
        assert!(outcome.cold_start && outcome.result.is_ok());
        ports::Runtime::remove(&*kit.pool, function.version.function_id).await.unwrap();
    }
    show(&format!("{name}, cold, with a spare"), times);
}

fn pss(pid: &str) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.trim().split(' ').next()?.parse().ok()
}

/// Processes below this one, and their KiB in all.
fn pss_below(pid: &str) -> (usize, u64) {
    let children = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let children: Vec<String> = children
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|text| text.split_ascii_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    children.iter().fold((0, 0), |(processes, kib), child| {
        let (more, of_those) = pss_below(child);
        (processes + more + 1, kib + of_those + pss(child).unwrap_or(0))
    })
}

#[tokio::main]
async fn main() {
    floor();
    let python = "import json\ndef handler(event):\n    return {'hello': event}";
    let node = "exports.handler = async (event) => ({ hello: event })";
    for sandbox in BOTH {
        println!("--- {sandbox:?}");
        let began = Instant::now();
        let kit = Kit::new(sandbox).await;
        let started = began.elapsed();
        kit.ok(&kit.python(python).await, "1").await;
        println!("start {started:?}, first answer (Python) after {:?}", began.elapsed());
        let (p, n) = (kit.python(python).await, kit.node(node).await);
        for at_once in [1, 2, 16] {
            warm(&kit, "Python, warm", &p, at_once, r#"{"name":"world"}"#).await;
            warm(&kit, "Node, warm", &n, at_once, r#"{"name":"world"}"#).await;
        }
        let large = format!("\"{}\"", "x".repeat(100_000));
        warm(&kit, "Python, warm, 100 KB each way", &p, 1, &large).await;
        let prints = kit.python("def handler(event):\n    print('hello')\n    return 1").await;
        warm(&kit, "Python, warm, one print", &prints, 1, "{}").await;
        cold(&kit, "Python", python, domain::function::Module::Python).await;
        cold(&kit, "Node", node, domain::function::Module::CommonJs).await;
        drop(kit);
        tokio::time::sleep(Duration::from_millis(500)).await;

        for (name, module, source) in [
            ("Python", domain::function::Module::Python, python),
            ("Node", domain::function::Module::CommonJs, node),
        ] {
            let kit = Kit::with(sandbox, |config| config.spares = 0).await;
            for _ in 0..8 {
                kit.ok(&kit.save(module, source).await, "1").await;
            }
            let (processes, kib) = pss_below(&std::process::id().to_string());
            println!(
                "{name}: 8 idle workers are {processes} processes of {kib} KiB PSS in all, {} each",
                kib / 8
            );
            drop(kit);
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        println!("this process: {} KiB PSS", pss("self").unwrap());
    }
}
