//! Turns to work, one for every two processors, while more than one workspace has runs: of a backlog, little is under way
//! at once then, and now and then less, so that another workspace's run meets short queues at every step of its way.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::WorkspaceId;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{sleep, timeout};

/// How long others wait for a turn before they go on without.
const PATIENCE: Duration = Duration::from_millis(5);
/// How often a turn is kept when its job is over, and for how long. Where there is one, on two processors, nothing of a
/// backlog is under way then.
const REST_EVERY: usize = 16;
const REST: Duration = Duration::from_millis(2);

pub(crate) struct Turns {
    free: Semaphore,
    /// How many have been over since the server started.
    over: AtomicUsize,
    /// How many jobs of each workspace are in hand.
    jobs: Mutex<HashMap<WorkspaceId, usize>>,
}

/// A job in hand.
pub(crate) struct InHand<'a> {
    turns: &'a Turns,
    workspace: WorkspaceId,
    /// Whether it is to wait for a turn. Its workspace's only one is not.
    pub(crate) waits: bool,
}

impl Turns {
    pub(crate) fn new() -> Self {
        Self {
            free: Semaphore::new(pool::processors().div_ceil(2)),
            over: AtomicUsize::new(0),
            jobs: Mutex::default(),
        }
    }

    /// Takes a job in hand. `shared` says whether other workspaces have runs too.
    pub(crate) fn take(&self, workspace: WorkspaceId, shared: bool) -> InHand<'_> {
        let mut jobs = self.jobs();
        let count = jobs.entry(workspace).or_default();
        *count += 1;
        InHand { turns: self, workspace, waits: shared && *count > 1 }
    }

    /// Whether any job is in hand.
    pub(crate) fn any_in_hand(&self) -> bool {
        !self.jobs().is_empty()
    }

    /// A turn, or none after a short wait for one.
    pub(crate) async fn begin(&self) -> Option<SemaphorePermit<'_>> {
        timeout(PATIENCE, self.free.acquire()).await.ok()?.ok()
    }

    /// Ends a turn, now and then after a rest.
    pub(crate) async fn end(&self, turn: SemaphorePermit<'_>) {
        if (self.over.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(REST_EVERY) {
            sleep(REST).await;
        }
        drop(turn);
    }

    fn jobs(&self) -> MutexGuard<'_, HashMap<WorkspaceId, usize>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        let mut jobs = self.turns.jobs();
        if let Some(count) = jobs.get_mut(&self.workspace) {
            *count -= 1;
            if *count == 0 {
                jobs.remove(&self.workspace);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    fn workspace(number: u8) -> WorkspaceId {
        WorkspaceId::from_random([number; 16])
    }

    #[test]
    fn all_but_a_workspaces_only_job_wait_for_turns_where_others_have_runs() {
        let turns = Turns::new();
        let backlog = [turns.take(workspace(1), false), turns.take(workspace(1), false)];
        assert!(backlog.iter().all(|job| !job.waits), "nobody else has any");
        assert!(!turns.take(workspace(2), true).waits);
        assert!(turns.take(workspace(1), true).waits);
        drop(backlog);
        assert!(!turns.any_in_hand());
        assert!(!turns.take(workspace(1), true).waits, "it is the only one now");
    }

    #[tokio::test(start_paused = true)]
    async fn turns_are_few_and_have_rests_between_them() {
        let turns = Turns::new();
        let few = turns.free.available_permits();
        let mut held = Vec::new();
        while let Some(turn) = turns.begin().await {
            held.push(turn);
        }
        assert_eq!(held.len(), few, "who waits for long gets none");
        drop(held);
        let begun = Instant::now();
        for _ in 0..3 * REST_EVERY {
            let turn = turns.begin().await.expect("one is free");
            turns.end(turn).await;
        }
        assert!(begun.elapsed() >= 3 * REST);
        assert_eq!(turns.free.available_permits(), few, "each was given back");
    }
}
