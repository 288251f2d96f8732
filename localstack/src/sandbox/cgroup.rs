//! Memory limits by the kernel, where this server may make control groups: as root, or where its own was delegated to
//! it (`systemd-run --user -p Delegate=yes`). They count what no process's size shows: kernel memory, pipes, sockets,
//! files in memory. Elsewhere what processes use is looked at, and that is all.

use std::io;
use std::path::{Path, PathBuf};

/// What a group may hold beyond the function's own memory: its `/tmp`, and the kernel's bookkeeping of all of it.
const BESIDES: u64 = super::DISK + 64 * 1024 * 1024;

/// The group above the workers'.
#[derive(Debug)]
pub(crate) struct Cgroups {
    parent: PathBuf,
    unified: bool,
}

/// A worker's group; removed when dropped, by when no process may be left in it.
#[derive(Debug)]
pub(crate) struct Cgroup {
    path: PathBuf,
    unified: bool,
}

impl Cgroups {
    /// Makes the group above the workers', if that is allowed here.
    pub(crate) fn make() -> Option<Self> {
        let own = std::fs::read_to_string("/proc/self/cgroup").ok()?;
        let below = |root: &str, path: &str| Path::new(root).join(path.trim_start_matches('/'));
        let found = own.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            let (controllers, path) = (parts.next()?, parts.next()?);
            if controllers.split(',').any(|name| name == "memory") {
                Some(Self { parent: below("/sys/fs/cgroup/memory", path), unified: false })
            } else if controllers.is_empty() && Path::new("/sys/fs/cgroup/cgroup.controllers").is_file() {
                Some(Self { parent: below("/sys/fs/cgroup", path), unified: true })
            } else {
                None
            }
        })?;
        sweep(&found.parent);
        let parent = found.parent.join(format!("function-runner-{}", std::process::id()));
        match std::fs::create_dir(&parent) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return None,
            _ => {}
        }
        let made = Self { parent, unified: found.unified };
        // Hand the controller down. Not possible where the server's own group has it for processes, its own among them.
        if made.unified
            && (std::fs::write(found.parent.join("cgroup.subtree_control"), "+memory").is_err()
                || std::fs::write(made.parent.join("cgroup.subtree_control"), "+memory").is_err())
        {
            let _ = std::fs::remove_dir(&made.parent);
            return None;
        }
        // Whether it works is known once it has been done.
        made.group("trial").and_then(|trial| trial.limit(1024)).ok()?;
        Some(made)
    }

    /// A new group.
    pub(crate) fn group(&self, name: &str) -> io::Result<Cgroup> {
        let path = self.parent.join(name);
        match std::fs::create_dir(&path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(Cgroup { path, unified: self.unified }),
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

impl Cgroup {
    /// Takes a process in; what it starts from then on is in too. Takes milliseconds.
    pub(crate) fn add(&self, pid: u32) -> io::Result<()> {
        std::fs::write(self.path.join("cgroup.procs"), pid.to_string())
    }

    /// Bounds the memory of all its processes, for a function that may use so many MiB.
    pub(crate) fn limit(&self, memory_mb: u32) -> io::Result<()> {
        let most = (u64::from(memory_mb) * 1024 * 1024 + BESIDES).to_string();
        if self.unified {
            // Where there is no swap, there is no such file.
            let _ = std::fs::write(self.path.join("memory.swap.max"), "0");
            std::fs::write(self.path.join("memory.max"), most)
        } else {
            std::fs::write(self.path.join("memory.limit_in_bytes"), most)
        }
    }

    /// Whether the kernel has killed a process of it for its memory.
    pub(crate) fn was_exceeded(&self) -> bool {
        let file = if self.unified { "memory.events" } else { "memory.oom_control" };
        let text = std::fs::read_to_string(self.path.join(file)).unwrap_or_default();
        let kills = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        kills.is_some_and(|kills| kills.trim() != "0")
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // What can't be removed now is, when a server starts after this one is gone.
        let _ = std::fs::remove_dir(&self.path);
    }
}
