//! Whose turn it is: the queue's messages by workspace. What is here is about workspaces with messages, and about messages
//! in workers' hands; the backlog itself stays in the database, and no step looks at more of it than one message.

use std::collections::{BTreeSet, HashMap, VecDeque};

use domain::{JobId, WorkspaceId};
use ports::queue::MAX_RECEIVES;
use ports::{Delivery, Message};
use rusqlite::{Connection, Result};

use super::clock::later;
use super::messages::{self, Held};
use super::request::{Receipt, Settlement};

/// No message waits.
const NEVER: i64 = i64::MAX;
/// The longest delay, in milliseconds. What is hidden for longer was hidden by a clock that was wrong.
const MAX_DELAY: i64 = 15 * 60 * 1000;

/// The state of the queue that is not in the database, or is there but costs too much to ask for. Times are in
/// milliseconds since the epoch.
pub(super) struct Lanes {
    lanes: HashMap<WorkspaceId, Lane>,
    /// Workspaces that may have something to deliver, in the order of their turns.
    turns: VecDeque<WorkspaceId>,
    /// When the others may.
    timers: BTreeSet<(i64, WorkspaceId)>,
    /// By message id.
    held: HashMap<i64, Held>,
    /// When holds end, and of which message.
    deadlines: BTreeSet<(i64, i64)>,
    next_id: i64,
}

/// One workspace.
struct Lane {
    /// How many of its messages are in workers' hands.
    held: usize,
    /// When the first of its waiting messages is visible, or earlier.
    next: i64,
    place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// It has as much in workers' hands as it may, or has nothing waiting.
    Nowhere,
    InTurns,
    InTimers(i64),
}

impl Lanes {
    /// As it is when a server starts: nobody holds anything.
    pub(super) fn reset(connection: &Connection, now: i64) -> Result<Self> {
        messages::reset(connection, now)?;
        Self::load(connection, now)
    }

    /// As the database has it, after what was done here was undone there. Ids that were given stay given, for there may
    /// be receipts of them.
    pub(super) fn reload(&mut self, connection: &Connection, now: i64) -> Result<()> {
        let next_id = self.next_id;
        *self = Self::load(connection, now)?;
        self.next_id = self.next_id.max(next_id);
        Ok(())
    }

    fn load(connection: &Connection, now: i64) -> Result<Self> {
        let mut lanes = Self {
            lanes: HashMap::new(),
            turns: VecDeque::new(),
            timers: BTreeSet::new(),
            held: HashMap::new(),
            deadlines: BTreeSet::new(),
            next_id: messages::last_id(connection)? + 1,
        };
        messages::all_held(connection)?.into_iter().for_each(|held| lanes.hold(held));
        let (mut after, latest) = (None, now + MAX_DELAY);
        while let Some((workspace, first)) = messages::next_workspace(connection, after)? {
            messages::clamp(connection, workspace, latest, now)?;
            lanes.lane(workspace).next = if first > latest { now } else { first };
            lanes.place(workspace, now);
            after = Some(workspace);
        }
        Ok(lanes)
    }

    /// Queues a message.
    pub(super) fn send(
        &mut self,
        connection: &Connection,
        message: &Message,
        visible_at: i64,
        now: i64,
    ) -> Result<()> {
        messages::insert(connection, self.next_id, message, visible_at)?;
        self.next_id += 1;
        self.show(message.tenant, visible_at, now);
        Ok(())
    }

    /// Brings up to date what the time has changed.
    pub(super) fn advance(&mut self, connection: &Connection, now: i64) -> Result<()> {
        while let Some(&(deadline, id)) = self.deadlines.first().filter(|(deadline, _)| *deadline <= now) {
            messages::show(connection, id, deadline)?;
            if let Some(held) = self.unhold(id) {
                self.show(held.workspace, deadline, now);
            }
        }
        while let Some(&(_, workspace)) = self.timers.first().filter(|(at, _)| *at <= now) {
            self.place(workspace, now);
        }
        Ok(())
    }

    /// Delivers one message of the workspace whose turn it is, where that has fewer than `cap` in workers' hands.
    pub(super) fn claim(
        &mut self,
        connection: &Connection,
        now: i64,
        hidden_until: i64,
        cap: usize,
    ) -> Result<Option<Delivery>> {
        while let Some(workspace) = self.turns.pop_front() {
            let lane = self.lane(workspace);
            lane.place = Place::Nowhere;
            if lane.held >= cap {
                // Settling one of those puts it back.
                continue;
            }
            let first = messages::first_waiting(connection, workspace)?;
            self.lane(workspace).next = first.as_ref().map_or(NEVER, |first| first.visible_at);
            match first.filter(|first| first.visible_at <= now) {
                None => self.place(workspace, now),
                Some(first) if first.receives >= MAX_RECEIVES => {
                    messages::bury(connection, first.id, now)?;
                    self.place(workspace, now);
                }
                Some(first) => {
                    messages::hold(connection, first.id, hidden_until)?;
                    let receipt = Receipt { id: first.id, receives: first.receives + 1 };
                    self.hold(Held { receipt, workspace, deadline: hidden_until });
                    self.place(workspace, now);
                    return Ok(Some(Delivery {
                        message: Message {
                            kind: first.kind,
                            id: JobId(first.job.cast_unsigned()),
                            tenant: workspace,
                        },
                        receipt: receipt.text(),
                        receives: receipt.receives,
                    }));
                }
            }
        }
        Ok(None)
    }

    /// Does with a delivered message what the worker says. Nothing, where the receipt is no longer good.
    pub(super) fn settle(
        &mut self,
        connection: &Connection,
        receipt: Receipt,
        how: Settlement,
        now: i64,
    ) -> Result<()> {
        let id = receipt.id;
        let held = self.held.get(&id).is_some_and(|held| held.receipt == receipt);
        // Where the hold has ended and nobody has got it since, it may still be removed, as in SQS.
        if !held && !messages::is_waiting(connection, receipt)? {
            return Ok(());
        }
        let shown_at = match how {
            Settlement::Ack => {
                messages::delete(connection, id)?;
                NEVER
            }
            Settlement::Bury => {
                messages::bury(connection, id, now)?;
                NEVER
            }
            Settlement::Release(_) | Settlement::Return if !held => return Ok(()),
            Settlement::Release(delay) => {
                let visible_at = later(now, delay);
                messages::show(connection, id, visible_at)?;
                visible_at
            }
            Settlement::Return => {
                messages::undo(connection, id, now)?;
                now
            }
        };
        if let Some(held) = self.unhold(id) {
            self.show(held.workspace, shown_at, now);
        }
        Ok(())
    }

    /// When [`Lanes::advance`] has something to do.
    pub(super) fn next_due(&self) -> Option<i64> {
        let timer = self.timers.first().map(|(at, _)| *at);
        let deadline = self.deadlines.first().map(|(at, _)| *at);
        timer.into_iter().chain(deadline).min()
    }

    fn hold(&mut self, held: Held) {
        self.lane(held.workspace).held += 1;
        self.deadlines.insert((held.deadline, held.receipt.id));
        self.held.insert(held.receipt.id, held);
    }

    fn unhold(&mut self, id: i64) -> Option<Held> {
        let held = self.held.remove(&id)?;
        self.deadlines.remove(&(held.deadline, id));
        self.lane(held.workspace).held -= 1;
        Some(held)
    }

    /// A message of the workspace is visible from `at`.
    fn show(&mut self, workspace: WorkspaceId, at: i64, now: i64) {
        let lane = self.lane(workspace);
        lane.next = lane.next.min(at);
        self.place(workspace, now);
    }

    fn lane(&mut self, workspace: WorkspaceId) -> &mut Lane {
        self.lanes.entry(workspace).or_insert(Lane { held: 0, next: NEVER, place: Place::Nowhere })
    }

    /// Puts the workspace where it belongs, now that something about it has changed.
    fn place(&mut self, workspace: WorkspaceId, now: i64) {
        let Some(lane) = self.lanes.get_mut(&workspace) else { return };
        if let Place::InTimers(at) = lane.place {
            self.timers.remove(&(at, workspace));
            lane.place = Place::Nowhere;
        }
        if lane.place == Place::InTurns {
            return;
        }
        if lane.next <= now {
            lane.place = Place::InTurns;
            self.turns.push_back(workspace);
        } else if lane.next < NEVER {
            lane.place = Place::InTimers(lane.next);
            self.timers.insert((lane.next, workspace));
        } else if lane.held == 0 {
            self.lanes.remove(&workspace);
        }
    }
}
