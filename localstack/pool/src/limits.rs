//! How many runs at once: per function, per workspace and in all. What doesn't fit waits, first come first served in
//! its workspace, and workspaces take turns. Also whether there is more than one workspace.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::{FunctionId, UserId, WorkspaceId};
use tokio::sync::oneshot;
use tokio::time::Instant;

/// For how long after runs of two workspaces came one after the other that is expected again.
const SHARED: Duration = Duration::from_secs(1);

/// The most of everything.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Runs at once of one function.
    pub per_function: usize,
    /// Runs at once in one workspace.
    pub per_workspace: usize,
    /// Runs at once in all.
    pub total: usize,
    /// Invocations that wait, in one workspace.
    pub waiting_per_workspace: usize,
    /// Invocations that wait, in all.
    pub waiting: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { per_function: 10, per_workspace: 40, total: 64, waiting_per_workspace: 500, waiting: 2000 }
    }
}

/// Whose what runs is: tenants take turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Tenant {
    /// Invocations are a workspace's.
    Workspace(WorkspaceId),
    /// Checks of code are a user's, who has many workspaces; nobody's where the request is refused in any case.
    User(UserId),
}

impl From<WorkspaceId> for Tenant {
    fn from(workspace: WorkspaceId) -> Self {
        Self::Workspace(workspace)
    }
}

/// The right to run, given back when dropped.
#[derive(Debug)]
pub(super) struct Permit {
    gate: Option<Arc<Gate>>,
    workspace: Tenant,
    function: FunctionId,
}

/// Hands out [`Permit`]s.
#[derive(Debug)]
pub(super) struct Gate {
    limits: Limits,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    running: usize,
    functions: HashMap<FunctionId, usize>,
    workspaces: HashMap<Tenant, Workspace>,
    /// The workspaces in which someone waits; whose turn it is comes first.
    turns: VecDeque<Tenant>,
    waiting: usize,
    next_waiter: u64,
    /// Whose the last run was that began, and until when another's is expected again.
    last: Option<Tenant>,
    shared_until: Option<Instant>,
}

#[derive(Debug, Default)]
struct Workspace {
    running: usize,
    waiters: VecDeque<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    number: u64,
    function: FunctionId,
    wake: oneshot::Sender<Permit>,
}

impl Gate {
    pub(super) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, state: Mutex::default() })
    }

    /// A permit, now or within `patience`. `None` when it takes longer or too many wait already.
    pub(super) async fn enter(
        self: &Arc<Self>,
        workspace: impl Into<Tenant>,
        function: FunctionId,
        patience: Duration,
    ) -> Option<Permit> {
        let workspace = workspace.into();
        let (mut woken, _place) = {
            let mut state = self.lock();
            if state.fits(&self.limits, workspace, function) {
                state.begin(workspace, function);
                return Some(Permit { gate: Some(self.clone()), workspace, function });
            }
            let queued = state.workspaces.get(&workspace).map_or(0, |space| space.waiters.len());
            if patience.is_zero()
                || state.waiting >= self.limits.waiting
                || queued >= self.limits.waiting_per_workspace
            {
                return None;
            }
            let (wake, woken) = oneshot::channel();
            let number = state.next_waiter;
            state.next_waiter += 1;
            state.waiting += 1;
            state.workspaces.entry(workspace).or_default().waiters.push_back(Waiter {
                number,
                function,
                wake,
            });
            if queued == 0 {
                state.turns.push_back(workspace);
            }
            (woken, Place { gate: self, workspace, number })
        };
        // A permit that arrives after all, while this is given up, is dropped with the channel and so given back.
        crate::awake::within(patience, &mut woken).await?.ok()
    }

    /// Runs at once, now.
    pub(super) fn running(&self) -> usize {
        self.lock().running
    }

    /// Who wait, now.
    pub(super) fn waiting(&self) -> usize {
        self.lock().waiting
    }

    /// Whether there is one run in this workspace, now.
    pub(super) fn is_alone(&self, workspace: impl Into<Tenant>) -> bool {
        self.lock().workspaces.get(&workspace.into()).is_some_and(|space| space.running == 1)
    }

    /// Whether runs of more than one workspace have begun lately.
    pub(super) fn is_shared(&self) -> bool {
        self.lock().shared_until.is_some_and(|until| until > Instant::now())
    }

    /// Wakes whoever fits.
    fn wake(self: &Arc<Self>) {
        loop {
            let Some((waiter, workspace)) = self.lock().next(&self.limits) else { return };
            let permit = Permit { gate: Some(self.clone()), workspace, function: waiter.function };
            if let Err(mut unwanted) = waiter.wake.send(permit) {
                // Whoever waited has gone. Given back here, since dropping it would come back here, ever deeper.
                unwanted.gate = None;
                self.lock().end(unwanted.workspace, unwanted.function);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(gate) = self.gate.take() {
            gate.lock().end(self.workspace, self.function);
            gate.wake();
        }
    }
}

/// A place in the queue, left when dropped.
struct Place<'a> {
    gate: &'a Arc<Gate>,
    workspace: Tenant,
    number: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.gate.lock().leave(self.workspace, self.number);
    }
}

impl State {
    fn fits(&self, limits: &Limits, workspace: Tenant, function: FunctionId) -> bool {
        self.running < limits.total
            && self.workspaces.get(&workspace).is_none_or(|space| space.running < limits.per_workspace)
            && self.functions.get(&function).is_none_or(|&running| running < limits.per_function)
    }

    fn begin(&mut self, workspace: Tenant, function: FunctionId) {
        if self.last.replace(workspace).is_some_and(|last| last != workspace) {
            self.shared_until = Some(Instant::now() + SHARED);
        }
        self.running += 1;
        self.workspaces.entry(workspace).or_default().running += 1;
        *self.functions.entry(function).or_default() += 1;
    }

    fn end(&mut self, workspace: Tenant, function: FunctionId) {
        self.running -= 1;
        if let Some(running) = self.functions.get_mut(&function) {
            *running -= 1;
            if *running == 0 {
                self.functions.remove(&function);
            }
        }
        if let Some(space) = self.workspaces.get_mut(&workspace) {
            space.running -= 1;
        }
        self.forget_if_unused(workspace);
    }

    /// Takes the next waiter that fits out of the queue and begins for it.
    fn next(&mut self, limits: &Limits) -> Option<(Waiter, Tenant)> {
        if self.waiting == 0 || self.running >= limits.total {
            return None;
        }
        for _ in 0..self.turns.len() {
            let workspace = self.turns.pop_front()?;
            let found = self.workspaces.get(&workspace).and_then(|space| {
                space.waiters.iter().position(|waiter| self.fits(limits, workspace, waiter.function))
            });
            let waiter = match (found, self.workspaces.get_mut(&workspace)) {
                (Some(at), Some(space)) => space.waiters.remove(at),
                _ => None,
            };
            if self.workspaces.get(&workspace).is_some_and(|space| !space.waiters.is_empty()) {
                self.turns.push_back(workspace);
            }
            if let Some(waiter) = waiter {
                self.waiting -= 1;
                self.begin(workspace, waiter.function);
                return Some((waiter, workspace));
            }
        }
        None
    }

    fn leave(&mut self, workspace: Tenant, number: u64) {
        let Some(space) = self.workspaces.get_mut(&workspace) else { return };
        let Some(at) = space.waiters.iter().position(|waiter| waiter.number == number) else { return };
        space.waiters.remove(at);
        self.waiting -= 1;
        if space.waiters.is_empty() {
            self.turns.retain(|&other| other != workspace);
        }
        self.forget_if_unused(workspace);
    }

    fn forget_if_unused(&mut self, workspace: Tenant) {
        if self.workspaces.get(&workspace).is_some_and(|space| space.running == 0 && space.waiters.is_empty())
        {
            self.workspaces.remove(&workspace);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace(n: u8) -> Tenant {
        Tenant::Workspace(WorkspaceId::from_random([n; 16]))
    }

    fn function(n: u8) -> FunctionId {
        FunctionId::from_random([n; 16])
    }

    const LONG: Duration = Duration::from_secs(60);

    fn gate(per_function: usize, per_workspace: usize, total: usize) -> Arc<Gate> {
        Gate::new(Limits { per_function, per_workspace, total, waiting_per_workspace: 3, waiting: 4 })
    }

    /// Begins to wait, and is in the queue when this returns.
    async fn queue(gate: &Arc<Gate>, w: u8, f: u8) -> tokio::task::JoinHandle<Option<Permit>> {
        let before = gate.lock().next_waiter;
        let task = {
            let gate = gate.clone();
            tokio::spawn(async move { gate.enter(workspace(w), function(f), LONG).await })
        };
        while gate.lock().next_waiter == before {
            tokio::task::yield_now().await;
        }
        task
    }

    #[tokio::test]
    async fn each_limit_holds() {
        for (gate, fits) in [(gate(2, 9, 9), 2), (gate(9, 3, 9), 3), (gate(9, 9, 4), 4)] {
            let mut held = Vec::new();
            while let Some(permit) = gate.enter(workspace(1), function(1), Duration::ZERO).await {
                held.push(permit);
            }
            assert_eq!(held.len(), fits);
            drop(held);
            let state = gate.lock();
            assert!(state.running == 0 && state.functions.is_empty() && state.workspaces.is_empty());
        }
    }

    #[tokio::test]
    async fn workspaces_take_turns() {
        let gate = gate(1, 9, 1);
        let first = gate.enter(workspace(1), function(1), LONG).await.unwrap();
        let a = queue(&gate, 1, 1).await;
        let b = queue(&gate, 1, 1).await;
        let c = queue(&gate, 2, 2).await;
        drop(first);
        let a = a.await.unwrap().unwrap();
        assert!(gate.is_alone(workspace(1)) && !gate.is_alone(workspace(2)));
        drop(a);
        let c = c.await.unwrap().unwrap();
        assert!(!b.is_finished());
        drop(c);
        b.await.unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn workspaces_share_it_for_a_while_after_each_has_had_a_run() {
        let gate = gate(9, 9, 9);
        let run = async |w| drop(gate.enter(workspace(w), function(w), LONG).await.unwrap());
        run(1).await;
        run(1).await;
        assert!(!gate.is_shared());
        run(2).await;
        assert!(gate.is_shared());
        run(2).await;
        assert!(gate.is_shared());
        tokio::time::advance(SHARED).await;
        assert!(!gate.is_shared());
    }

    #[tokio::test]
    async fn a_full_function_does_not_hold_up_its_neighbours() {
        let gate = gate(1, 9, 9);
        let _held = gate.enter(workspace(1), function(1), LONG).await.unwrap();
        let _waiting = queue(&gate, 1, 1).await;
        assert!(gate.enter(workspace(1), function(2), Duration::ZERO).await.is_some());
    }

    #[tokio::test]
    async fn the_queue_is_bounded_and_who_leaves_it_leaves_nothing() {
        let gate = gate(1, 9, 1);
        let held = gate.enter(workspace(1), function(1), LONG).await.unwrap();
        let mut waiting = Vec::new();
        for _ in 0..3 {
            waiting.push(queue(&gate, 1, 1).await);
        }
        assert!(gate.enter(workspace(1), function(1), LONG).await.is_none(), "three wait in this workspace");
        waiting.push(queue(&gate, 2, 1).await);
        assert!(gate.enter(workspace(3), function(1), LONG).await.is_none(), "four wait in all");
        for task in waiting {
            task.abort();
            assert!(task.await.is_err());
        }
        assert_eq!(gate.lock().waiting, 0);
        assert!(gate.lock().turns.is_empty());
        assert!(
            gate.enter(workspace(1), function(1), Duration::from_millis(1)).await.is_none(),
            "patience ends"
        );
        drop(held);
        let state = gate.lock();
        assert!(state.running == 0 && state.waiting == 0 && state.workspaces.is_empty());
    }
}
