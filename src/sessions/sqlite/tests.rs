//! The store through its one door, the trait; files through `open`.

use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use super::{Sqlite, open};
use crate::model::{Block, Message, Opaque, Role, ToolCall, ToolResult};
use crate::sessions::{ActionRow, ActionState, Context, Store, StoreError, TurnRow, TurnSettings, TurnState, Write};

fn turn(id: &str, session: &str) -> TurnRow {
    let settings = TurnSettings {
        downgrade_reason: Some("asked to".to_owned()),
        candidates: vec![("anthropic".to_owned(), Some("m".to_owned())), ("offline".to_owned(), None)],
        max_iterations: 6,
        per_model_timeout_ms: Some(10),
        ..TurnSettings::default()
    };
    let (id, session) = (id.to_owned(), session.to_owned());
    TurnRow { id, session, state: TurnState::Running, settings, iterations: 0, created_at: 7 }
}

fn say(session: &str, text: &str) -> Write {
    message(session, Message::text(Role::User, text))
}

fn message(session: &str, message: Message) -> Write {
    Write::Message { session: session.to_owned(), turn_id: "t1".to_owned(), message, provider: None }
}

fn action(id: &str, session: &str) -> ActionRow {
    ActionRow {
        id: id.to_owned(),
        session: session.to_owned(),
        turn_id: "t1".to_owned(),
        skill: "zone-delete".to_owned(),
        plugin: Some("client:quill".to_owned()),
        input: Some(json!({"zone": "a", "n": [1, null]})),
        tool_use_id: Some("call-1".to_owned()),
        reason: None,
        dangerous: true,
        own: false,
        state: ActionState::Held,
        created_at: 9,
    }
}

/// A store of one session `s` with these texts.
async fn with(texts: &[&str]) -> Sqlite {
    let store = Sqlite::in_memory().unwrap();
    let mut writes = vec![Write::Turn(turn("t1", "s"))];
    writes.extend(texts.iter().map(|text| say("s", text)));
    store.write(writes).await.unwrap();
    store
}

async fn texts(store: &Sqlite, limit: Option<u32>, before: Option<u64>) -> Vec<(u64, String)> {
    let rows = store.messages("s", limit, before).await.unwrap();
    rows.into_iter().map(|row| (row.id, row.message.plain_text())).collect()
}

/// The sentence, with the changing part of the path taken out.
fn sentence(error: &StoreError, dir: &TempDir) -> String {
    error.to_string().replace(dir.path().to_str().unwrap(), "DIR")
}

fn open_fault(path: &Path, dir: &TempDir) -> String {
    match Sqlite::open(path) {
        Ok(_) => "opened".to_owned(),
        Err(error) => sentence(&error, dir),
    }
}

fn temp() -> (TempDir, PathBuf) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("state").join("sessions.db");
    (dir, path)
}

#[tokio::test]
async fn messages_come_back_whole_and_in_order() {
    let store = with(&[]).await;
    let opaque = Opaque { dialect: "d".to_owned(), model: "m".to_owned(), value: json!({"sig": "x"}) };
    let call = ToolCall { id: "c".to_owned(), name: "n".to_owned(), arguments: "{ }".to_owned(), opaque: None };
    let result =
        ToolResult { call_id: "c".to_owned(), name: "n".to_owned(), is_error: true, content: "no\0pe".to_owned() };
    let blocks = vec![
        Block::Reasoning { text: String::new(), opaque: Some(opaque) },
        Block::Text { text: "snow ☃".to_owned() },
        Block::ToolCall(call),
    ];
    let sent = [
        Message { role: Role::Assistant, blocks },
        Message { role: Role::Tool, blocks: vec![Block::ToolResult(result)] },
    ];
    store.write(sent.iter().map(|sent| message("s", sent.clone())).collect()).await.unwrap();
    let rows = store.messages("s", None, None).await.unwrap();
    assert_eq!(rows.into_iter().map(|row| row.message).collect::<Vec<_>>(), sent);
}

#[tokio::test]
async fn pages_are_the_newest_in_order() {
    let store = with(&["a", "b", "c", "d"]).await;
    let page = |rows: &[(u64, String)]| rows.iter().map(|(_, text)| text.as_str()).collect::<String>();
    let all = texts(&store, None, None).await;
    assert_eq!(page(&all), "abcd");
    assert!(all.is_sorted_by_key(|(id, _)| *id));
    assert_eq!(page(&texts(&store, Some(2), None).await), "cd");
    assert_eq!(page(&texts(&store, Some(2), Some(all[2].0)).await), "ab");
    assert_eq!(page(&texts(&store, None, Some(all[1].0)).await), "a");
    assert_eq!(page(&texts(&store, Some(0), None).await), "");
    assert_eq!(page(&texts(&store, Some(9), Some(u64::MAX)).await), "abcd");
}

/// A queued turn's message is kept while the turn before it still goes on.
#[tokio::test]
async fn messages_are_read_turn_by_turn() {
    let store = with(&["a"]).await;
    let queued = TurnRow { state: TurnState::Queued, ..turn("t2", "s") };
    let ask = Write::Message {
        session: "s".to_owned(),
        turn_id: "t2".to_owned(),
        message: Message::text(Role::User, "c"),
        provider: None,
    };
    store.write(vec![Write::Turn(queued.clone()), ask, Write::Action(action("a1", "s"))]).await.unwrap();
    let ids = store.write(vec![say("s", "b"), Write::Turn(turn("t1", "s"))]).await.unwrap();
    let all = texts(&store, None, None).await;
    assert_eq!(all.iter().map(|(_, text)| text.as_str()).collect::<String>(), "abc");
    assert_eq!(ids, [all[1].0]);
    assert_eq!(texts(&store, None, Some(all[2].0)).await, all[..2]);
    assert_eq!(texts(&store, Some(1), Some(all[1].0)).await, all[..1]);

    let context = store.context("s", usize::MAX).await.unwrap();
    assert_eq!(context.messages, store.messages("s", None, None).await.unwrap());
    assert_eq!(
        context.states,
        HashMap::from([("t1".to_owned(), turn("t1", "s").state), ("t2".to_owned(), queued.state)])
    );
    assert_eq!(store.context("none", usize::MAX).await.unwrap(), Context::default());

    // Of a turn all or nothing is read.
    let newest = store.context("s", 0).await.unwrap();
    assert_eq!(newest.messages, context.messages[2..]);
    assert_eq!(newest.states.into_keys().collect::<Vec<_>>(), ["t2"]);
}

#[tokio::test]
async fn ids_grow_even_after_a_deletion() {
    let store = with(&["a", "b"]).await;
    let last = texts(&store, None, None).await.pop().unwrap().0;
    assert!(store.delete("s").await.unwrap());
    store.write(vec![Write::Turn(turn("t2", "s")), say("s", "c")]).await.unwrap();
    assert!(texts(&store, None, None).await[0].0 > last);
}

#[tokio::test]
async fn turns_are_kept_in_order_and_overwritten() {
    let store = with(&[]).await;
    store.write(vec![Write::Turn(turn("t2", "s"))]).await.unwrap();
    let state = Write::TurnState { turn_id: "t1".to_owned(), state: TurnState::Held, iterations: 3 };
    store.write(vec![state]).await.unwrap();
    let expected = TurnRow { state: TurnState::Held, iterations: 3, ..turn("t1", "s") };
    assert_eq!(store.turn("t1").await.unwrap(), Some(expected.clone()));
    assert_eq!(store.turns("s").await.unwrap(), [expected, turn("t2", "s")]);
    store.write(vec![Write::Turn(turn("t1", "s"))]).await.unwrap();
    assert_eq!(store.turns("s").await.unwrap(), [turn("t1", "s"), turn("t2", "s")]);
    assert_eq!(store.turn("none").await.unwrap(), None);
}

#[tokio::test]
async fn actions_wait_until_they_are_decided() {
    let store = with(&[]).await;
    let suggested = ActionRow { plugin: None, input: None, tool_use_id: None, ..action("a2", "s") };
    store.write(vec![Write::Action(action("a1", "s")), Write::Action(suggested.clone())]).await.unwrap();
    assert_eq!(store.held("s").await.unwrap(), [action("a1", "s"), suggested.clone()]);
    assert_eq!(store.session("s").await.unwrap().unwrap().held_count, 2);
    let decided = Write::Decide { id: "a1".to_owned(), state: ActionState::Approved };
    store.write(vec![decided]).await.unwrap();
    assert_eq!(store.held("s").await.unwrap(), [suggested]);
    let approved = ActionRow { state: ActionState::Approved, ..action("a1", "s") };
    assert_eq!(store.action("a1").await.unwrap(), Some(approved));
}

#[tokio::test]
async fn sessions_are_counted_and_the_newest_comes_first() {
    let store = with(&["a", "b"]).await;
    let seq = Write::LastSeq { session: "s".to_owned(), seq: 41 };
    store.write(vec![seq, Write::Turn(turn("t2", "later"))]).await.unwrap();
    let rows = store.sessions().await.unwrap();
    let summary: Vec<_> = rows.iter().map(|row| (row.name.as_str(), row.message_count, row.last_seq)).collect();
    assert_eq!(summary, [("later", 0, 0), ("s", 2, 41)]);
    assert!(rows.iter().all(|row| row.created_at > 0 && row.updated_at >= row.created_at));
    assert_eq!(store.session("none").await.unwrap(), None);
}

#[tokio::test]
async fn deleting_takes_all_of_a_session_and_nothing_else() {
    let store = with(&["a"]).await;
    let other = vec![Write::Turn(turn("o", "other")), say("other", "x"), Write::Action(action("ao", "other"))];
    store.write(other).await.unwrap();
    store.write(vec![Write::Action(action("a1", "s"))]).await.unwrap();
    assert!(store.delete("s").await.unwrap());
    assert!(!store.delete("s").await.unwrap());
    assert_eq!(store.turn("t1").await.unwrap(), None);
    assert_eq!(store.action("a1").await.unwrap(), None);
    assert!(texts(&store, None, None).await.is_empty());
    assert_eq!(store.messages("other", None, None).await.unwrap().len(), 1);
    assert_eq!(store.held("other").await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_list_that_fails_leaves_nothing_behind() {
    let store = with(&["a"]).await;
    let error = store.write(vec![say("s", "b"), say("gone", "c"), say("s", "d")]).await.unwrap_err();
    insta::assert_snapshot!(error, @"The session 'gone' is not in the sessions file :memory:; it may have been deleted meanwhile.");
    assert_eq!(texts(&store, None, None).await.len(), 1);
    store.write(vec![say("s", "b")]).await.unwrap();
    assert_eq!(texts(&store, None, None).await.len(), 2);
}

#[tokio::test]
async fn a_full_disk_is_said_and_survived() {
    let (dir, path) = temp();
    let store = Sqlite::open(&path).unwrap();
    store.write(vec![Write::Turn(turn("t1", "s"))]).await.unwrap();
    let pages = |count: u32| {
        store
            .run(move |connection| Ok(connection.pragma_update_and_check(None, "max_page_count", count, |_| Ok(()))?))
    };
    pages(1).await.unwrap();
    let long = "x".repeat(200_000);
    let error = store.write(vec![say("s", "short"), say("s", &long)]).await.unwrap_err();
    insta::assert_snapshot!(sentence(&error, &dir), @"The sessions file DIR/state/sessions.db cannot be written: the disk is full. Free some space, or set another state directory. Nothing of the last change was kept; it can be tried again.");
    assert!(texts(&store, None, None).await.is_empty());
    pages(1_000_000).await.unwrap();
    store.write(vec![say("s", "short"), say("s", &long)]).await.unwrap();
    assert_eq!(texts(&store, None, None).await.len(), 2);
}

/// Without a checkpoint or a close, as after `kill -9`: the files as they lie there are copied and opened.
#[tokio::test]
async fn what_was_acknowledged_survives_the_process() {
    let (dir, path) = temp();
    let store = Sqlite::open(&path).unwrap();
    store.write(vec![Write::Turn(turn("t1", "s")), say("s", "kept"), Write::Action(action("a1", "s"))]).await.unwrap();
    let copy = dir.path().join("copy.db");
    std::fs::copy(&path, &copy).unwrap();
    std::fs::copy(path.with_extension("db-wal"), copy.with_extension("db-wal")).unwrap();
    let after = Sqlite::open(&copy).unwrap();
    assert_eq!(texts(&after, None, None).await[0].1, "kept");
    assert_eq!(after.held("s").await.unwrap(), [action("a1", "s")]);
    assert_eq!(after.turn("t1").await.unwrap().unwrap().state, TurnState::Running);
}

#[tokio::test]
async fn two_processes_may_share_the_file() {
    let (_dir, path) = temp();
    let openers: Vec<_> = (0..6)
        .map(|_| {
            let path = path.clone();
            std::thread::spawn(move || Sqlite::open(&path))
        })
        .collect();
    let stores: Vec<Sqlite> = openers.into_iter().map(|opener| opener.join().unwrap().unwrap()).collect();
    stores[0].write(vec![Write::Turn(turn("t1", "s"))]).await.unwrap();
    let writes = stores.iter().map(|store| async move {
        for _ in 0..5 {
            store.write(vec![say("s", "x")]).await.unwrap();
        }
    });
    futures_util::future::join_all(writes).await;
    assert_eq!(texts(&stores[5], None, None).await.len(), 30);
}

#[tokio::test]
async fn the_files_are_private() {
    let (_dir, path) = temp();
    let store = Sqlite::open(&path).unwrap();
    store.write(vec![Write::Turn(turn("t1", "s"))]).await.unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    for extension in ["db", "db-wal", "db-shm"] {
        assert_eq!(mode(&path.with_extension(extension)), 0o600, "{extension}");
    }
}

#[tokio::test]
async fn loose_permissions_are_tightened() {
    let home = TempDir::new().unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let loosen = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    for (name, after) in [("open-think", 0o700), ("shared", 0o755)] {
        let path = home.path().join(name).join("s.db");
        let store = Sqlite::open(&path).unwrap();
        store.write(vec![Write::Turn(turn("t1", "s"))]).await.unwrap();
        let files = ["db", "db-wal", "db-shm"].map(|extension| path.with_extension(extension));
        files.iter().for_each(|file| loosen(file, 0o644));
        loosen(path.parent().unwrap(), 0o755);
        Sqlite::open(&path).unwrap();
        assert_eq!(files.map(|file| mode(&file)), [0o600; 3], "{name}");
        assert_eq!(mode(path.parent().unwrap()), after, "{name}");
    }
}

#[test]
fn a_locked_file_holds_up_nobody_for_long() {
    let (_dir, path) = temp();
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE t (a); BEGIN EXCLUSIVE").unwrap();
    let begun = Instant::now();
    let fault = open::file_within(&path, Duration::from_millis(300)).unwrap_err().at(&path);
    assert!(fault.to_string().contains("locked by another process"), "{fault}");
    let waited = begun.elapsed();
    assert!(waited >= Duration::from_millis(300) && waited < Duration::from_secs(3), "{waited:?}");

    let opener = std::thread::spawn(move || open::file(&path));
    std::thread::sleep(Duration::from_millis(300));
    other.execute_batch("ROLLBACK").unwrap();
    let connection = opener.join().unwrap().unwrap();
    let busy: u32 = connection.pragma_query_value(None, "busy_timeout", |row| row.get(0)).unwrap();
    assert_eq!(busy, 5000, "at work it waits longer than while opening");
}

#[test]
fn what_cannot_be_opened_says_why() {
    let dir = TempDir::new().unwrap();
    let at = |name: &str| dir.path().join(name);
    std::fs::write(at("text.db"), "not a database, but long enough to be read as a header of one\n".repeat(50))
        .unwrap();
    std::fs::write(at("plain"), "").unwrap();
    std::fs::create_dir(at("dir.db")).unwrap();
    let newer = open::file(&at("newer.db")).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    drop(newer);
    let faults = ["text.db", "plain/s.db", "dir.db", "newer.db"].map(|name| open_fault(&at(name), &dir));
    insta::assert_snapshot!(faults.join("\n"), @r"
    The sessions file DIR/text.db is damaged or is not a sessions file. Move it away, with the files beside it that start with its name, to start anew.
    The sessions file DIR/plain/s.db cannot be opened: a part of its path is a file, not a directory. Check the state directory.
    The sessions file DIR/dir.db cannot be opened: Is a directory (os error 21). Check the path, or set another state directory.
    The sessions file DIR/newer.db has format 99, and this open-think knows formats up to 4. Update open-think, or move the file away to start anew.
    ");
}

#[tokio::test]
async fn a_lock_and_a_damaged_row_are_told_apart() {
    let (dir, path) = temp();
    let store = Sqlite::open(&path).unwrap();
    store.write(vec![Write::Turn(turn("t1", "s")), say("s", "a")]).await.unwrap();
    store.run(|connection| Ok(connection.busy_timeout(Duration::ZERO)?)).await.unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let locked = store.write(vec![say("s", "b")]).await.unwrap_err();
    assert_eq!(texts(&store, None, None).await.len(), 1);
    other.execute_batch("UPDATE messages SET message = '{'; COMMIT").unwrap();
    let damaged = store.messages("s", None, None).await.unwrap_err();
    let faults = [locked, damaged].map(|error| sentence(&error, &dir));
    insta::assert_snapshot!(faults.join("\n"), @r"
    The sessions file DIR/state/sessions.db is locked by another process. Try again, or end the program that holds it (`fuser DIR/state/sessions.db` names it).
    The sessions file DIR/state/sessions.db holds a row that this open-think cannot read (EOF while parsing an object at line 1 column 1). Update open-think, or delete the session.
    ");
}

#[tokio::test]
async fn a_directory_that_is_mended_later_will_do() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    std::fs::write(&state, "in the way").unwrap();
    let path = state.join("sessions.db");
    let (store, error) = Sqlite::open_or_retry(&path).unwrap();
    assert!(error.unwrap().to_string().contains("sessions.db cannot be opened"));
    assert!(store.sessions().await.is_err());
    std::fs::remove_file(&state).unwrap();
    assert_eq!(store.sessions().await.unwrap(), []);
}
