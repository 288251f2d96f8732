//! How user code is kept apart from the machine and from other user code.
//!
//! Two ways, the better one first. *bubblewrap*: namespaces of every kind, in which there is nothing but the interpreter,
//! and a `/tmp`. *landlock*: no namespaces, but a process that can open no file beyond its interpreter and its own
//! folder, make no socket and start no process. Both end in a second stage ([`init_main`]) that applies limits, Landlock
//! and seccomp. Where neither works nothing runs, unless the server was told to run without.

#[cfg(target_os = "linux")]
mod calls;
pub mod cgroup;
mod etc;
mod init;
mod namespaces;
#[cfg(target_os = "linux")]
mod seccomp;
mod users;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use files::failed_at;
pub use init::init_main;
use init::{Confinement, Plan};
use users::Users;

/// The name of the second stage on the command line of this program.
pub const INIT: &str = "sandbox-init";
/// The most bytes that a worker may have in its `/tmp`, and in its `/dev/shm`.
pub const DISK: u64 = 64 * 1024 * 1024;
/// The most files that a worker may have in its `/tmp`.
pub const FILES: u64 = 16 * 1024;
/// The most processes and threads of a worker.
pub const PROCESSES: u64 = 64;
/// Where a worker under bubblewrap finds the shims.
const SHIMS_INSIDE: &str = "/function";
/// Where a worker under bubblewrap has its function's files.
const CODE_INSIDE: &str = "/code";
/// The most bytes of those: the source, and what the code puts beside it.
pub const CODE: u64 = 8 * 1024 * 1024;
/// The user that a worker is in its own namespace, where the server is not root.
const UID_INSIDE: u32 = 1000;
/// The exit code of a second stage that did not get as far as the interpreter.
pub const NOT_STARTED: i32 = 121;

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
    /// Of whom each worker is one, where the server is root.
    users: Option<Users>,
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
    /// Variables for its environment besides the usual ones.
    pub environment: &'a BTreeMap<String, String>,
    /// Its own folder, where the sandbox gives it none; made by [`Sandbox::make_folder`].
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
            users: is_root().then(Users::claim),
            counts_processes: counts_processes_per_namespace(),
            libraries: loaded_libraries("self"),
            notes: Vec::new(),
        };
        etc::write(&sandbox.etc()).map_err(|error| failed_at(&sandbox.etc(), &error))?;
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

    /// Where the files that workers read instead of the machine's are.
    fn etc(&self) -> PathBuf {
        self.shims.join("etc")
    }

    /// Makes a worker's folder: what it writes goes to one folder in it, its function's files to another.
    pub fn make_folder(directory: &Path) -> std::io::Result<()> {
        std::fs::create_dir_all(directory.join("tmp"))?;
        std::fs::create_dir_all(directory.join("code"))
    }

    /// The command that runs a program in the sandbox. Its shim is told the folder of the function's files. Its stdin and
    /// stdout become the worker's pipes; what is printed goes to its stderr.
    pub fn command(&self, confined: &Confined<'_>) -> Command {
        self.command_for(confined, false)
    }

    fn command_for(&self, confined: &Confined<'_>, rehearsal: bool) -> Command {
        let inside = self.has_own_tmp();
        let (directory, code) = if inside {
            (PathBuf::from("/tmp"), PathBuf::from(CODE_INSIDE))
        } else {
            (confined.directory.join("tmp"), confined.directory.join("code"))
        };
        let shims = if inside { Path::new(SHIMS_INSIDE) } else { &self.shims };
        let mut libraries: BTreeSet<PathBuf> = self.libraries.clone();
        libraries.extend(confined.libraries.iter().cloned());
        let mut readable = match self.kind {
            Some(SandboxKind::Landlock) => {
                libraries.iter().flat_map(|path| without(path, confined.hidden)).collect::<Vec<_>>()
            }
            _ => libraries.iter().cloned().collect(),
        };
        readable.extend(etc::SHARED.map(PathBuf::from));
        readable.push(shims.to_owned());
        let mut writable = vec![directory.clone(), code.clone()];
        if inside {
            readable.extend(["/etc", "/usr/bin/sh"].map(PathBuf::from));
            writable.push("/dev/shm".into());
        } else {
            readable.extend(etc::TYPES.map(PathBuf::from));
        }
        let mut arguments = confined.arguments.clone();
        if let Some(shim) = confined.shim {
            arguments.extend([shims.join(shim), code].map(|path| path.display().to_string()));
        }
        let home = directory.display().to_string();
        let usual = [
            ("PATH", "/usr/bin:/bin"),
            ("LANG", "C.UTF-8"),
            ("TZ", "UTC"),
            ("USER", etc::USER),
            ("LOGNAME", etc::USER),
            ("HOME", &home),
            ("TMPDIR", &home),
        ];
        let mut environment = BTreeMap::from(usual.map(|(name, value)| (name.to_owned(), value.to_owned())));
        environment.extend(confined.environment.clone());
        let uid = self.users.as_ref().map(|users| users.of(confined.number));
        let plan = Plan {
            confinement: match self.kind {
                Some(SandboxKind::Bubblewrap) => Confinement::Namespaces,
                Some(SandboxKind::Landlock) => Confinement::Landlock,
                None => Confinement::Nothing,
            },
            program: confined.program.to_owned(),
            arguments,
            environment: environment.into_iter().collect(),
            directory,
            readable,
            writable,
            // An interpreter lists its library's folder to find what is in it.
            listable: confined.hidden.iter().filter_map(|path| Some(path.parent()?.to_owned())).collect(),
            uid: uid.filter(|_| inside),
            processes: (inside && (uid.is_some() || self.counts_processes)).then_some(PROCESSES),
            rehearsal,
        };
        let plan = serde_json::to_string(&plan).expect("paths that came from text go to text");
        let mut command = if inside {
            let mut command = Command::new(&self.bubblewrap);
            self.add_namespaces(&mut command, &libraries, confined, uid);
            command.args(["--", "/init"]);
            command
        } else {
            Command::new(&self.launcher)
        };
        command.args([INIT, &plan]).env_clear();
        command
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
        Self::make_folder(scratch).map_err(|error| failed_at(scratch, &error))?;
        let confined = Confined {
            program: &self.launcher,
            arguments: Vec::new(),
            shim: None,
            libraries: &[],
            hidden: &[],
            environment: &BTreeMap::new(),
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

/// The system calls that user code may make in this sandbox, some of them with certain arguments only. Every other one is
/// refused.
#[cfg(target_os = "linux")]
pub fn allowed_calls(kind: SandboxKind) -> BTreeSet<i64> {
    seccomp::allowed_calls(kind == SandboxKind::Bubblewrap).unwrap_or_default()
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
