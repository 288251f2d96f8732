//! Two pools on one machine.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use pool::Pool;
use ports::memory::MemoryBlobs;
use sandbox::{SandboxChoice, SandboxKind};

use crate::kit::{config, until};

/// What a pool kills when it starts is what was left of itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_starts_leaves_the_workers_of_others_alone() {
    let folder = tempfile::tempdir().unwrap();
    let start = async |name: &str| {
        let mut config = config(&folder, SandboxChoice::Only(SandboxKind::Bubblewrap));
        config.folder = folder.path().join(name);
        let pool = Pool::start(config, Arc::new(MemoryBlobs::default())).await.unwrap();
        until("spares are there", || pool.workers() == 2).await;
        pool
    };
    let held = start("data-10").await;
    let of_held = folder.path().join("data-10");
    until("they are bubblewrap's", || launchers(&of_held).len() == 2).await;
    let before = launchers(&of_held);
    // Its folder's name is the beginning of the other's.
    let other = start("data-1").await;
    assert_eq!(launchers(&of_held), before);
    drop((held, other));
}

/// The processes of bubblewrap that bind something of this folder.
fn launchers(folder: &Path) -> BTreeSet<String> {
    let mark = format!("{}/", folder.display());
    let is_one = |entry: &std::fs::DirEntry| {
        let line = std::fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default();
        let mut words = line.split('\0');
        words.next().is_some_and(|program| program.ends_with("bwrap"))
            && words.any(|word| word.starts_with(&mark))
    };
    let outer = |entry: &std::fs::DirEntry| {
        // Its inner process has the same command line.
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let parent =
            stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)).map(str::to_owned);
        parent == Some(std::process::id().to_string())
    };
    let all = std::fs::read_dir("/proc").unwrap().flatten().filter(|entry| is_one(entry) && outer(entry));
    all.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}
