//! Why a data directory can't be used, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use files::remedy;
use rusqlite::ErrorCode;

/// Why a data directory can't be used. Every message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another server has the directory.
    #[error(
        "{} is in use by another server (process {pid}). Stop that one first, or give this one another data directory.",
        dir.display()
    )]
    Locked {
        /// The data directory.
        dir: PathBuf,
        /// The other server's process id, or `unknown`.
        pid: String,
    },
    /// Another program has the database locked.
    #[error(
        "{} is locked by another program, such as an SQLite shell or a tool that copies it. Close that one, and start again.",
        path.display()
    )]
    Busy {
        /// The database.
        path: PathBuf,
    },
    /// The file was not made by this program.
    #[error(
        "{} is not a database of this program ({reason}). It was left as it is. Move it away, or use another data directory.",
        path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// How that shows.
        reason: String,
    },
    /// The database was written by a newer version of this program.
    #[error(
        "{} has schema version {found}, and this program knows versions up to {known}. It was left as it is. Use the newer program that wrote it, or another data directory.",
        path.display()
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its schema version.
        found: i64,
        /// The newest that is known here.
        known: i64,
    },
    /// What is in the database makes no sense.
    #[error(
        "{} is damaged: {reason}. Restore a backup into an empty directory (function-runner restore), or use another data directory.",
        path.display()
    )]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        reason: String,
    },
    /// It was being made of a backup.
    #[error(
        "{} is only a part of what a backup had: restoring it was broken off. Empty that directory, and restore the backup again.",
        dir.display()
    )]
    Unfinished {
        /// The data directory.
        dir: PathBuf,
    },
    /// The system refused something. What is there is not damaged by that.
    #[error("{} can't be used: {source}. {}", path.display(), remedy(source))]
    Io {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl OpenError {
    /// What SQLite said about the database at this path.
    pub(super) fn of_sqlite(path: &Path, error: rusqlite::Error) -> Self {
        let path = path.to_owned();
        let kind = match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => return Self::Busy { path },
            Some(ErrorCode::DiskFull) => io::ErrorKind::StorageFull,
            Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) if has_no_room(&path) => {
                io::ErrorKind::StorageFull
            }
            Some(ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => io::ErrorKind::PermissionDenied,
            Some(ErrorCode::ReadOnly) => io::ErrorKind::ReadOnlyFilesystem,
            Some(ErrorCode::OutOfMemory) => io::ErrorKind::OutOfMemory,
            // What is no fault of the system's is one of the file: a table that is not there, a value of another kind.
            None
            | Some(
                ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::ConstraintViolation
                | ErrorCode::TypeMismatch
                | ErrorCode::Unknown,
            ) => return Self::Damaged { path, reason: error.to_string() },
            Some(_) => io::ErrorKind::Other,
        };
        Self::Io { path, source: io::Error::new(kind, error) }
    }
}

/// Whether the disk is full: SQLite calls it an I/O error where it is the index of its log that finds no room.
fn has_no_room(path: &Path) -> bool {
    /// What SQLite asks for at least: the log's index.
    const LEAST: u64 = 64 << 10;
    let directory = path.parent().unwrap_or(Path::new("."));
    rustix::fs::statvfs(directory).is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) < LEAST)
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    /// Every code that SQLite has: only what damage gives says that a backup is needed, and each says what to do.
    #[test]
    fn only_damage_asks_for_a_backup() {
        let dir = tempfile::tempdir().expect("a directory");
        let of_damage = |code| {
            let codes =
                [ffi::SQLITE_CONSTRAINT, ffi::SQLITE_MISMATCH, ffi::SQLITE_CORRUPT, ffi::SQLITE_NOTADB];
            codes.contains(&code) || ffi::Error::new(code).code == ErrorCode::Unknown
        };
        for code in 1..=28 {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            let said = OpenError::of_sqlite(&dir.path().join("the.db"), error).to_string();
            assert_eq!(said.contains("backup"), of_damage(code), "{code}: {said}");
            assert!(said.contains("the.db") && said.matches(". ").count() >= 1, "{code}: {said}");
        }
        let said = |code| {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            OpenError::of_sqlite(&dir.path().join("the.db"), error).to_string()
        };
        for (code, what) in [
            (ffi::SQLITE_FULL, "no room left"),
            (ffi::SQLITE_PERM, "chown"),
            (ffi::SQLITE_CANTOPEN, "chown"),
            (ffi::SQLITE_READONLY, "read-only"),
            (ffi::SQLITE_BUSY, "another program"),
            (ffi::SQLITE_NOMEM, "no memory"),
            (ffi::SQLITE_IOERR, "dmesg"),
        ] {
            assert!(said(code).contains(what), "{code}: {}", said(code));
        }
    }
}
