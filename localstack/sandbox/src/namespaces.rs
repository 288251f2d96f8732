//! What a worker under bubblewrap has around it: the namespaces, and a file system with what it needs and nothing else.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{CODE, CODE_INSIDE, Confined, DISK, SHIMS_INSIDE, Sandbox, UID_INSIDE, etc};

impl Sandbox {
    /// Adds the arguments that make the namespaces, and in them the files that a worker sees.
    pub(super) fn add_namespaces(
        &self,
        command: &mut Command,
        libraries: &BTreeSet<PathBuf>,
        confined: &Confined<'_>,
        uid: Option<u32>,
    ) {
        if uid.is_some() {
            // No user namespace: its only user would be root on the outside, whom no limit on processes binds. The
            // second stage becomes another user, for which it needs these, and then gives them up.
            command.args(["--cap-drop", "ALL"]);
            for capability in ["CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"] {
                command.args(["--cap-add", capability]);
            }
        } else {
            let inside = UID_INSIDE.to_string();
            command.args(["--unshare-user", "--uid", &inside, "--gid", &inside, "--cap-drop", "ALL"]);
        }
        command.args([
            "--unshare-pid",
            "--unshare-net",
            "--unshare-ipc",
            "--unshare-uts",
            "--unshare-cgroup-try",
        ]);
        command.args(["--hostname", "function", "--die-with-parent", "--new-session", "--clearenv"]);
        for path in ["/lib", "/lib64", "/lib32"] {
            if let Ok(target) = std::fs::read_link(path) {
                command.arg("--symlink").arg(target).arg(path);
            }
        }
        // What a shell command is run by. No other program of the machine is there.
        let shell = std::fs::canonicalize("/bin/sh").ok();
        let in_bin = |path: &Path| path.starts_with("/bin");
        if !libraries.iter().any(|path| in_bin(path)) && !in_bin(confined.program) {
            command.args(["--symlink", "usr/bin", "/bin"]);
        }
        // The folders above what is bound would be readable by their maker only, who may not be the one who runs.
        let files = libraries.iter().map(PathBuf::as_path).chain([
            confined.program,
            Path::new("/usr/lib64"),
            Path::new("/usr/bin/sh"),
            Path::new("/etc/x"),
        ]);
        let files = files.chain(etc::SHARED.map(Path::new));
        let above: BTreeSet<&Path> = files.flat_map(|path| path.ancestors().skip(1)).collect();
        for folder in above.into_iter().filter(|folder| folder.parent().is_some()) {
            command.args(["--perms", "0755", "--dir"]).arg(folder);
        }
        let mut bound: Vec<&Path> = Vec::new();
        for path in libraries.iter().map(PathBuf::as_path).chain([confined.program]) {
            // In order, so a folder comes before what lies in it.
            if !bound.iter().any(|above| path.starts_with(above)) {
                command.arg("--ro-bind").arg(path).arg(path);
                bound.push(path);
            }
        }
        for path in ["/usr/lib64", "/etc/ld.so.cache"] {
            command.args(["--ro-bind-try", path, path]);
        }
        for path in etc::SHARED {
            command.args(["--ro-bind-try", path, path]);
        }
        for (path, inside) in etc::files(&self.etc(), uid.unwrap_or(UID_INSIDE)) {
            command.arg("--ro-bind").arg(path).arg(inside);
        }
        if let Some(shell) = shell {
            command.arg("--ro-bind").arg(shell).arg("/usr/bin/sh");
        }
        for path in confined.hidden {
            command.arg("--tmpfs").arg(path).arg("--remount-ro").arg(path);
        }
        command.arg("--ro-bind").arg(&self.launcher).arg("/init");
        command.arg("--ro-bind").arg(&self.shims).arg(SHIMS_INSIDE);
        command.args(["--proc", "/proc", "--dev", "/dev"]);
        for (folder, size) in [("/tmp", DISK), ("/dev/shm", DISK), (CODE_INSIDE, CODE)] {
            command.args(["--perms", "1777", "--size", &size.to_string(), "--tmpfs", folder]);
        }
        command.args(["--chdir", "/tmp"]);
        command.args(["--remount-ro", "/dev", "--remount-ro", "/"]);
    }
}
