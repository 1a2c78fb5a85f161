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

#[cfg(test)]
mod tests {
    use rusqlite::Connection;
    use tempfile::TempDir;

    use crate::model::{Message, Mode, Role, Thread};
    use crate::sessions::{Sqlite, Store, ThreadKind, Threads, TurnRow, TurnSettings, TurnState, Write};

    fn turn(session: &str) -> Write {
        let (id, session) = (format!("turn-{session}"), session.to_owned());
        let (state, settings) = (TurnState::Running, TurnSettings::default());
        Write::Turn(TurnRow { id, session, state, settings, iterations: 0, created_at: 7 })
    }

    fn say(session: &str) -> Write {
        let (session, turn_id) = (session.to_owned(), format!("turn-{session}"));
        Write::Message { session, turn_id, message: Message::text(Role::User, "a"), provider: None }
    }

    fn thread(id: &str) -> Thread {
        Thread { id: id.to_owned(), fingerprint: "f".to_owned(), seen: 0 }
    }

    fn put(session: &str, mode: Mode, id: &str) -> Write {
        Write::Thread { session: session.to_owned(), mode, thread: thread(id) }
    }

    fn seen(session: &str, mode: Mode) -> Write {
        let (session, turn_id) = (session.to_owned(), format!("turn-{session}"));
        Write::Seen { session, mode, turn_id }
    }

    #[tokio::test]
    async fn a_session_has_one_thread_that_proposes_and_one_that_works() {
        let store = Sqlite::in_memory().unwrap();
        assert_eq!(store.threads("s").await.unwrap(), Threads::default());
        store.write(vec![turn("s"), put("s", Mode::Propose, "p")]).await.unwrap();
        assert_eq!(store.session("s").await.unwrap().unwrap().thread_id.as_deref(), Some("p"));
        store.write(vec![put("s", Mode::Auto, "a"), put("s", Mode::Selective, "w")]).await.unwrap();
        let expected = Threads { propose: Some(thread("p")), work: Some(thread("w")) };
        assert_eq!(store.threads("s").await.unwrap(), expected);
        assert_eq!(store.context("s", 0).await.unwrap().threads, expected);
        assert_eq!(store.sessions().await.unwrap()[0].thread_id.as_deref(), Some("w"));
        assert!(store.write(vec![put("gone", Mode::Auto, "x")]).await.is_err());
    }

    #[tokio::test]
    async fn the_thread_used_last_is_the_one_that_has_seen_most() {
        let store = Sqlite::in_memory().unwrap();
        let begin = |session| vec![turn(session), put(session, Mode::Auto, session), say(session), say("a")];
        store.write(begin("a")).await.unwrap();
        store.write(begin("b")).await.unwrap();
        store.write(vec![seen("a", Mode::Auto), seen("b", Mode::Auto), seen("a", Mode::Propose)]).await.unwrap();
        let used = store.threads_used_last(5).await.unwrap();
        let shown: Vec<_> = used.iter().map(|(name, kind, thread)| (name.as_str(), *kind, thread.seen)).collect();
        assert_eq!(shown, [("a", ThreadKind::Work, 4), ("b", ThreadKind::Work, 3)]);
        assert_eq!(store.threads_used_last(1).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_file_from_before_threads_keeps_its_actions() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("sessions.db");
        let old = Connection::open(&path).unwrap();
        old.execute_batch(include_str!("schema.sql")).unwrap();
        old.execute_batch(include_str!("usage.sql")).unwrap();
        let rows = "INSERT INTO sessions VALUES ('s', 1, 2, 3);
                    INSERT INTO actions (id, session, turn_id, skill, dangerous, state, created_at)
                    VALUES ('a', 's', 't', 'wipe', 1, 'held', 4);
                    PRAGMA user_version = 2";
        old.execute_batch(rows).unwrap();
        drop(old);
        let store = Sqlite::open(&path).unwrap();
        let action = store.action("a").await.unwrap().unwrap();
        assert_eq!((action.skill.as_str(), action.own, action.plugin), ("wipe", false, None));
        store.write(vec![put("s", Mode::Auto, "w")]).await.unwrap();
        store.delete("s").await.unwrap();
        assert!(store.threads_used_last(1).await.unwrap().is_empty());
    }
}
