//! The queue's messages as rows. Times are in milliseconds since the epoch.

use domain::{JobKind, WorkspaceId};
use ports::Message;
use rusqlite::{Connection, OptionalExtension, Result, Row, params};
use uuid::Uuid;

use super::request::Receipt;

const LAST_ID: &str = "SELECT max(
    (SELECT ifnull(max(id), 0) FROM messages), (SELECT ifnull(max(id), 0) FROM dead_letters))";
const RESET: &str = "UPDATE messages SET held = 0, visible_at = ?1 WHERE held = 1";
const ALL_HELD: &str = "SELECT id, workspace, visible_at, receives FROM messages WHERE held = 1";
const NEXT_WORKSPACE: &str = "SELECT workspace, visible_at FROM messages WHERE held = 0 AND workspace > ?1
    ORDER BY workspace, visible_at LIMIT 1";
const CLAMP: &str =
    "UPDATE messages SET visible_at = ?3 WHERE workspace = ?1 AND held = 0 AND visible_at > ?2";
const INSERT: &str = "INSERT INTO messages (id, workspace, job, visible_at, receives, held, kind)
    VALUES (?1, ?2, ?3, ?4, 0, 0, ?5)";
const FIRST_WAITING: &str =
    "SELECT id, job, visible_at, receives, kind FROM messages WHERE workspace = ?1 AND held = 0
    ORDER BY visible_at, id LIMIT 1";
const HOLD: &str = "UPDATE messages SET held = 1, visible_at = ?2, receives = receives + 1 WHERE id = ?1";
const SHOW: &str = "UPDATE messages SET held = 0, visible_at = ?2 WHERE id = ?1";
const UNDO: &str = "UPDATE messages SET held = 0, visible_at = ?2, receives = receives - 1 WHERE id = ?1";
const IS_WAITING: &str = "SELECT 1 FROM messages WHERE id = ?1 AND receives = ?2 AND held = 0";
const DELETE: &str = "DELETE FROM messages WHERE id = ?1";
const KEEP_DEAD: &str = "INSERT INTO dead_letters (id, workspace, job, receives, died_at, kind)
    SELECT id, workspace, job, receives, ?2, kind FROM messages WHERE id = ?1";
const FORGET_DEAD: &str = "DELETE FROM dead_letters
    WHERE id IN (SELECT id FROM dead_letters WHERE died_at < ?1 LIMIT ?2)";

/// All of these, for the test of their plans.
#[cfg(test)]
pub(super) const STATEMENTS: [&str; 14] = [
    LAST_ID,
    RESET,
    ALL_HELD,
    NEXT_WORKSPACE,
    CLAMP,
    INSERT,
    FIRST_WAITING,
    HOLD,
    SHOW,
    UNDO,
    IS_WAITING,
    DELETE,
    KEEP_DEAD,
    FORGET_DEAD,
];

/// A message in a worker's hands.
pub(super) struct Held {
    pub(super) receipt: Receipt,
    pub(super) workspace: WorkspaceId,
    /// When it is shown again.
    pub(super) deadline: i64,
}

/// The first waiting message of a workspace.
pub(super) struct Waiting {
    pub(super) id: i64,
    pub(super) kind: JobKind,
    pub(super) job: i64,
    pub(super) visible_at: i64,
    pub(super) receives: u32,
}

/// The last id that was given to a message which is still here, dead or alive.
pub(super) fn last_id(connection: &Connection) -> Result<i64> {
    connection.query_row(LAST_ID, [], |row| row.get(0))
}

/// Shows all that are held.
pub(super) fn reset(connection: &Connection, now: i64) -> Result<()> {
    connection.execute(RESET, [now]).map(drop)
}

pub(super) fn all_held(connection: &Connection) -> Result<Vec<Held>> {
    let read = |row: &Row<'_>| {
        let receipt = Receipt { id: row.get(0)?, receives: row.get(3)? };
        Ok(Held { receipt, workspace: workspace(row, 1)?, deadline: row.get(2)? })
    };
    connection.prepare_cached(ALL_HELD)?.query_map([], read)?.collect()
}

/// The workspace after this one that has messages waiting, and when the first of them is visible.
pub(super) fn next_workspace(
    connection: &Connection,
    after: Option<WorkspaceId>,
) -> Result<Option<(WorkspaceId, i64)>> {
    let after: &[u8] = after.as_ref().map_or(&[], |workspace| workspace.0.as_bytes());
    let read = |row: &Row<'_>| Ok((workspace(row, 0)?, row.get(1)?));
    connection.prepare_cached(NEXT_WORKSPACE)?.query_row([after], read).optional()
}

/// Shows at `now` what of the workspace would be shown after `latest`.
pub(super) fn clamp(connection: &Connection, workspace: WorkspaceId, latest: i64, now: i64) -> Result<()> {
    connection.execute(CLAMP, params![workspace.0.as_bytes(), latest, now]).map(drop)
}

pub(super) fn insert(connection: &Connection, id: i64, message: &Message, visible_at: i64) -> Result<()> {
    let Message { kind, id: job, tenant } = message;
    let values = params![id, tenant.0.as_bytes(), job.0.cast_signed(), visible_at, kind.as_str()];
    connection.prepare_cached(INSERT)?.execute(values).map(drop)
}

pub(super) fn first_waiting(connection: &Connection, workspace: WorkspaceId) -> Result<Option<Waiting>> {
    let read = |row: &Row<'_>| {
        Ok(Waiting {
            id: row.get(0)?,
            job: row.get(1)?,
            visible_at: row.get(2)?,
            receives: row.get(3)?,
            kind: kind(row, 4)?,
        })
    };
    connection.prepare_cached(FIRST_WAITING)?.query_row([workspace.0.as_bytes()], read).optional()
}

/// Hides the message from others, and counts the delivery.
pub(super) fn hold(connection: &Connection, id: i64, until: i64) -> Result<()> {
    connection.prepare_cached(HOLD)?.execute([id, until]).map(drop)
}

/// Ends a hold.
pub(super) fn show(connection: &Connection, id: i64, visible_at: i64) -> Result<()> {
    connection.prepare_cached(SHOW)?.execute([id, visible_at]).map(drop)
}

/// Ends a hold, as if the message had not been delivered.
pub(super) fn undo(connection: &Connection, id: i64, visible_at: i64) -> Result<()> {
    connection.prepare_cached(UNDO)?.execute([id, visible_at]).map(drop)
}

/// Whether the message waits, and has not been delivered since.
pub(super) fn is_waiting(connection: &Connection, receipt: Receipt) -> Result<bool> {
    connection.prepare_cached(IS_WAITING)?.exists(params![receipt.id, receipt.receives])
}

pub(super) fn delete(connection: &Connection, id: i64) -> Result<()> {
    connection.prepare_cached(DELETE)?.execute([id]).map(drop)
}

/// Moves the message to the dead letters.
pub(super) fn bury(connection: &Connection, id: i64, now: i64) -> Result<()> {
    connection.prepare_cached(KEEP_DEAD)?.execute([id, now])?;
    delete(connection, id)
}

/// Removes up to `limit` dead letters from before `before`.
pub(super) fn forget_dead(connection: &Connection, before: i64, limit: usize) -> Result<()> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    connection.prepare_cached(FORGET_DEAD)?.execute([before, limit]).map(drop)
}

/// The kind of a job in a column of text.
pub(super) fn kind(row: &Row<'_>, column: usize) -> Result<JobKind> {
    Ok(JobKind::from(row.get_ref(column)?.as_str()?))
}

/// The workspace in a column of 16 bytes.
pub(super) fn workspace(row: &Row<'_>, column: usize) -> Result<WorkspaceId> {
    row.get(column).map(|bytes| WorkspaceId(Uuid::from_bytes(bytes)))
}
