//! What a worker uses, as the kernel tells it.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use sandbox::FILES;

use super::folder;

/// A worker's use of the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    /// Bytes of memory that are its own: not files, but also what is swapped out.
    pub(super) memory: u64,
    /// How many of those are of memory that processes share.
    pub(super) shared: u64,
    /// Threads of all its processes.
    pub(super) threads: u64,
    /// Whether it is more than one process.
    pub(super) has_children: bool,
}

/// Of the process and all its descendants; `None` where the system has no `/proc` or the process is gone.
pub(super) fn usage(pid: u32, with_children: bool) -> Option<Usage> {
    let mut usage = of_process(pid)?;
    if with_children {
        let mut found = children(pid);
        // A process that is started while this looks may be seen the next time.
        while let Some(pid) = found.pop() {
            if let Some(more) = of_process(pid) {
                usage.memory += more.memory;
                usage.shared += more.shared;
                usage.threads += more.threads;
                usage.has_children = true;
                found.extend(children(pid));
            }
            if usage.threads > 4 * sandbox::PROCESSES {
                break;
            }
        }
    }
    Some(usage)
}

/// Where the kernel tells of a process: as a whole, and then of each thread. A process whose first thread has ended lives
/// on in the others, but the kernel no longer tells of its memory and files as a whole.
fn threads(pid: u32) -> impl Iterator<Item = PathBuf> {
    let whole = PathBuf::from(format!("/proc/{pid}"));
    // Listed only if the first will not do.
    let each = std::iter::once(whole.join("task"))
        .flat_map(|tasks| std::fs::read_dir(tasks).into_iter().flatten().flatten())
        .map(|thread| thread.path());
    std::iter::once(whole).chain(each)
}

fn of_process(pid: u32) -> Option<Usage> {
    let mut told = threads(pid).map_while(|thread| std::fs::read_to_string(thread.join("status")).ok());
    let first = told.next()?;
    let status = std::iter::once(first.clone()).chain(told).find(|text| text.contains("RssAnon:"));
    // It has ended, or is about to.
    let status = status.unwrap_or(first);
    let mut usage = Usage::default();
    for line in status.lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        let number = || value.trim().split(' ').next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
        match name {
            "RssAnon" | "VmSwap" => usage.memory += number() * 1024,
            "RssShmem" => {
                usage.memory += number() * 1024;
                usage.shared += number() * 1024;
            }
            "Threads" => usage.threads = number(),
            _ => {}
        }
    }
    Some(usage)
}

/// The processes that a process has started and that are still there.
pub(super) fn children(pid: u32) -> Vec<u32> {
    let mut found = Vec::new();
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return found };
    for thread in threads.flatten() {
        if let Ok(text) = std::fs::read_to_string(thread.path().join("children")) {
            found.extend(text.split_ascii_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
        }
    }
    found
}

/// The processes below a process.
pub(super) fn descendants(pid: u32) -> Vec<u32> {
    let mut found = children(pid);
    let mut next = 0;
    while let Some(&pid) = found.get(next) {
        found.extend(children(pid));
        next += 1;
    }
    found
}

/// Bytes of address space that a process can write to: what `RLIMIT_DATA` counts.
pub(super) fn data(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmData:"))?;
    Some(line.trim().split(' ').next()?.parse::<u64>().ok()? * 1024)
}

/// Clock ticks that a process has spent on a processor.
pub(super) fn ticks(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

/// Where a worker writes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Disk<'a> {
    /// A file system of its own, of a size of its own; this process sees it.
    Own(u32),
    /// A folder among others.
    Folder(&'a Path),
}

/// Whether a worker has filled its share: so many bytes or files that nothing but malice or mistake explains it.
pub(super) fn is_overfull(disk: Disk<'_>) -> bool {
    match disk {
        // The file systems bound the bytes; files without any are not among those, and cost the kernel memory.
        #[cfg(target_os = "linux")]
        Disk::Own(pid) => ["tmp", "dev/shm", "code"]
            .iter()
            .filter_map(|folder| file_system(pid, folder))
            .any(|fs| fs.f_files.saturating_sub(fs.f_ffree) > FILES),
        #[cfg(not(target_os = "linux"))]
        Disk::Own(_) => false,
        Disk::Folder(path) => folder::is_overfull(path),
    }
}

/// A file system that a worker has to itself, by the name of its folder inside.
#[cfg(target_os = "linux")]
fn file_system(pid: u32, folder: &str) -> Option<rustix::fs::StatVfs> {
    threads(pid).find_map(|thread| rustix::fs::statvfs(thread.join("root").join(folder)).ok())
}

/// Bytes of the files in a worker's `/dev/shm`, which are memory of its own whether or not a process has them mapped.
pub(super) fn shared_files(disk: Disk<'_>) -> u64 {
    match disk {
        #[cfg(target_os = "linux")]
        Disk::Own(pid) => file_system(pid, "dev/shm")
            .map_or(0, |fs| fs.f_blocks.saturating_sub(fs.f_bfree).saturating_mul(fs.f_frsize)),
        #[cfg(not(target_os = "linux"))]
        Disk::Own(_) => 0,
        Disk::Folder(_) => 0,
    }
}

/// How often the kernel has killed a process of this machine for memory: as of late, and a little before.
#[derive(Debug, Default)]
pub(super) struct Shortages(Mutex<[Option<u64>; 2]>);

impl Shortages {
    /// Takes note. To be called every now and then.
    pub(super) fn note(&self) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *noted = [killed_for_memory(), noted[0]];
    }

    /// Whether there was one of late.
    pub(super) fn is_recent(&self) -> bool {
        let noted = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = noted[1].or(noted[0]);
        killed_for_memory().zip(before).is_some_and(|(now, before)| now > before)
    }
}

fn killed_for_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/vmstat").ok()?;
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}
