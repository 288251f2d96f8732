//! Memory limits by the kernel, where this server may make control groups: as root, or where its own was delegated to
//! it (`systemd-run --user -p Delegate=yes`). They count what no process's size shows: kernel memory, pipes, sockets,
//! files in memory. Elsewhere what processes use is looked at, and that is all.

use std::io;
use std::path::{Path, PathBuf};

/// What a group may hold beyond the function's own memory: its `/tmp` and its function's files, both of which bubblewrap
/// keeps in memory, and the kernel's bookkeeping of all of it.
const BESIDES: u64 = super::DISK + super::CODE + 64 * 1024 * 1024;

/// Whose memory ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortage {
    /// What the function may use.
    Own,
    /// What the machine has, or what the server and all that it runs may use.
    Machine,
}

/// The group above the workers'.
#[derive(Debug)]
pub struct Cgroups {
    parent: PathBuf,
    /// The server's own group, where its threads can leave it one by one: control groups of version 1.
    home: Option<PathBuf>,
}

/// A worker's group; removed when dropped, by when no process may be left in it.
#[derive(Debug)]
pub struct Cgroup {
    path: PathBuf,
    home: Option<PathBuf>,
}

impl Cgroups {
    /// Makes the group above the workers', if that is allowed here.
    pub fn make() -> Option<Self> {
        let own = std::fs::read_to_string("/proc/self/cgroup").ok()?;
        let below = |root: &str, path: &str| Path::new(root).join(path.trim_start_matches('/'));
        let (own, unified) = own.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            let (controllers, path) = (parts.next()?, parts.next()?);
            if controllers.split(',').any(|name| name == "memory") {
                Some((below("/sys/fs/cgroup/memory", path), false))
            } else if controllers.is_empty() && Path::new("/sys/fs/cgroup/cgroup.controllers").is_file() {
                Some((below("/sys/fs/cgroup", path), true))
            } else {
                None
            }
        })?;
        sweep(&own);
        let parent = own.join(format!("function-runner-{}", std::process::id()));
        match std::fs::create_dir(&parent) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return None,
            _ => {}
        }
        // Hand the controller down. Not possible where the server's own group has it for processes, its own among them.
        let made = Self { parent, home: (!unified).then(|| own.clone()) };
        if unified
            && (std::fs::write(own.join("cgroup.subtree_control"), "+memory").is_err()
                || std::fs::write(made.parent.join("cgroup.subtree_control"), "+memory").is_err())
        {
            let _ = std::fs::remove_dir(&made.parent);
            return None;
        }
        // Whether it works is known once it has been done.
        let trial = made.group("trial").ok()?;
        trial.start(|| Ok(())).and_then(|()| trial.limit(1024)).ok()?;
        drop(trial);
        Some(made)
    }

    /// A new group.
    pub fn group(&self, name: &str) -> io::Result<Cgroup> {
        let path = self.parent.join(name);
        match std::fs::create_dir(&path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(Cgroup { path, home: self.home.clone() }),
        }
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.parent);
    }
}

/// Removes groups of servers that are gone.
fn sweep(parent: &Path) {
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.strip_prefix("function-runner-")) else {
            continue;
        };
        if !Path::new("/proc").join(pid).exists() {
            for group in std::fs::read_dir(entry.path()).into_iter().flatten().flatten() {
                let _ = std::fs::remove_dir(group.path());
            }
            let _ = std::fs::remove_dir(entry.path());
        }
    }
}

/// Takes this thread, and none else, into a group.
fn enter(group: &Path) -> io::Result<()> {
    std::fs::write(group.join("tasks"), "0")
}

impl Cgroup {
    /// Whether it takes in what [`start`](Self::start) starts; else that has to be done with [`add`](Self::add).
    pub fn takes_at_start(&self) -> bool {
        self.home.is_some()
    }

    /// Starts a process on this thread. In version 1 it is in the group from its first moment, as its thread is meanwhile.
    /// To take in a process that is already there the kernel waits until every processor has taken note, about 10 ms; a
    /// thread goes where it wants at once.
    pub fn start<T>(&self, start: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let Some(home) = &self.home else { return start() };
        enter(&self.path)?;
        let started = start();
        enter(home)?;
        started
    }

    /// Takes a process in; what it starts from then on is in too. Takes milliseconds.
    pub fn add(&self, pid: u32) -> io::Result<()> {
        std::fs::write(self.path.join("cgroup.procs"), pid.to_string())
    }

    /// Bounds the memory of all its processes, for a function that may use so many MiB.
    pub fn limit(&self, memory_mb: u32) -> io::Result<()> {
        let most = (u64::from(memory_mb) * 1024 * 1024 + BESIDES).to_string();
        if self.home.is_none() {
            // Where there is no swap, there is no such file.
            let _ = std::fs::write(self.path.join("memory.swap.max"), "0");
            std::fs::write(self.path.join("memory.max"), most)
        } else {
            std::fs::write(self.path.join("memory.limit_in_bytes"), most)
        }
    }

    /// Whether the kernel has killed a process of it for memory, and whose: its own, or that of all others together.
    pub fn shortage(&self) -> Option<Shortage> {
        let number_in = |file: &str, name: &str| {
            let text = std::fs::read_to_string(self.path.join(file)).unwrap_or_default();
            let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
            value.unwrap_or(0)
        };
        // A group whose processes were killed without its own limit having been reached gave way to others.
        let (kills, reached) = if self.home.is_none() {
            (number_in("memory.events", "oom_kill "), number_in("memory.events", "oom "))
        } else {
            (number_in("memory.oom_control", "oom_kill "), number_in("memory.failcnt", ""))
        };
        match (kills, reached) {
            (0, _) => None,
            (_, 0) => Some(Shortage::Machine),
            _ => Some(Shortage::Own),
        }
    }

    /// Removes it. The error says that a process is still in it, be it only on its way out.
    pub fn remove(&self) -> io::Result<()> {
        std::fs::remove_dir(&self.path)
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // What can't be removed now is, when a server starts after this one is gone.
        let _ = self.remove();
    }
}
