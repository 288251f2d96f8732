//! The server's secret: made at the first start, kept beside the data and never in the table.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use files::remedy;
use web::{SecretTooShort, Secrets};

/// The file: a secret per line, the current one first. To replace it, put a new line above; tokens made with the old
/// one stay good until they expire.
pub(crate) const FILE: &str = "secret";

/// The most bytes of it that are read.
const MOST: u64 = 64 * 1024;

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretError {
    /// The file can't be read or made.
    #[error("{} can't be used: {source}. {}", path.display(), remedy(source))]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// What is in it is no secret.
    #[error(
        "{}: {source}. Put back the file from a backup; or, if there is none, remove it: a new one is made, and everyone has to log in again.",
        path.display()
    )]
    Bad {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: SecretTooShort,
    },
    /// The system has no randomness.
    #[error("the system has no randomness: {0}")]
    Random(getrandom::Error),
}

/// The secrets of this data directory.
pub(crate) fn load(data: &Path) -> Result<Secrets, SecretError> {
    let path = data.join(FILE);
    let io = |source| SecretError::Io { path: path.clone(), source };
    let mut text = String::new();
    match File::open(&path) {
        Ok(file) => drop(file.take(MOST).read_to_string(&mut text).map_err(io)?),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            text = fresh().map_err(SecretError::Random)?;
            write(data, &path, &text).map_err(io)?;
        }
        Err(error) => return Err(io(error)),
    }
    read(path, &text)
}

/// Whether the secret of a data directory is one, if there is any.
pub(crate) fn check(data: &Path) -> Result<(), SecretError> {
    if data.join(FILE).exists() { load(data).map(drop) } else { Ok(()) }
}

fn read(path: PathBuf, text: &str) -> Result<Secrets, SecretError> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    Secrets::new(lines.next().unwrap_or_default(), lines).map_err(|source| SecretError::Bad { path, source })
}

fn fresh() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).chain(["\n".to_owned()]).collect())
}

/// Whole or not at all, also where the power goes: a secret that changed would void every token.
fn write(data: &Path, path: &Path, text: &str) -> std::io::Result<()> {
    let temporary = data.join("secret.new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    File::open(data)?.sync_all()
}
