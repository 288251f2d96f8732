//! Files and directories that only this user can read, and errors of the system's as sentences that say what to do.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// What went wrong at a path, and what to do about it.
pub fn failed_at(path: &Path, error: &io::Error) -> String {
    format!("{}: {error}. {}", path.display(), remedy(error))
}

/// What to do about an error of the system's, as a sentence for whoever reads the error.
pub fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            "There is no room left on that disk, or for this user: free some, and start again. Nothing is damaged."
        }
        ErrorKind::PermissionDenied => {
            "This user may not read and write it: run as the user that owns the data directory and all in it, or change \
             the owner (chown -R) and the modes."
        }
        ErrorKind::ReadOnlyFilesystem => {
            "It is read-only: mount its disk for writing, or use another data directory."
        }
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            "A directory is wanted, and a file is in its place: move the file away, or use another data directory."
        }
        ErrorKind::IsADirectory => {
            "A file is wanted, and a directory is in its place: move that away, or use another data directory."
        }
        ErrorKind::NotFound => {
            "Something is not there that should be: look at the path, and at what else uses it."
        }
        ErrorKind::OutOfMemory => "There is no memory left: end other programs, or give this one more.",
        _ => match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
            Some(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE) => {
                "Too many files are open: raise the limit (ulimit -n)."
            }
            _ => "Look at the disk's health and room, and in the system's log (dmesg), and start again.",
        },
    }
}

/// Makes the directory, and those above it, where they are not there.
pub fn make_private_dir(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Opens the file for reading and writing, making it where it is not there.
pub fn open_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}
