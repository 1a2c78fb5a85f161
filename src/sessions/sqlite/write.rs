//! Changes: every list of them in one transaction.

use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::fault::Fault;
use super::read::{self, signed, unsigned};
use super::threads;
use crate::model::Message;
use crate::sessions::{ActionRow, Context, ThreadKind, TurnRow, Write};

/// The ids of the messages, in order.
pub(super) fn all(connection: &mut Connection, writes: &[Write]) -> Result<Vec<u64>, Fault> {
    // Immediate: a transaction that begins by reading could find, too late to wait, that another process wrote.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let ids = each(&transaction, writes)?;
    transaction.commit()?;
    Ok(ids)
}

pub(super) fn all_and_read(
    connection: &mut Connection,
    writes: &[Write],
    session: &str,
    bytes: usize,
) -> Result<Context, Fault> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    each(&transaction, writes)?;
    let context = read::newest_turns(&transaction, session, bytes)?;
    transaction.commit()?;
    Ok(context)
}

pub(super) fn delete(connection: &mut Connection, name: &str) -> Result<bool, Fault> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let deleted = transaction.prepare_cached("DELETE FROM sessions WHERE name = ?")?.execute([name])?;
    transaction.commit()?;
    Ok(deleted > 0)
}

fn each(transaction: &Transaction<'_>, writes: &[Write]) -> Result<Vec<u64>, Fault> {
    let now = now();
    let mut ids = Vec::new();
    for write in writes {
        ids.extend(one(transaction, write, now)?);
    }
    Ok(ids)
}

/// The id, where it is a message.
fn one(transaction: &Transaction<'_>, write: &Write, now: i64) -> Result<Option<u64>, Fault> {
    match write {
        Write::Turn(turn) => put_turn(transaction, turn, now)?,
        Write::Message { session, turn_id, message, provider } => {
            touch(transaction, session, now)?;
            return put_message(transaction, (session, turn_id), message, provider.as_deref(), now).map(Some);
        }
        Write::TurnState { turn_id, state, iterations } => {
            let sql = "UPDATE turns SET state = ?, iterations = ? WHERE id = ?";
            transaction.prepare_cached(sql)?.execute(params![state.as_str(), iterations, turn_id])?;
        }
        Write::Action(action) => {
            touch(transaction, &action.session, now)?;
            put_action(transaction, action)?;
        }
        Write::Decide { id, state } => {
            let sql = "UPDATE actions SET state = ? WHERE id = ? AND state = 'held'";
            if transaction.prepare_cached(sql)?.execute(params![state.as_str(), id])? == 0 {
                return Err(Fault::Decided(id.clone()));
            }
        }
        Write::Supersede { session } => {
            let sql = "UPDATE actions SET state = 'superseded' WHERE session = ? AND state = 'held'";
            transaction.prepare_cached(sql)?.execute([session])?;
        }
        Write::LastSeq { session, seq } => {
            let sql = "UPDATE sessions SET last_seq = ? WHERE name = ?";
            transaction.prepare_cached(sql)?.execute(params![signed(*seq), session])?;
        }
        Write::Thread { session, mode, thread } => threads::put(transaction, session, ThreadKind::of(*mode), thread)?,
        Write::Seen { session, mode, turn_id } => {
            threads::has_seen(transaction, session, ThreadKind::of(*mode), turn_id)?;
        }
    }
    Ok(None)
}

fn put_turn(transaction: &Transaction<'_>, turn: &TurnRow, now: i64) -> Result<(), Fault> {
    let sql = "INSERT INTO sessions (name, created_at, updated_at) VALUES (?1, ?2, ?2)
               ON CONFLICT (name) DO UPDATE SET updated_at = max(updated_at, excluded.updated_at)";
    transaction.prepare_cached(sql)?.execute(params![turn.session, now])?;
    let sql = "INSERT INTO turns (id, session, state, settings, iterations, created_at) VALUES (?, ?, ?, ?, ?, ?)
               ON CONFLICT (id) DO UPDATE SET session = excluded.session, state = excluded.state,
               settings = excluded.settings, iterations = excluded.iterations, created_at = excluded.created_at";
    transaction.prepare_cached(sql)?.execute(params![
        turn.id,
        turn.session,
        turn.state.as_str(),
        to_json(&turn.settings)?,
        turn.iterations,
        signed(turn.created_at),
    ])?;
    Ok(())
}

/// A deleted session stays deleted: only a turn makes one.
fn touch(transaction: &Transaction<'_>, session: &str, now: i64) -> Result<(), Fault> {
    let sql = "UPDATE sessions SET updated_at = max(updated_at, ?) WHERE name = ?";
    match transaction.prepare_cached(sql)?.execute(params![now, session])? {
        0 => Err(Fault::NoSession(session.to_owned())),
        _ => Ok(()),
    }
}

fn put_message(
    transaction: &Transaction<'_>,
    (session, turn_id): (&str, &str),
    message: &Message,
    provider: Option<&str>,
    now: i64,
) -> Result<u64, Fault> {
    // A message of a turn that was never kept stands last.
    let sql = "INSERT INTO messages (session, turn_id, turn_number, message, provider, created_at) VALUES
               (?1, ?2, coalesce((SELECT number FROM turns WHERE id = ?2), 9223372036854775807), ?3, ?4, ?5)";
    let row = params![session, turn_id, to_json(message)?, provider, now];
    Ok(unsigned(transaction.prepare_cached(sql)?.insert(row)?))
}

fn put_action(transaction: &Transaction<'_>, action: &ActionRow) -> Result<(), Fault> {
    let sql = "INSERT INTO actions
               (id, session, turn_id, skill, plugin, input, tool_use_id, reason, dangerous, own, state, created_at)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
               ON CONFLICT (id) DO UPDATE SET session = excluded.session, turn_id = excluded.turn_id,
               skill = excluded.skill, plugin = excluded.plugin, input = excluded.input,
               tool_use_id = excluded.tool_use_id, reason = excluded.reason, dangerous = excluded.dangerous, own = excluded.own, state = excluded.state,
               created_at = excluded.created_at";
    transaction.prepare_cached(sql)?.execute(params![
        action.id,
        action.session,
        action.turn_id,
        action.skill,
        action.plugin,
        action.input.as_ref().map(to_json).transpose()?,
        action.tool_use_id,
        action.reason,
        action.dangerous,
        action.own,
        action.state.as_str(),
        signed(action.created_at),
    ])?;
    Ok(())
}

fn to_json(value: &impl serde::Serialize) -> Result<String, Fault> {
    serde_json::to_string(value)
        .map_err(|error| Fault::Sqlite(rusqlite::Error::ToSqlConversionFailure(Box::new(error))))
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
