//! The threads of engines, and how far each knows its session.

use rusqlite::{Connection, Row, Transaction, params};

use super::fault::Fault;
use super::read::{rows, signed, unreadable, unsigned};
use crate::model::Thread;
use crate::sessions::{ThreadKind, Threads};

pub(super) fn of(connection: &Connection, session: &str) -> Result<Threads, Fault> {
    let mut threads = Threads::default();
    for (_, kind, thread) in rows(connection, "SELECT * FROM threads WHERE session = ?", [session], row)? {
        threads.put(kind, thread);
    }
    Ok(threads)
}

/// Messages are numbered by time in the whole store, so what a thread has seen says when it was used.
pub(super) fn used_last(connection: &Connection, limit: u32) -> Result<Vec<(String, ThreadKind, Thread)>, Fault> {
    rows(connection, "SELECT * FROM threads ORDER BY seen DESC LIMIT ?", [limit], row)
}

pub(super) fn put(
    transaction: &Transaction<'_>,
    session: &str,
    kind: ThreadKind,
    thread: &Thread,
) -> Result<(), Fault> {
    let sql = "INSERT INTO threads (session, kind, thread_id, fingerprint, seen)
               SELECT name, ?2, ?3, ?4, ?5 FROM sessions WHERE name = ?1
               ON CONFLICT (session, kind) DO UPDATE SET thread_id = excluded.thread_id,
               fingerprint = excluded.fingerprint, seen = excluded.seen";
    let values = params![session, kind.as_str(), thread.id, thread.fingerprint, signed(thread.seen)];
    match transaction.prepare_cached(sql)?.execute(values)? {
        0 => Err(Fault::NoSession(session.to_owned())),
        _ => Ok(()),
    }
}

/// A session without such a thread has none that could know anything.
pub(super) fn has_seen(
    transaction: &Transaction<'_>,
    session: &str,
    kind: ThreadKind,
    turn_id: &str,
) -> Result<(), Fault> {
    let sql = "UPDATE threads
               SET seen = coalesce((SELECT max(id) FROM messages WHERE session = ?1
                   AND turn_number = (SELECT number FROM turns WHERE id = ?3)), seen)
               WHERE session = ?1 AND kind = ?2";
    transaction.prepare_cached(sql)?.execute(params![session, kind.as_str(), turn_id])?;
    Ok(())
}

fn row(row: &Row<'_>) -> rusqlite::Result<(String, ThreadKind, Thread)> {
    let kind: String = row.get("kind")?;
    let unknown = || unreadable(format!("the kind of thread '{kind}' is not known").into());
    let thread =
        Thread { id: row.get("thread_id")?, fingerprint: row.get("fingerprint")?, seen: unsigned(row.get("seen")?) };
    Ok((row.get("session")?, ThreadKind::parse(&kind).ok_or_else(unknown)?, thread))
}
