use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use files::{make_private_dir, open_private};

use super::OpenError;

/// How long a server that is gone may hold a directory all the same: until the last of its children, which has the lock
/// open between its start and the program that it is to become, has got that far.
const AFTERLIFE: Duration = Duration::from_secs(3);
/// How often to try meanwhile.
const PAUSE: Duration = Duration::from_millis(10);

/// Holds a data directory for this process, until dropped or until the process ends, however it ends.
#[derive(Debug)]
pub struct DataDirLock {
    // Closing it unlocks it.
    _file: File,
}

impl DataDirLock {
    /// Makes the directory where there is none, and takes it. Where it is held, waits a little: whoever holds it may have
    /// been killed just now.
    pub fn take(dir: &Path) -> Result<Self, OpenError> {
        let io = |source| OpenError::Io { path: dir.to_owned(), source };
        make_private_dir(dir).map_err(io)?;
        let path = dir.join("lock");
        let io = |source| OpenError::Io { path: path.clone(), source };
        let mut file = open_private(&path).map_err(io)?;
        let deadline = Instant::now() + AFTERLIFE;
        let locked = loop {
            match file.try_lock() {
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => std::thread::sleep(PAUSE),
                tried => break tried,
            }
        };
        match locked {
            Ok(()) => {
                // The number is for the other server's message only; the lock is what counts.
                file.set_len(0).and_then(|()| file.rewind()).map_err(io)?;
                writeln!(file, "{}", std::process::id()).map_err(io)?;
                Ok(Self { _file: file })
            }
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                // Whatever can't be read or isn't a number is only not named.
                let _ = file.read_to_string(&mut pid);
                let pid =
                    pid.trim().parse::<u32>().map_or_else(|_| "unknown".to_owned(), |pid| pid.to_string());
                Err(OpenError::Locked { dir: dir.to_owned(), pid })
            }
            Err(TryLockError::Error(source)) => Err(io(source)),
        }
    }
}
