//! A data directory in one file, and back.
//!
//! The file is a zip archive: the database with what the journal had, the secret, the blobs. It is taken beside a server
//! that goes on working, in an order in which nothing that was acknowledged before is missed. A record is in the journal
//! before it is in SQLite, and leaves the journal after; so the journal is read first. A blob is there before the rows that
//! name it, and goes after them; so blobs are read before the database, and those that came meanwhile after it.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use blobs::{BLOBS, is_blob};
use files::{make_private_dir, remedy};
use serde::{Deserialize, Serialize};
use sqlite::{DataDirLock, Database, OpenError};
use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::secret;

/// The first entry: says what the file is.
const HEAD: &str = "function-runner-backup.json";
/// The last: the names of all before it, one a line. The archive has sums of what its entries hold, and not of their names.
const NAMES: &str = "function-runner-backup.names";
/// How the rest is laid out.
const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Head {
    format: u32,
    /// Of the program that wrote it, for people.
    version: String,
}

/// Why there is no backup, or no directory of it. Every message says what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BackupError {
    /// The file is there already.
    #[error("{} is there already, and is not overwritten. Choose another name, or move it away.", .0.display())]
    Exists(PathBuf),
    /// There is nothing to back up.
    #[error("{} has no database of this program. Name the data directory with --data.", .0.display())]
    NoData(PathBuf),
    /// The directory to restore into has something in it.
    #[error("{} is not empty. Restore into an empty directory, or one that is not there yet (--data).", .0.display())]
    NotEmpty(PathBuf),
    /// The file is no backup, or a part of one.
    #[error("{} is not a complete backup of this program ({reason}). Use another backup.", path.display())]
    NotWhole {
        /// The file.
        path: PathBuf,
        /// How that shows.
        reason: String,
    },
    /// The backup was written by a newer program.
    #[error("{} was written by version {} of this program. Restore it with that, or a newer one.", path.display(), version.escape_debug())]
    Newer {
        /// The file.
        path: PathBuf,
        /// What wrote it.
        version: String,
    },
    /// The database.
    #[error(transparent)]
    Data(#[from] OpenError),
    /// The system refused something.
    #[error("{}: {source}. {}", path.display(), remedy(source))]
    Io {
        /// Where.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

/// What went wrong at this path.
fn at(path: &Path) -> impl Fn(io::Error) -> BackupError + '_ {
    move |source| BackupError::Io { path: path.to_owned(), source }
}

/// Copies all that the data directory holds into a new file, which only this user can read. What was done, for people.
pub(crate) fn backup(data: &Path, file: &Path) -> Result<String, BackupError> {
    if !data.join(sqlite::FILE_NAME).is_file() {
        return Err(BackupError::NoData(data.to_owned()));
    }
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    let out = made.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => BackupError::Exists(file.to_owned()),
        _ => at(file)(error),
    })?;
    let written = write(data, file, out);
    if written.is_err() {
        // Half of one is of no use to anybody.
        let _ = fs::remove_file(file);
    }
    let blobs = written?;
    let bytes = file.metadata().map_err(at(file))?.len();
    Ok(format!(
        "{} is backed up in {} ({bytes} bytes, {blobs} blobs). Whoever reads that file can act as any user: keep it safe.",
        data.display(),
        file.display()
    ))
}

/// Writes the archive; how many blobs there were.
fn write(data: &Path, file: &Path, out: File) -> Result<usize, BackupError> {
    let folder = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Beside the file, where there is room for it.
    let copy =
        tempfile::Builder::new().prefix(".function-runner-backup").tempdir_in(folder).map_err(at(folder))?;
    let mut archive =
        Archive { zip: ZipWriter::new(out), path: file, names: String::new(), blobs: BTreeSet::new() };
    let head = Head { format: FORMAT, version: env!("CARGO_PKG_VERSION").to_owned() };
    let head = serde_json::to_vec(&head).map_err(|error| at(file)(error.into()))?;
    archive.add(HEAD, &mut head.as_slice())?;
    archive.add_file(secret::FILE, &data.join(secret::FILE))?;
    sqlite::copy_journal(data, copy.path())?;
    archive.add_blobs(&data.join(BLOBS))?;
    sqlite::copy_database(data, copy.path())?;
    archive.add_blobs(&data.join(BLOBS))?;
    // Takes in what the journal has.
    Database::open(copy.path())?.close();
    archive.add_file(sqlite::FILE_NAME, &copy.path().join(sqlite::FILE_NAME))?;
    let (names, blobs) = (std::mem::take(&mut archive.names), archive.blobs.len());
    archive.add(NAMES, &mut names.as_bytes())?;
    let out = archive.zip.finish().map_err(|error| at(file)(error.into()))?;
    out.sync_all().and_then(|()| File::open(folder)?.sync_all()).map_err(at(file))?;
    Ok(blobs)
}

struct Archive<'a> {
    zip: ZipWriter<File>,
    path: &'a Path,
    /// What is in it, one a line.
    names: String,
    /// Which blobs are.
    blobs: BTreeSet<String>,
}

impl Archive<'_> {
    fn add(&mut self, name: &str, content: &mut impl Read) -> Result<(), BackupError> {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .unix_permissions(0o600)
            .large_file(true);
        self.zip.start_file(name, options).map_err(|error| at(self.path)(error.into()))?;
        self.names.extend([name, "\n"]);
        io::copy(content, &mut self.zip).map(drop).map_err(at(self.path))
    }

    /// Adds a file, if it is there.
    fn add_file(&mut self, name: &str, path: &Path) -> Result<bool, BackupError> {
        match File::open(path) {
            Ok(mut file) => self.add(name, &mut file).map(|()| true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(at(path)(error)),
        }
    }

    /// Adds the blobs that are not in it yet.
    fn add_blobs(&mut self, root: &Path) -> Result<(), BackupError> {
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            let entries = match fs::read_dir(&folder) {
                Ok(entries) => entries,
                // What is deleted meanwhile is not missed.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(at(&folder)(error)),
            };
            for entry in entries {
                let path = entry.map_err(at(&folder))?.path();
                let Some(name) = path.strip_prefix(root).ok().and_then(Path::to_str) else { continue };
                if is_blob(name) {
                    let name = format!("{BLOBS}/{name}");
                    if !self.blobs.contains(&name) && self.add_file(&name, &path)? {
                        self.blobs.insert(name);
                    }
                } else if path.is_dir() {
                    folders.push(path);
                }
            }
        }
        Ok(())
    }
}

/// Makes a data directory of a backup. What was done, for people.
pub(crate) fn restore(file: &Path, data: &Path) -> Result<String, BackupError> {
    let mut archive =
        ZipArchive::new(File::open(file).map_err(at(file))?).map_err(|error| of_zip(file, error))?;
    check(&mut archive, file)?;
    match fs::read_dir(data).map(|mut entries| entries.next().is_none()) {
        Ok(true) => {}
        Ok(false) => return Err(BackupError::NotEmpty(data.to_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(at(data)(error)),
    }
    let lock = DataDirLock::take(data)?;
    let restored = unpack(&mut archive, file, data);
    if restored.is_err() {
        // A server must not take a part of it for all.
        let _ = empty(data);
    }
    drop(lock);
    restored?;
    Ok(format!(
        "{} is restored in {}. Start it with: function-runner serve --data {}",
        file.display(),
        data.display(),
        data.display()
    ))
}

/// Whether all of it can be read by this program.
fn check(archive: &mut ZipArchive<File>, file: &Path) -> Result<(), BackupError> {
    let not_whole = |reason: &str| BackupError::NotWhole { path: file.to_owned(), reason: reason.to_owned() };
    let mut text = Vec::new();
    let head = archive.by_name(HEAD).map_err(|_| not_whole("it does not describe itself as one"))?;
    head.take(4096).read_to_end(&mut text).map_err(|error| of_reading(file, error))?;
    let head: Head =
        serde_json::from_slice(&text).map_err(|_| not_whole("it does not describe itself as one"))?;
    if head.format > FORMAT {
        return Err(BackupError::Newer { path: file.to_owned(), version: head.version });
    }
    let mut names = String::new();
    let archive_len = archive.len() as u64;
    let listed = archive.by_name(NAMES).map_err(|_| not_whole("it has no list of its content"))?;
    // No entry has a longer name, and a list that is larger is not read to its end.
    let most = (archive_len + 1) * 1024;
    { listed }.take(most).read_to_string(&mut names).map_err(|error| of_reading(file, error))?;
    let listed: BTreeSet<_> = names.lines().chain([NAMES]).map(str::to_owned).collect();
    let mut there = BTreeSet::new();
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(|error| of_zip(file, error))?;
        there.insert(entry.name().map_err(|error| of_zip(file, error))?.into_owned());
    }
    if there != listed || there.len() != archive.len() || !there.contains(sqlite::FILE_NAME) {
        return Err(not_whole("its entries are not those that it lists"));
    }
    Ok(())
}

fn unpack(archive: &mut ZipArchive<File>, file: &Path, data: &Path) -> Result<(), BackupError> {
    let unfinished = data.join(sqlite::UNFINISHED);
    File::create(&unfinished).map_err(at(&unfinished))?;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(|error| of_zip(file, error))?;
        let name = entry.name().map_err(|error| of_zip(file, error))?.into_owned();
        let is_known = name == sqlite::FILE_NAME
            || name == secret::FILE
            || name.strip_prefix(BLOBS).and_then(|rest| rest.strip_prefix('/')).is_some_and(is_blob);
        if !is_known {
            if name == HEAD || name == NAMES {
                continue;
            }
            let reason = format!("it contains the unexpected entry {name:?}");
            return Err(BackupError::NotWhole { path: file.to_owned(), reason });
        }
        let path = data.join(&name);
        path.parent().map_or(Ok(()), make_private_dir).map_err(at(&path))?;
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let mut out = made.map_err(at(&path))?;
        copy(&mut entry, &mut out, file, &path)?;
        out.sync_all().map_err(at(&path))?;
    }
    sqlite::check_and_compact(data)?;
    secret::check(data).map_err(|error| BackupError::NotWhole {
        path: file.to_owned(),
        reason: format!("the secret in it is none: {error}"),
    })?;
    fs::remove_file(&unfinished).map_err(at(&unfinished))?;
    File::open(data).and_then(|folder| folder.sync_all()).map_err(at(data))
}

/// Copies, and tells apart what can't be read of the backup and what can't be written.
fn copy(from: &mut impl Read, to: &mut File, file: &Path, path: &Path) -> Result<(), BackupError> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match from.read(&mut buffer).map_err(|error| of_reading(file, error))? {
            0 => return Ok(()),
            count => io::Write::write_all(to, &buffer[..count]).map_err(at(path))?,
        }
    }
}

fn empty(data: &Path) -> io::Result<()> {
    for entry in fs::read_dir(data)? {
        let path = entry?.path();
        if path.is_dir() { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
    }
    Ok(())
}

fn of_zip(file: &Path, error: ZipError) -> BackupError {
    match error {
        ZipError::Io(error) => of_reading(file, error),
        error => BackupError::NotWhole { path: file.to_owned(), reason: error.to_string() },
    }
}

/// What the archive says while it is read: that its sums are wrong, or what the disk says.
fn of_reading(file: &Path, error: io::Error) -> BackupError {
    match error.raw_os_error() {
        None => BackupError::NotWhole { path: file.to_owned(), reason: error.to_string() },
        Some(_) => at(file)(error),
    }
}
