//! The interpreters of this machine, each found once and known by its real path: a version manager's wrapper costs tens
//! of milliseconds at every start, and could not run in the sandbox.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use domain::Language;
use runtime::check::Version;
use runtime::environment::is_of_python;
use sandbox::{find_program, library_folders};
use serde::Deserialize;

/// Prints what [`Interpreter`] holds, and the shim that is its argument compiled, as JSON. Loads the extensions that link
/// to libraries of the system, to see where those are; the modules around them would cost tens of milliseconds more.
const ASK_PYTHON: &str = r#"
import importlib.util, json, marshal, os, sys
for name in ("_ssl", "_sqlite3", "_ctypes", "_lzma", "_bz2", "_decimal", "zlib", "_uuid", "readline"):
    try:
        __import__(name)
    except Exception:
        pass
try:
    mapped = sorted({line[line.index("/"):].strip() for line in open("/proc/self/maps") if "/" in line})
except OSError:
    mapped = []
library = os.path.dirname(os.path.realpath(os.__file__))
folders = {library} | {os.path.realpath(path) for path in sys.path if os.path.isdir(path)}
program = os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)
hidden = [os.path.join(library, name) for name in ("site-packages", "dist-packages")]
shim = marshal.dumps(compile(sys.argv[1], "shim.py", "exec", dont_inherit=True))
print(json.dumps({"program": program, "version": list(sys.version_info[:3]), "folders": sorted(folders),
    "hidden": [path for path in hidden if os.path.isdir(path)], "mapped": mapped,
    "shim": list(importlib.util.MAGIC_NUMBER + bytes(12) + shim)}))
"#;

const ASK_NODE: &str = r#"
const fs = require('fs');
let mapped = [];
try { mapped = fs.readFileSync('/proc/self/maps', 'utf8').split('\n').filter((l) => l.includes('/')).map((l) => l.slice(l.indexOf('/'))); } catch {}
console.log(JSON.stringify({ program: fs.realpathSync(process.execPath), version: process.versions.node.split('.').map(Number),
  folders: [], hidden: [], mapped: [...new Set(mapped)] }));
"#;

/// An interpreter of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interpreter {
    /// What it runs.
    pub language: Language,
    /// Its real path.
    pub program: PathBuf,
    /// As in `3.11.7`.
    pub version: String,
    /// Folders that it needs to read: its own library and the system's.
    pub libraries: Vec<PathBuf>,
    /// Folders in those that belong to the machine's owner and not to it.
    pub hidden: Vec<PathBuf>,
    /// The name of its shim's file.
    pub shim: String,
}

/// What an interpreter is started for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To be there when it is needed.
    Spare,
    /// An invocation waits for it: it is to load nothing that it may not need.
    Awaited,
    /// To compile code that it doesn't run.
    Check,
}

#[derive(Deserialize)]
struct Answer {
    program: PathBuf,
    version: Vec<u32>,
    folders: Vec<PathBuf>,
    hidden: Vec<PathBuf>,
    mapped: Vec<String>,
    /// What is in the shim's file, if that isn't its text.
    #[serde(default)]
    shim: Option<Vec<u8>>,
}

/// The language's name for people.
pub(super) fn name(language: Language) -> &'static str {
    match language {
        Language::Python => "Python",
        Language::Nodejs => "Node.js",
    }
}

impl Interpreter {
    /// Asks the interpreter at `program`, or the one in `PATH`, who it is, and puts its shim into the folder `shims`:
    /// Python's compiled, which takes longer than the rest of its start. The error is for people.
    pub async fn find(language: Language, program: Option<&Path>, shims: &Path) -> Result<Self, String> {
        let (shim, text) = runtime::package::pool_shim(language);
        let (command, script, oldest, ask) = match language {
            Language::Python => {
                ("python3", vec!["-I", "-S", "-X", "utf8", "-c", ASK_PYTHON, text], (3, 8), "python3")
            }
            Language::Nodejs => ("node", vec!["-e", ASK_NODE], (18, 0), "nodejs"),
        };
        let name = name(language);
        let missing =
            || format!("{name} is not installed on this machine (Debian and Ubuntu: apt-get install {ask})");
        let program = match program {
            Some(program) => program.to_owned(),
            None => find_program(command).ok_or_else(missing)?,
        };
        let asked = tokio::process::Command::new(&program)
            .args(script)
            .env_remove("NODE_OPTIONS")
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(Duration::from_secs(10), asked)
            .await
            .map_err(|_| format!("{name} at {} did not answer within 10 s", program.display()))?
            .map_err(|error| format!("{name} at {} does not start: {error}", program.display()))?;
        let answer: Answer = serde_json::from_slice(&output.stdout)
            .map_err(|_| format!("{name} at {} does not run ({})", program.display(), output.status))?;
        let version = answer.version.iter().map(u32::to_string).collect::<Vec<_>>().join(".");
        let number = |i: usize| answer.version.get(i).copied().unwrap_or(0);
        if (number(0), number(1)) < oldest {
            return Err(format!(
                "{name} {version} at {} is too old: {}.{} or newer is needed",
                answer.program.display(),
                oldest.0,
                oldest.1
            ));
        }
        let (shim, bytes) = match answer.shim {
            Some(compiled) => (format!("{shim}c"), compiled),
            None => (shim.to_owned(), text.into()),
        };
        let path = shims.join(&shim);
        write_shared(&path, &bytes).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut libraries = library_folders(answer.mapped.iter().map(String::as_str));
        libraries.extend(answer.folders);
        Ok(Self {
            language,
            program: answer.program,
            version,
            libraries: libraries.into_iter().collect(),
            hidden: answer.hidden,
            shim,
        })
    }

    /// As people are told of it.
    pub fn told(&self) -> Version {
        let mut numbers = self.version.split('.').map(|number| number.parse().unwrap_or_default());
        Version {
            language: self.language,
            major: numbers.next().unwrap_or_default(),
            minor: numbers.next().unwrap_or_default(),
        }
    }

    /// Its arguments before the shim's path. `heap_mb` raises the limit that Node puts on its own heap. `purpose` says
    /// what to load at once, and what the interpreter must be able to do. `environment` is what it is started with.
    pub fn arguments(
        &self,
        heap_mb: Option<u32>,
        purpose: Purpose,
        environment: &BTreeMap<String, String>,
    ) -> Vec<String> {
        match self.language {
            // Isolated, which includes that it heeds no variables of its own; without site-packages, writing no bytecode.
            Language::Python => [if environment.keys().any(|n| is_of_python(n)) { "-s" } else { "-I" }]
                .into_iter()
                .chain(["-S", "-B", "-X", "utf8"])
                .chain((purpose == Purpose::Awaited).then_some(["-X", "awaited"]).into_iter().flatten())
                .map(str::to_owned)
                .collect(),
            // The machine's own OpenSSL settings are none of its affair, and where they can't be read Node won't start.
            Language::Nodejs => std::iter::once("--openssl-config=/dev/null".to_owned())
                .chain(heap_mb.map(|mb| format!("--max-old-space-size={mb}")))
                .chain(
                    (purpose == Purpose::Check)
                        .then_some(["--experimental-vm-modules", "--no-warnings"].map(str::to_owned))
                        .into_iter()
                        .flatten(),
                )
                .collect(),
        }
    }
}

impl std::fmt::Display for Interpreter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", name(self.language), self.version)
    }
}

/// Writes a file that workers may read under bubblewrap, where they may be users of their own.
fn write_shared(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, bytes)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644))
}
