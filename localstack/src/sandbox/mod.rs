//! How user code is kept apart from the machine and from other user code.
//!
//! Two ways, the better one first. *bubblewrap*: namespaces of every kind, in which there is nothing but the interpreter,
//! and a `/tmp`. *landlock*: no namespaces, but a process that can open no file beyond its interpreter and its own
//! folder, make no socket and start no process. Both end in a second stage ([`init_main`]) that applies limits, Landlock
//! and seccomp. Where neither works nothing runs, unless the server was told to run without.

pub(crate) mod cgroup;
mod init;
#[cfg(target_os = "linux")]
mod seccomp;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

pub use init::init_main;
use init::{Confinement, Plan};

/// The name of the second stage on the command line of this program.
pub const INIT: &str = "sandbox-init";
/// The most bytes that a worker may have in its `/tmp`.
pub const DISK: u64 = 64 * 1024 * 1024;
/// The most files that a worker may have in its `/tmp`.
pub const FILES: u64 = 16 * 1024;
/// The most processes and threads of a worker.
pub const PROCESSES: u64 = 64;
/// Where a worker under bubblewrap finds the shims.
const SHIMS_INSIDE: &str = "/function";
/// The first of the users that workers run as, each as its own, when the server is root.
const FIRST_UID: u32 = 55_000;
/// How many such users there are.
const UIDS: u32 = 5_000;

/// Which sandbox to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SandboxChoice {
    /// The best that works here; none at all is an error.
    #[default]
    Auto,
    /// This one, or an error that says why not.
    Only(SandboxKind),
    /// None. User code can then do whatever the server's own user can.
    Unsafe,
}

/// A way of keeping user code apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SandboxKind {
    /// Namespaces, Landlock and seccomp.
    Bubblewrap,
    /// Landlock and seccomp.
    Landlock,
}

/// The sandbox in force.
#[derive(Debug)]
pub struct Sandbox {
    /// `None` is no sandbox at all.
    kind: Option<SandboxKind>,
    bubblewrap: PathBuf,
    launcher: PathBuf,
    shims: PathBuf,
    root: bool,
    counts_processes: bool,
    libraries: BTreeSet<PathBuf>,
    notes: Vec<String>,
}

/// A program to run in the sandbox.
#[derive(Debug)]
pub struct Confined<'a> {
    /// Its real path.
    pub program: &'a Path,
    /// Its arguments, before the shim's path.
    pub arguments: Vec<String>,
    /// The shim's file name, if it is to run one.
    pub shim: Option<&'a str>,
    /// Folders of the machine that it needs to read.
    pub libraries: &'a [PathBuf],
    /// Folders in those that it must not see.
    pub hidden: &'a [PathBuf],
    /// Its own folder, where the sandbox gives it none.
    pub directory: &'a Path,
    /// Tells workers apart.
    pub number: u32,
}

impl Sandbox {
    /// Finds the sandbox to use by trying it. `launcher` is the server's own program, `shims` the folder of the shims,
    /// `scratch` a folder to try things in. The error says what was tried and why it did not work.
    pub async fn find(
        choice: SandboxChoice,
        launcher: &Path,
        shims: &Path,
        scratch: &Path,
    ) -> Result<Self, String> {
        let mut sandbox = Self {
            kind: None,
            bubblewrap: find_program("bwrap").unwrap_or_default(),
            launcher: launcher.to_owned(),
            shims: shims.to_owned(),
            root: is_root(),
            counts_processes: counts_processes_per_namespace(),
            libraries: loaded_libraries("self"),
            notes: Vec::new(),
        };
        let candidates = match choice {
            SandboxChoice::Unsafe => return Ok(sandbox),
            SandboxChoice::Only(kind) => vec![kind],
            SandboxChoice::Auto => SandboxKind::ALL.to_vec(),
        };
        for kind in candidates {
            sandbox.kind = Some(kind);
            match sandbox.rehearse(scratch).await {
                Ok(()) => return Ok(sandbox),
                Err(reason) => sandbox.notes.push(format!("{}: {reason}", kind.name())),
            }
        }
        Err(format!(
            "no sandbox works on this machine, and functions don't run without one ({})",
            sandbox.notes.join("; ")
        ))
    }

    /// `bubblewrap`, `landlock` or `none`.
    pub fn name(&self) -> &'static str {
        self.kind.map_or("none", SandboxKind::name)
    }

    /// Which one it is; `None` where there is none.
    pub fn kind(&self) -> Option<SandboxKind> {
        self.kind
    }

    /// Why no better one is in force, if there is a better one.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Whether a worker has a `/tmp` of its own, made by the sandbox and gone with it.
    pub fn has_own_tmp(&self) -> bool {
        self.kind == Some(SandboxKind::Bubblewrap)
    }

    /// The command that runs a program in the sandbox. Its stdin and stdout become the worker's pipes; what is
    /// printed goes to its stderr.
    pub fn command(&self, confined: &Confined<'_>) -> Command {
        self.command_for(confined, false)
    }

    fn command_for(&self, confined: &Confined<'_>, rehearsal: bool) -> Command {
        let inside = self.has_own_tmp();
        let directory = if inside { Path::new("/tmp") } else { confined.directory };
        let shims = if inside { Path::new(SHIMS_INSIDE) } else { &self.shims };
        let mut libraries: BTreeSet<PathBuf> = self.libraries.clone();
        libraries.extend(confined.libraries.iter().cloned());
        let readable = match self.kind {
            Some(SandboxKind::Landlock) => {
                libraries.iter().flat_map(|path| without(path, confined.hidden)).collect::<Vec<_>>()
            }
            _ => libraries.iter().cloned().collect(),
        };
        let mut arguments = confined.arguments.clone();
        arguments.extend(confined.shim.map(|shim| shims.join(shim).display().to_string()));
        let home = directory.display().to_string();
        let environment = [
            ("PATH", "/usr/bin:/bin"),
            ("LANG", "C.UTF-8"),
            ("TZ", "UTC"),
            ("HOME", &home),
            ("TMPDIR", &home),
        ];
        let plan = Plan {
            confinement: match self.kind {
                Some(SandboxKind::Bubblewrap) => Confinement::Namespaces,
                Some(SandboxKind::Landlock) => Confinement::Landlock,
                None => Confinement::Nothing,
            },
            program: confined.program.to_owned(),
            arguments,
            environment: environment.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
            directory: directory.to_owned(),
            readable: readable.into_iter().chain([shims.to_owned()]).collect(),
            // An interpreter lists its library's folder to find what is in it.
            listable: confined.hidden.iter().filter_map(|path| Some(path.parent()?.to_owned())).collect(),
            uid: (inside && self.root).then_some(FIRST_UID + confined.number % UIDS),
            processes: (inside && (self.root || self.counts_processes)).then_some(PROCESSES),
            rehearsal,
        };
        let plan = serde_json::to_string(&plan).expect("paths that came from text go to text");
        let mut command = if inside {
            let mut command = Command::new(&self.bubblewrap);
            self.add_namespaces(&mut command, &libraries, confined);
            command.args(["--", "/init"]);
            command
        } else {
            Command::new(&self.launcher)
        };
        command.args([INIT, &plan]).env_clear();
        command
    }

    fn add_namespaces(&self, command: &mut Command, libraries: &BTreeSet<PathBuf>, confined: &Confined<'_>) {
        if self.root {
            // No user namespace: its only user would be root on the outside, whom no limit on processes binds. The
            // second stage becomes another user, for which it needs these, and then gives them up.
            command.args(["--cap-drop", "ALL"]);
            for capability in ["CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"] {
                command.args(["--cap-add", capability]);
            }
        } else {
            command.args(["--unshare-user", "--uid", "1000", "--gid", "1000", "--cap-drop", "ALL"]);
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
        // The folders above what is bound would be readable by their maker only, who may not be the one who runs.
        let files = libraries.iter().map(PathBuf::as_path).chain([
            confined.program,
            Path::new("/usr/lib64"),
            Path::new("/etc/x"),
        ]);
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
        for path in confined.hidden {
            command.arg("--tmpfs").arg(path).arg("--remount-ro").arg(path);
        }
        command.arg("--ro-bind").arg(&self.launcher).arg("/init");
        command.arg("--ro-bind").arg(&self.shims).arg(SHIMS_INSIDE);
        command.args(["--proc", "/proc", "--dev", "/dev"]);
        command.args(["--perms", "1777", "--size", &DISK.to_string(), "--tmpfs", "/tmp", "--chdir", "/tmp"]);
        command.args(["--remount-ro", "/dev", "--remount-ro", "/"]);
    }

    /// Runs the second stage the way a worker would, to see whether it works.
    async fn rehearse(&self, scratch: &Path) -> Result<(), String> {
        match self.kind {
            Some(SandboxKind::Bubblewrap) if self.bubblewrap.as_os_str().is_empty() => {
                return Err("not installed (Debian and Ubuntu: apt-get install bubblewrap)".to_owned());
            }
            _ if !cfg!(target_os = "linux") => return Err("only Linux has it".to_owned()),
            _ => {}
        }
        let confined = Confined {
            program: &self.launcher,
            arguments: Vec::new(),
            shim: None,
            libraries: &[],
            hidden: &[],
            directory: scratch,
            number: 0,
        };
        let mut command = tokio::process::Command::from(self.command_for(&confined, true));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let output = tokio::time::timeout(Duration::from_secs(5), command.output())
            .await
            .map_err(|_| "a trial run did not end".to_owned())?
            .map_err(|error| format!("{}: {error}", command.as_std().get_program().display()))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        match said.lines().next_back() {
            Some(line) => Err(line.trim().to_owned()),
            None => Err(format!("a trial run failed ({})", output.status)),
        }
    }
}

impl SandboxKind {
    /// Every one, the best first.
    pub const ALL: [Self; 2] = [Self::Bubblewrap, Self::Landlock];

    /// Its name for people and for `/health`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bubblewrap => "bubblewrap",
            Self::Landlock => "landlock",
        }
    }
}

/// What is to be readable of a folder that must not be readable whole: the folder itself, unless something hidden lies
/// below it; else what lies in it, and of folders beside the hidden ones' only shared libraries.
fn without(path: &Path, hidden: &[PathBuf]) -> Vec<PathBuf> {
    if !hidden.iter().any(|hidden| hidden.starts_with(path)) {
        return vec![path.to_owned()];
    }
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    if hidden.iter().any(|hidden| hidden.parent() == Some(path)) {
        entries.filter(|entry| !hidden.contains(entry)).collect()
    } else {
        entries.filter(|entry| entry.is_file() && entry.to_string_lossy().contains(".so")).collect()
    }
}

/// A program's path, of those in `PATH`.
pub fn find_program(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

/// The folders that a process (`self`, or its id) has shared libraries from.
pub fn loaded_libraries(process: &str) -> BTreeSet<PathBuf> {
    let maps = std::fs::read_to_string(format!("/proc/{process}/maps")).unwrap_or_default();
    library_folders(maps.lines().filter_map(|line| line.find('/').map(|at| &line[at..])))
}

/// The folders of the shared libraries among these paths.
pub fn library_folders<'a>(paths: impl Iterator<Item = &'a str>) -> BTreeSet<PathBuf> {
    paths
        .filter(|path| path.contains(".so"))
        .filter_map(|path| Some(Path::new(path).parent()?.to_owned()))
        .filter(|folder| folder.parent().is_some())
        .collect()
}

fn is_root() -> bool {
    // SAFETY: can't fail and touches no memory.
    unsafe { libc::geteuid() == 0 }
}

/// Whether a limit on processes counts only those of the same user namespace: Linux 5.14.
fn counts_processes_per_namespace() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map_while(|part| part.parse::<u32>().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (5, 14)
}
