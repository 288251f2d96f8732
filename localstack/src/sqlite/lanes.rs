//! Whose turn it is: the queue's messages by workspace. What is here is about workspaces with messages, and about messages
//! in workers' hands; the backlog itself stays in the database, and no step looks at more of it than one message.

use std::collections::{BTreeSet, HashMap, VecDeque};

use domain::{JobId, WorkspaceId};
use ports::queue::MAX_RECEIVES;
use ports::{Delivery, Message};
use rusqlite::{Connection, OptionalExtension, Result, Row, params};
use uuid::Uuid;

use super::clock::later;
use super::request::{Receipt, Settlement};

/// No message waits.
const NEVER: i64 = i64::MAX;
/// The longest delay, in milliseconds. What is hidden for longer was hidden by a clock that was wrong.
const MAX_DELAY: i64 = 15 * 60 * 1000;

/// The state of the queue that is not in the database, or is there but costs too much to ask for.
pub(super) struct Lanes {
    lanes: HashMap<WorkspaceId, Lane>,
    /// Workspaces that may have something to deliver, in the order of their turns.
    turns: VecDeque<WorkspaceId>,
    /// When the others may.
    timers: BTreeSet<(i64, WorkspaceId)>,
    held: HashMap<i64, Held>,
    /// When holds end.
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
    /// It was as far as it may be, or has nothing waiting.
    Nowhere,
    InTurns,
    InTimers(i64),
}

/// A message in a worker's hands.
struct Held {
    receives: u32,
    workspace: WorkspaceId,
    deadline: i64,
}

/// The first waiting message of a workspace.
struct Waiting {
    id: i64,
    job: i64,
    visible_at: i64,
    receives: u32,
}

impl Lanes {
    /// As it is when a server starts: nobody holds anything.
    pub(super) fn reset(connection: &Connection, now: i64) -> Result<Self> {
        connection.execute("UPDATE messages SET held = 0, visible_at = ?1 WHERE held = 1", [now])?;
        Self::load(connection, now)
    }

    /// As the database has it.
    pub(super) fn load(connection: &Connection, now: i64) -> Result<Self> {
        let last: i64 = connection.query_row(
            "SELECT max((SELECT ifnull(max(id), 0) FROM messages), (SELECT ifnull(max(id), 0) FROM dead_letters))",
            [],
            |row| row.get(0),
        )?;
        let mut lanes = Self {
            lanes: HashMap::new(),
            turns: VecDeque::new(),
            timers: BTreeSet::new(),
            held: HashMap::new(),
            deadlines: BTreeSet::new(),
            next_id: last + 1,
        };
        let mut statement =
            connection.prepare("SELECT id, workspace, visible_at, receives FROM messages WHERE held = 1")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let held = Held { workspace: workspace(row, 1)?, deadline: row.get(2)?, receives: row.get(3)? };
            lanes.hold(row.get(0)?, held);
        }
        let mut after = None;
        while let Some((workspace, first)) = next_workspace(connection, after)? {
            if first > now + MAX_DELAY {
                connection.execute(
                    "UPDATE messages SET visible_at = ?1 WHERE workspace = ?2 AND held = 0 AND visible_at > ?3",
                    params![now, workspace.0.as_bytes(), now + MAX_DELAY],
                )?;
            }
            lanes.lane(workspace).next = first.min(now + MAX_DELAY);
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
        connection
            .prepare_cached("INSERT INTO messages (id, workspace, job, visible_at, receives, held) VALUES (?1, ?2, ?3, ?4, 0, 0)")?
            .execute(params![
                self.next_id,
                message.workspace_id.0.as_bytes(),
                message.job_id.0.cast_signed(),
                visible_at
            ])?;
        self.next_id += 1;
        self.show(message.workspace_id, visible_at, now);
        Ok(())
    }

    /// Brings up to date what the time has changed.
    pub(super) fn advance(&mut self, connection: &Connection, now: i64) -> Result<()> {
        while let Some(&(deadline, id)) = self.deadlines.first().filter(|(deadline, _)| *deadline <= now) {
            connection.prepare_cached("UPDATE messages SET held = 0 WHERE id = ?1")?.execute([id])?;
            if let Some(held) = self.unhold(id) {
                self.show(held.workspace, deadline, now);
            }
        }
        while let Some(&(_, workspace)) = self.timers.first().filter(|(at, _)| *at <= now) {
            self.place(workspace, now);
        }
        Ok(())
    }

    /// Delivers one message of the workspace whose turn it is.
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
            let first = first_waiting(connection, workspace)?;
            lane.next = first.as_ref().map_or(NEVER, |first| first.visible_at);
            let Some(first) = first.filter(|first| first.visible_at <= now) else {
                self.place(workspace, now);
                continue;
            };
            if first.receives >= MAX_RECEIVES {
                bury(connection, first.id, now)?;
                self.place(workspace, now);
                continue;
            }
            let receives = first.receives + 1;
            connection
                .prepare_cached("UPDATE messages SET held = 1, visible_at = ?2, receives = ?3 WHERE id = ?1")?
                .execute(params![first.id, hidden_until, receives])?;
            self.hold(first.id, Held { receives, workspace, deadline: hidden_until });
            self.place(workspace, now);
            return Ok(Some(Delivery {
                message: Message { job_id: JobId(first.job.cast_unsigned()), workspace_id: workspace },
                receipt: Receipt { id: first.id, receives }.text(),
                receives,
            }));
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
        let Receipt { id, receives } = receipt;
        if self.held.get(&id).is_none_or(|held| held.receives != receives) {
            // The hold has ended, and the message is waiting, or another has it, or it is gone. One that waits may still
            // be removed, as in SQS.
            if matches!(how, Settlement::Ack | Settlement::Bury) {
                let waits = "SELECT 1 FROM messages WHERE id = ?1 AND receives = ?2 AND held = 0";
                if connection.prepare_cached(waits)?.exists(params![id, receives])? {
                    remove(connection, id, how, now)?;
                }
            }
            return Ok(());
        }
        let shown_at = match how {
            Settlement::Ack | Settlement::Bury => {
                remove(connection, id, how, now)?;
                NEVER
            }
            Settlement::Release(delay) => {
                let visible_at = later(now, delay);
                connection
                    .prepare_cached("UPDATE messages SET held = 0, visible_at = ?2 WHERE id = ?1")?
                    .execute(params![id, visible_at])?;
                visible_at
            }
            Settlement::Return => {
                connection
                    .prepare_cached("UPDATE messages SET held = 0, visible_at = ?2, receives = receives - 1 WHERE id = ?1")?
                    .execute(params![id, now])?;
                now
            }
        };
        if let Some(held) = self.unhold(id) {
            self.show(held.workspace, shown_at, now);
        }
        Ok(())
    }

    /// When [`Lanes::advance`] has something to do, in milliseconds since the epoch.
    pub(super) fn next_due(&self) -> Option<i64> {
        let timer = self.timers.first().map(|(at, _)| *at);
        let deadline = self.deadlines.first().map(|(at, _)| *at);
        timer.into_iter().chain(deadline).min()
    }

    fn hold(&mut self, id: i64, held: Held) {
        self.lane(held.workspace).held += 1;
        self.deadlines.insert((held.deadline, id));
        self.held.insert(id, held);
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

/// Removes dead letters from before `before`, in milliseconds since the epoch.
pub(super) fn forget_dead(connection: &Connection, before: i64, limit: usize) -> Result<usize> {
    const SQL: &str =
        "DELETE FROM dead_letters WHERE id IN (SELECT id FROM dead_letters WHERE died_at < ?1 LIMIT ?2)";
    connection.prepare_cached(SQL)?.execute(params![before, i64::try_from(limit).unwrap_or(i64::MAX)])
}

/// The workspace in a column of 16 bytes.
pub(super) fn workspace(row: &Row<'_>, column: usize) -> Result<WorkspaceId> {
    row.get(column).map(|bytes| WorkspaceId(Uuid::from_bytes(bytes)))
}

/// The workspace after this one that has messages waiting, and when the first of them is visible.
fn next_workspace(connection: &Connection, after: Option<WorkspaceId>) -> Result<Option<(WorkspaceId, i64)>> {
    const SQL: &str = "SELECT workspace, visible_at FROM messages WHERE held = 0 AND workspace > ?1
        ORDER BY workspace, visible_at LIMIT 1";
    let after: &[u8] = after.as_ref().map_or(&[], |workspace| workspace.0.as_bytes());
    connection.prepare_cached(SQL)?.query_row([after], |row| Ok((workspace(row, 0)?, row.get(1)?))).optional()
}

fn first_waiting(connection: &Connection, workspace: WorkspaceId) -> Result<Option<Waiting>> {
    const SQL: &str = "SELECT id, job, visible_at, receives FROM messages WHERE workspace = ?1 AND held = 0
        ORDER BY visible_at, id LIMIT 1";
    let read = |row: &Row<'_>| {
        Ok(Waiting { id: row.get(0)?, job: row.get(1)?, visible_at: row.get(2)?, receives: row.get(3)? })
    };
    connection.prepare_cached(SQL)?.query_row([workspace.0.as_bytes()], read).optional()
}

fn remove(connection: &Connection, id: i64, how: Settlement, now: i64) -> Result<()> {
    if how == Settlement::Bury {
        return bury(connection, id, now);
    }
    connection.prepare_cached("DELETE FROM messages WHERE id = ?1")?.execute([id])?;
    Ok(())
}

fn bury(connection: &Connection, id: i64, now: i64) -> Result<()> {
    const SQL: &str = "INSERT INTO dead_letters (id, workspace, job, receives, died_at)
        SELECT id, workspace, job, receives, ?2 FROM messages WHERE id = ?1";
    connection.prepare_cached(SQL)?.execute([id, now])?;
    remove(connection, id, Settlement::Ack, now)
}
