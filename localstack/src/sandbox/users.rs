//! The users that workers run as, each worker as its own, where the server is root. Limits on processes count per user on
//! the whole machine, so each server of a machine has users of its own.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;

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
    /// Takes users that no other server has. Where that can't be known they are chosen at random.
    pub(super) fn claim() -> Self {
        let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
        let (first, blocks) = RANGES
            .into_iter()
            .find(|&(first, blocks)| is_mapped(&map, first, blocks * COUNT))
            .unwrap_or(RANGES[1]);
        let start = random() % blocks;
        let block_at = |n: u32| (start + n) % blocks;
        let taken = (0..blocks).find_map(|n| Some((block_at(n), lock(first + block_at(n) * COUNT).ok()?)));
        let (block, lock) = taken.map_or((start, None), |(block, lock)| (block, Some(lock)));
        Self { first: first + block * COUNT, _lock: lock }
    }

    /// The user of the worker of this number.
    pub(super) fn of(&self, number: u32) -> u32 {
        self.first + number % COUNT
    }
}

/// Takes the lock on the users from this one on.
fn lock(first: u32) -> io::Result<File> {
    let made = std::fs::create_dir(FOLDER);
    if made.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::AlreadyExists) {
        made?;
    }
    let flags = libc::O_NOFOLLOW | libc::O_CLOEXEC;
    let path = format!("{FOLDER}/users-{first}");
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
        let first = RANGES[0].0 + RANGES[0].1 * COUNT;
        let Ok(held) = lock(first) else {
            // Not root.
            return;
        };
        assert!(lock(first).is_err());
        drop(held);
        lock(first).unwrap();
        let claimed: Vec<_> = (0..20).map(|_| Users::claim()).collect();
        let distinct: std::collections::BTreeSet<_> = claimed.iter().map(|users| users.first).collect();
        assert_eq!(distinct.len(), claimed.len());
        assert_eq!(claimed[0].of(COUNT + 1), claimed[0].of(1));
        let _ = std::fs::remove_file(format!("{FOLDER}/users-{first}"));
    }
}
