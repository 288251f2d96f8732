//! Runs that go on until a test ends them. No time is long enough for a test that needs several at once, or one that
//! ends at a certain moment, on a machine that is busy.

use std::collections::BTreeMap;
use std::fs;

use rustix::process::{Pid, Signal, kill_process};

/// What a Python handler calls to wait until it is [told](end) to go on.
pub(crate) const WAIT_PY: &str = "\
import signal, time
def wait():
    told = []
    signal.signal(signal.SIGUSR2, lambda *_: told.append(1))
    while not told: time.sleep(0.01)
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
";

/// The processes below this one in which a handler waits: those that catch the signal.
pub(crate) fn waiting(server: u32) -> Vec<Pid> {
    let status = |entry: fs::DirEntry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        // It may have ended meanwhile.
        let status = fs::read_to_string(entry.path().join("status")).ok()?;
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let caught = u64::from_str_radix(field("SigCgt:")?, 16).ok()?;
        Some((pid, (field("PPid:")?.parse().ok()?, caught)))
    };
    let processes: BTreeMap<u32, (u32, u64)> =
        fs::read_dir("/proc").unwrap().flatten().filter_map(status).collect();
    let is_below = |&pid: &u32| {
        let mut above = std::iter::successors(Some(pid), |pid| Some(processes.get(pid)?.0)).skip(1);
        above.any(|pid| pid == server)
    };
    let catches = |caught: u64| caught & 1 << (Signal::USR2.as_raw() - 1) != 0;
    let waiting = processes.iter().filter(|&(_, &(_, caught))| catches(caught)).map(|(&pid, _)| pid);
    waiting.filter(is_below).map(|pid| Pid::from_raw(pid.cast_signed()).unwrap()).collect()
}

/// Lets the handlers that wait go on. How many there were.
pub(crate) fn end(server: u32) -> usize {
    let waiting = waiting(server);
    for &pid in &waiting {
        // It may have ended meanwhile.
        let _ = kill_process(pid, Signal::USR2);
    }
    waiting.len()
}
