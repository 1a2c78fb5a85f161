//! Questions, and rows made of the answers.

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Params, Row, params};
use serde::de::DeserializeOwned;

use super::fault::Fault;
use super::threads;
use crate::sessions::{ActionRow, ActionState, Context, MessageRow, SessionRow, TurnRow, TurnState};

const SESSION: &str = "SELECT name, created_at, updated_at, last_seq,
    (SELECT count(*) FROM messages WHERE messages.session = sessions.name) AS message_count,
    (SELECT count(*) FROM actions WHERE actions.session = sessions.name AND state = 'held') AS held_count,
    EXISTS (SELECT 1 FROM turns WHERE turns.session = sessions.name AND state = 'running') AS interrupted,
    (SELECT thread_id FROM threads WHERE threads.session = sessions.name ORDER BY kind DESC LIMIT 1) AS thread_id
    FROM sessions";

pub(super) fn sessions(connection: &Connection) -> Result<Vec<SessionRow>, Fault> {
    rows(connection, &format!("{SESSION} ORDER BY updated_at DESC, rowid DESC"), [], session_row)
}

pub(super) fn session(connection: &Connection, name: &str) -> Result<Option<SessionRow>, Fault> {
    first(connection, &format!("{SESSION} WHERE name = ?"), [name], session_row)
}

/// In one transaction, so that nothing comes between.
pub(super) fn context(connection: &mut Connection, session: &str, bytes: usize) -> Result<Context, Fault> {
    newest_turns(&*connection.transaction()?, session, bytes)
}

/// Whole turns from the newest back, until they hold so many bytes. Within a transaction.
pub(super) fn newest_turns(connection: &Connection, session: &str, bytes: usize) -> Result<Context, Fault> {
    let sql = "SELECT messages.id, turn_id, message, provider, messages.created_at, turns.state
               FROM messages LEFT JOIN turns ON turns.id = turn_id
               WHERE messages.session = ? ORDER BY turn_number DESC, messages.id DESC";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([session])?;
    let mut context = Context::default();
    let mut read = 0;
    while let Some(row) = rows.next()? {
        let turn_id: String = row.get("turn_id")?;
        let begins_turn = context.messages.last().is_none_or(|message: &MessageRow| message.turn_id != turn_id);
        if begins_turn && read > bytes {
            break;
        }
        read += row.get_ref("message")?.as_str().map_or(0, str::len);
        context.messages.push(message_row(row)?);
        if begins_turn && row.get::<_, Option<String>>("state")?.is_some() {
            context.states.insert(turn_id, state(row, TurnState::parse)?);
        }
    }
    context.messages.reverse();
    context.threads = threads::of(connection, session)?;
    Ok(context)
}

pub(super) fn messages(
    connection: &Connection,
    session: &str,
    limit: Option<u32>,
    before: Option<u64>,
) -> Result<Vec<MessageRow>, Fault> {
    // One that is not there comes after all that are.
    let sql = "SELECT id, turn_id, message, provider, created_at FROM messages
               WHERE session = ?1 AND (turn_number, id) <
                   (coalesce((SELECT turn_number FROM messages WHERE id = ?2), 9223372036854775807), ?2)
               ORDER BY turn_number DESC, id DESC LIMIT ?3";
    let before = before.map_or(i64::MAX, signed);
    // SQLite reads a negative limit as none.
    let limit = limit.map_or(-1, i64::from);
    let mut rows = rows(connection, sql, params![session, before, limit], message_row)?;
    rows.reverse();
    Ok(rows)
}

pub(super) fn turn(connection: &Connection, id: &str) -> Result<Option<TurnRow>, Fault> {
    first(connection, "SELECT * FROM turns WHERE id = ?", [id], turn_row)
}

pub(super) fn turns(connection: &Connection, session: &str) -> Result<Vec<TurnRow>, Fault> {
    let sql = "SELECT * FROM turns WHERE session = ? ORDER BY number";
    rows(connection, sql, [session], turn_row)
}

pub(super) fn held(connection: &Connection, session: &str) -> Result<Vec<ActionRow>, Fault> {
    let sql = "SELECT * FROM actions WHERE session = ? AND state = 'held' ORDER BY number";
    rows(connection, sql, [session], action_row)
}

pub(super) fn action(connection: &Connection, id: &str) -> Result<Option<ActionRow>, Fault> {
    first(connection, "SELECT * FROM actions WHERE id = ?", [id], action_row)
}

/// SQLite has signed numbers only.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

pub(super) fn rows<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    make: fn(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, Fault> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params, make)?;
    Ok(rows.collect::<rusqlite::Result<Vec<T>>>()?)
}

fn first<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    make: fn(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Option<T>, Fault> {
    Ok(connection.prepare_cached(sql)?.query_row(params, make).optional()?)
}

fn session_row(row: &Row<'_>) -> rusqlite::Result<SessionRow> {
    Ok(SessionRow {
        name: row.get("name")?,
        created_at: unsigned(row.get("created_at")?),
        updated_at: unsigned(row.get("updated_at")?),
        message_count: unsigned(row.get("message_count")?),
        held_count: unsigned(row.get("held_count")?),
        last_seq: unsigned(row.get("last_seq")?),
        interrupted: row.get("interrupted")?,
        thread_id: row.get("thread_id")?,
    })
}

fn message_row(row: &Row<'_>) -> rusqlite::Result<MessageRow> {
    // By number and borrowed: every turn reads all messages of its session.
    Ok(MessageRow {
        id: unsigned(row.get(0)?),
        turn_id: row.get(1)?,
        message: from_json(row.get_ref(2)?.as_str()?)?,
        provider: row.get(3)?,
        created_at: unsigned(row.get(4)?),
    })
}

fn turn_row(row: &Row<'_>) -> rusqlite::Result<TurnRow> {
    Ok(TurnRow {
        id: row.get("id")?,
        session: row.get("session")?,
        state: state(row, TurnState::parse)?,
        settings: from_json(&row.get::<_, String>("settings")?)?,
        iterations: row.get("iterations")?,
        created_at: unsigned(row.get("created_at")?),
    })
}

fn action_row(row: &Row<'_>) -> rusqlite::Result<ActionRow> {
    let input: Option<String> = row.get("input")?;
    Ok(ActionRow {
        id: row.get("id")?,
        session: row.get("session")?,
        turn_id: row.get("turn_id")?,
        skill: row.get("skill")?,
        plugin: row.get("plugin")?,
        input: input.as_deref().map(from_json).transpose()?,
        tool_use_id: row.get("tool_use_id")?,
        reason: row.get("reason")?,
        dangerous: row.get("dangerous")?,
        own: row.get("own")?,
        state: state(row, ActionState::parse)?,
        created_at: unsigned(row.get("created_at")?),
    })
}

fn state<T>(row: &Row<'_>, parse: fn(&str) -> Option<T>) -> rusqlite::Result<T> {
    let text: String = row.get("state")?;
    parse(&text).ok_or_else(|| unreadable(format!("the state '{text}' is not known").into()))
}

fn from_json<T: DeserializeOwned>(text: &str) -> rusqlite::Result<T> {
    serde_json::from_str(text).map_err(|error| unreadable(error.into()))
}

pub(super) fn unreadable(error: Box<dyn std::error::Error + Send + Sync>) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, Type::Text, error)
}
