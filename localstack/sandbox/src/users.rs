//! The users that workers run as, each worker as its own, where the server is root. Limits on processes count per user on
//! the whole machine, so each server of a machine has users of its own.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::FlockOperation;

/// How many users a server has.
const COUNT: u32 = 1000;

/// Where there are such users: the first, and for how many servers. Those of the first range are nobody's on Linux. In a
/// container they may not exist; then the others, which a large organisation might have given to people.
const RANGES: [(u32, u32); 2] = [(0x7000_0000, 4096), (55_000, 5)];

/// Where servers note which users are taken, by locks that end with them.
const FOLDER: &str = "/run/function-runner";

/// A server's users, for as long as this is there.
#[derive(Debug)]
pub(super) struct Users {
    first: u32,
    _lock: Option<File>,
}

impl Users {
    /// Takes users that no other server has. Where that can't be known they are chosen at random, and the log says so.
    pub(super) fn claim() -> Self {
        let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
        let (first, blocks) = RANGES
            .into_iter()
            .find(|&(first, blocks)| is_mapped(&map, first, blocks * COUNT))
            .unwrap_or(RANGES[1]);
        match Self::claim_of(Path::new(FOLDER), first, blocks) {
            Ok(users) => users,
            Err(error) => {
                tracing::warn!(
                    %error,
                    "could not reserve users for this server's workers in {FOLDER}; they are chosen at random, and if \
                     another server of this machine has the same ones, the workers of both share one limit on processes"
                );
                Self { first: first + random() % blocks * COUNT, _lock: None }
            }
        }
    }

    /// Takes those of one of so many servers, by a lock in this folder. The error says why none could be taken.
    fn claim_of(folder: &Path, first: u32, blocks: u32) -> io::Result<Self> {
        let start = random() % blocks;
        let mut why = None;
        for n in 0..blocks {
            let first = first + (start + n) % blocks * COUNT;
            match lock(folder, first) {
                Ok(lock) => return Ok(Self { first, _lock: Some(lock) }),
                Err(error) => why = Some(error),
            }
        }
        Err(match why {
            Some(error) if error.kind() != io::ErrorKind::WouldBlock => error,
            _ => {
                io::Error::other(format!("{blocks} other servers have all users that there are for workers"))
            }
        })
    }

    /// The user of the worker of this number.
    pub(super) fn of(&self, number: u32) -> u32 {
        self.first + number % COUNT
    }
}

/// Takes the lock on the users from this one on.
fn lock(folder: &Path, first: u32) -> io::Result<File> {
    let made = std::fs::create_dir(folder);
    if made.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::AlreadyExists) {
        made?;
    }
    let flags = libc::O_NOFOLLOW | libc::O_CLOEXEC;
    let path = folder.join(format!("users-{first}"));
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).mode(0o600).custom_flags(flags).open(path)?;
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    Ok(file)
}

/// Whether these users exist in this namespace, of which this is the map.
fn is_mapped(map: &str, first: u32, count: u32) -> bool {
    map.lines().any(|line| {
        let mut numbers = line.split_ascii_whitespace().map_while(|word| word.parse::<u64>().ok());
        let (Some(inside), Some(_), Some(length)) = (numbers.next(), numbers.next(), numbers.next()) else {
            return false;
        };
        inside <= first.into() && u64::from(first) + u64::from(count) <= inside + length
    })
}

fn random() -> u32 {
    let mut bytes = [0; 4];
    // Where there is no randomness the locks alone keep servers apart.
    let _ = getrandom::fill(&mut bytes);
    u32::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn users_are_those_that_the_namespace_has() {
        let whole = "         0          0 4294967295\n";
        let container = "         0     100000      65536\n";
        for (first, blocks) in RANGES {
            assert!(is_mapped(whole, first, blocks * COUNT));
        }
        assert!(!is_mapped(container, RANGES[0].0, RANGES[0].1 * COUNT));
        assert!(is_mapped(container, RANGES[1].0, RANGES[1].1 * COUNT));
        assert!(!is_mapped("", RANGES[1].0, 1) && !is_mapped("0 1000 1\n", RANGES[1].0, 1));
    }

    #[test]
    fn no_two_servers_have_the_same_users() {
        let above = tempfile::tempdir().unwrap();
        let folder = above.path().join("function-runner");
        let claim = || Users::claim_of(&folder, 7000, 20);
        let mut claimed: Vec<_> = (0..20).map(|_| claim().unwrap()).collect();
        let distinct: BTreeSet<_> = claimed.iter().map(|users| users.first).collect();
        assert_eq!(distinct, (0..20).map(|n| 7000 + n * COUNT).collect());
        assert_eq!(claimed[0].of(COUNT + 1), claimed[0].of(1));
        let refused = claim().unwrap_err().to_string();
        assert!(refused.contains("20 other servers"), "{refused}");
        let freed = claimed.pop().unwrap().first;
        assert_eq!(claim().unwrap().first, freed, "what a server had is free once it has ended");
    }

    #[test]
    fn users_that_cannot_be_reserved_are_not_taken_for_reserved() {
        let above = tempfile::tempdir().unwrap();
        let file = above.path().join("file");
        std::fs::write(&file, "").unwrap();
        let refused = Users::claim_of(&file, 7000, 5).unwrap_err();
        assert!(!refused.to_string().contains("other servers"), "{refused}");
    }
}
