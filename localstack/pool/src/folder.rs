//! A worker's folder, where it has no file system of its own. What is in it was made by user code, and may be as deep,
//! as wide and as closed to its owner as that could make it.

use std::io;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, Mode, OFlags};
use rustix::io::Errno;
use sandbox::{CODE, DISK, FILES};

/// How deep folders may lie in it. Far below where paths become too long to be looked at.
const DEPTH: usize = 64;

/// Whether it holds more bytes or files than are allowed, temporary ones and the function's own together, or folders so
/// deep or so closed that this can't be told.
pub(super) fn is_overfull(folder: &Path) -> bool {
    let (mut bytes, mut files) = (0, 0);
    let mut folders = vec![(folder.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            // Removed meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(_) => return true,
        };
        for entry in entries.flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            bytes += metadata.len();
            files += 1;
            if bytes > DISK + CODE || files > FILES || depth > DEPTH {
                return true;
            }
            if metadata.is_dir() {
                folders.push((entry.path(), depth + 1));
            }
        }
    }
    false
}

/// Removes it and all in it. Blocks. Takes a few descriptors and no stack to speak of, however deep it is: what lies in
/// a folder's folders is moved up into it until there are none. Nobody may be at work in it any more.
pub(super) fn remove(folder: &Path) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let top = match rustix::fs::open(folder, flags, Mode::empty()) {
        Ok(top) => top,
        Err(Errno::NOENT) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let mut lifted = 0u64;
    loop {
        let mut found = false;
        for entry in Dir::read_from(&top)? {
            let entry = entry?;
            let name = entry.file_name();
            if [c".", c".."].contains(&name) {
                continue;
            }
            found = true;
            if !is_full_folder(&top, name)? {
                continue;
            }
            let below = rustix::fs::openat(&top, name, flags, Mode::empty())?;
            for entry in Dir::read_from(&below)? {
                let entry = entry?;
                let inner = entry.file_name();
                if ![c".", c".."].contains(&inner) && is_full_folder(&below, inner)? {
                    // A name that is taken is taken by what was there from the start.
                    loop {
                        lifted += 1;
                        match rustix::fs::renameat(&below, inner, &top, format!("lifted-{lifted}")) {
                            Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => {}
                            done => break done?,
                        }
                    }
                }
            }
            rustix::fs::unlinkat(&top, name, AtFlags::REMOVEDIR)?;
        }
        if !found {
            return std::fs::remove_dir(folder);
        }
    }
}

/// Removes what has this name, unless it is a folder with something in it: that is made its owner's to read and move.
fn is_full_folder(at: &std::os::fd::OwnedFd, name: &std::ffi::CStr) -> io::Result<bool> {
    match rustix::fs::unlinkat(at, name, AtFlags::empty()) {
        // Which of the two says that it is a folder is up to the system.
        Err(Errno::ISDIR | Errno::PERM) => {}
        done => return Ok(done.map(|()| false)?),
    }
    match rustix::fs::unlinkat(at, name, AtFlags::REMOVEDIR) {
        Err(Errno::NOTEMPTY | Errno::EXIST) => {}
        done => return Ok(done.map(|()| false)?),
    }
    rustix::fs::chmodat(at, name, Mode::RWXU, AtFlags::empty())?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, std::path::PathBuf) {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("w1");
        std::fs::create_dir(&folder).unwrap();
        (parent, folder)
    }

    /// Makes folders within folders, as deep as this, with a file in each hundredth; shows what is below.
    fn dig(folder: &Path, depth: usize) {
        let mut at = rustix::fs::open(folder, OFlags::DIRECTORY, Mode::empty()).unwrap();
        for level in 0..depth {
            rustix::fs::mkdirat(&at, "d", Mode::RWXU).unwrap();
            at = rustix::fs::openat(&at, "d", OFlags::DIRECTORY, Mode::empty()).unwrap();
            if level % 100 == 0 {
                rustix::fs::openat(&at, "f", OFlags::CREATE | OFlags::WRONLY, Mode::RUSR).unwrap();
            }
        }
    }

    #[test]
    fn however_deep_it_is_it_is_removed() {
        let (parent, folder) = folder();
        dig(&folder, 5000);
        // Names that stand in the way, and a link out.
        std::fs::create_dir_all(folder.join("lifted-1/x/y")).unwrap();
        std::fs::write(folder.join("lifted-2"), "x").unwrap();
        let kept = parent.path().join("kept");
        std::fs::create_dir(&kept).unwrap();
        std::fs::write(kept.join("file"), "x").unwrap();
        std::os::unix::fs::symlink(&kept, folder.join("link")).unwrap();
        std::os::unix::fs::symlink(&kept, folder.join("lifted-1/x/link")).unwrap();
        let closed = folder.join("closed");
        std::fs::create_dir_all(closed.join("in/side")).unwrap();
        rustix::fs::chmod(&closed, Mode::empty()).unwrap();
        remove(&folder).unwrap();
        assert!(!folder.exists());
        assert_eq!(std::fs::read(kept.join("file")).unwrap(), b"x", "links are not followed");
        remove(&folder).unwrap();
    }

    #[test]
    fn too_deep_is_too_full() {
        let (_parent, folder) = folder();
        dig(&folder, DEPTH);
        assert!(!is_overfull(&folder));
        std::fs::create_dir_all(folder.join("a/".repeat(DEPTH + 3))).unwrap();
        assert!(is_overfull(&folder));
    }

    #[test]
    fn paths_too_long_to_look_at_are_too_full() {
        let (_parent, folder) = folder();
        let mut at = rustix::fs::open(&folder, OFlags::DIRECTORY, Mode::empty()).unwrap();
        let name = "d".repeat(200);
        for _ in 0..30 {
            rustix::fs::mkdirat(&at, &name, Mode::RWXU).unwrap();
            at = rustix::fs::openat(&at, &name, OFlags::DIRECTORY, Mode::empty()).unwrap();
        }
        assert!(is_overfull(&folder));
        remove(&folder).unwrap();
    }
}
