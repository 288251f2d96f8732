//! Blobs as files.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use files::make_private_dir;
use ports::blobs::is_valid_key;
use ports::{Blobs, PortError};

/// Their folder in the data directory.
pub const BLOBS: &str = "blobs";
/// Ends the name of a file, so that `a` and `a/b` can both be blobs. Not a character of a key.
const END: &str = "~";
/// Where files are until they are whole, and directories until they are gone. Not a key.
const TEMP: &str = "~tmp";
/// How often to try again where a directory goes away under a file that is on its way there.
const TRIES: usize = 100;

/// Blobs under `blobs/` in the data directory: the blob `a/b` is the file `blobs/a/b~`.
pub struct FileBlobs {
    files: Arc<Files>,
}

struct Files {
    root: PathBuf,
    temp: PathBuf,
    next_temp: AtomicU64,
}

impl FileBlobs {
    /// Opens the blobs of the data directory, which the caller holds: what a server
    /// before this one left unfinished is removed.
    pub fn open(data_dir: &Path) -> io::Result<Self> {
        let root = data_dir.join(BLOBS);
        let temp = root.join(TEMP);
        absent_is_fine(fs::remove_dir_all(&temp))?;
        make_private_dir(&temp)?;
        Ok(Self { files: Arc::new(Files { root, temp, next_temp: AtomicU64::new(0) }) })
    }

    async fn run<T, F>(&self, work: F) -> Result<T, PortError>
    where
        T: Send + 'static,
        F: FnOnce(&Files) -> io::Result<T> + Send + 'static,
    {
        let files = self.files.clone();
        let done = tokio::task::spawn_blocking(move || work(&files)).await;
        done.map_err(|error| PortError::new("blobs", error))?.map_err(|error| PortError::new("blobs", error))
    }
}

#[async_trait]
impl Blobs for FileBlobs {
    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), PortError> {
        let key = valid(key)?;
        self.run(move |files| files.put(&key, &bytes)).await
    }

    async fn sync(&self, key: &str) -> Result<(), PortError> {
        let key = valid(key)?;
        self.run(move |files| files.sync(&key)).await
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>, PortError> {
        let key = valid(key)?;
        self.run(move |files| match fs::read(files.path(&key)) {
            Ok(bytes) => Ok(Some(bytes.into())),
            // NotADirectory can't be: directories and files never share a name.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        })
        .await
    }

    async fn delete_prefix(&self, prefix: &str) -> Result<(), PortError> {
        let prefix = valid(prefix)?;
        self.run(move |files| files.delete_prefix(&prefix)).await
    }

    async fn health(&self) -> Result<(), PortError> {
        self.run(|files| {
            let probe = files.temp_path();
            write_new(&probe, b"probe")?;
            fs::remove_file(&probe)
        })
        .await
    }
}

impl Files {
    fn path(&self, key: &str) -> PathBuf {
        self.root.join(format!("{key}{END}"))
    }

    /// The file, and every directory on the way to it, since any of them may be new.
    fn sync(&self, key: &str) -> io::Result<()> {
        let path = self.path(key);
        File::open(&path)?.sync_all()?;
        for directory in path.ancestors().skip(1).take_while(|directory| directory.starts_with(&self.root)) {
            File::open(directory)?.sync_all()?;
        }
        Ok(())
    }

    fn temp_path(&self) -> PathBuf {
        self.temp.join(self.next_temp.fetch_add(1, Ordering::Relaxed).to_string())
    }

    fn put(&self, key: &str, bytes: &[u8]) -> io::Result<()> {
        let (path, temp) = (self.path(key), self.temp_path());
        let put = write_new(&temp, bytes).and_then(|()| self.move_in(&temp, &path));
        if put.is_err() {
            // It was not made, or is swept when the server starts again.
            let _ = fs::remove_file(&temp);
        }
        put
    }

    /// Readers see all of it or nothing. The directory may be deleted between being made and being used.
    fn move_in(&self, temp: &Path, path: &Path) -> io::Result<()> {
        let mut tries = 0;
        loop {
            match fs::rename(temp, path) {
                Err(error) if error.kind() == ErrorKind::NotFound && tries < TRIES => {
                    tries += 1;
                    // What was above it may have gone meanwhile as well.
                    absent_is_fine(path.parent().map_or(Ok(()), make_private_dir))?;
                }
                done => return done,
            }
        }
    }

    /// The directory is moved away first, so that all of it is gone at once.
    fn delete_prefix(&self, prefix: &str) -> io::Result<()> {
        absent_is_fine(fs::remove_file(self.path(prefix)))?;
        let doomed = self.temp_path();
        match fs::rename(self.root.join(prefix), &doomed) {
            Ok(()) => remove_tree(&doomed),
            gone => absent_is_fine(gone),
        }
    }
}

/// Removes a directory that nobody can find any more. A file that was on its way into it when it was renamed may still arrive.
fn remove_tree(doomed: &Path) -> io::Result<()> {
    loop {
        match fs::remove_dir_all(doomed) {
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => {}
            done => return done,
        }
    }
}

/// The blob that is the file at this path below the folder of blobs, if it is one.
pub fn is_blob(path: &str) -> bool {
    path.strip_suffix(END).is_some_and(is_valid_key)
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(bytes)
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    result.or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

fn valid(key: &str) -> Result<String, PortError> {
    if is_valid_key(key) {
        Ok(key.to_owned())
    } else {
        Err(PortError::new("blobs", format!("{key:?} is not a key")))
    }
}
