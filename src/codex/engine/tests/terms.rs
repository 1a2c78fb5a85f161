//! What turns run with, which others may change as well.

use serde_json::Value;

use super::*;

/// Which terms a turn of that mode has to say, on a thread that is there.
async fn said(engine: &CodexEngine, fake: &Fake, mode: Mode, thread: &Option<Thread>) -> Value {
    fake.forget();
    let mut run = begin(engine, mode, thread, "hello").await;
    next(&mut run).await;
    let mut turn = fake.heard("turn/start").pop().expect("a turn");
    fake.finish();
    rest(&mut run).await.1.expect("an end");
    let turn = turn.as_object_mut().expect("an object");
    turn.retain(|name, _| !["threadId", "input", "clientUserMessageId", "additionalContext"].contains(&&**name));
    json!(turn)
}

/// What a turn says that asks for leave, whatever it knows.
fn asking() -> Value {
    let sandbox = json!({ "type": "workspaceWrite", "writableRoots": ["/more"], "networkAccess": false });
    json!({ "approvalPolicy": "untrusted", "approvalsReviewer": "user", "sandboxPolicy": sandbox })
}

#[tokio::test(start_paused = true)]
async fn what_another_client_changes_is_changed_back_and_said_once() {
    let (engine, fake) = bench();
    let thread = engine.warm(place(Mode::Auto, None)).await;
    assert_eq!(said(&engine, &fake, Mode::Auto, &thread).await, json!({}));
    fake.set(&json!({ "approvalPolicy": "untrusted", "cwd": "/elsewhere" }));
    tokio::time::sleep(Duration::from_millis(1)).await;
    let changed_back = json!({ "approvalPolicy": "never", "cwd": "/project" });
    assert_eq!(said(&engine, &fake, Mode::Auto, &thread).await, changed_back);
    assert_eq!(said(&engine, &fake, Mode::Auto, &thread).await, json!({}));
    assert_eq!(said(&engine, &fake, Mode::Selective, &thread).await, asking());
    assert_eq!(fake.settings()["approvalPolicy"], "untrusted");
    assert_eq!(said(&engine, &fake, Mode::Auto, &thread).await, json!({ "approvalPolicy": "never" }));
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_asks_for_leave_does_so_although_it_has_not_heard_of_a_change() {
    let (engine, fake) = bench();
    let thread = engine.warm(place(Mode::Selective, None)).await;
    for _ in 0..2 {
        fake.set(&json!({ "approvalPolicy": "never", "sandboxPolicy": { "type": "dangerFullAccess" } }));
        assert_eq!(said(&engine, &fake, Mode::Selective, &thread).await, asking());
        assert_eq!(fake.settings()["sandboxPolicy"], asking()["sandboxPolicy"]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_changed_while_nobody_heard_it_is_changed_back() {
    let (engine, fake) = bench();
    let thread = engine.warm(place(Mode::Auto, None)).await;
    assert_eq!(said(&engine, &fake, Mode::Auto, &thread).await, json!({}));
    fake.refuse(true);
    fake.cut();
    fake.set(&json!({ "approvalPolicy": "untrusted" }));
    fake.refuse(false);
    assert_eq!(said(&engine, &fake, Mode::Auto, &thread).await, json!({ "approvalPolicy": "never" }));
}

#[tokio::test(start_paused = true)]
async fn what_a_turn_said_that_is_refused_is_said_again() {
    let (engine, fake) = bench();
    let thread = engine.warm(place(Mode::Auto, None)).await;
    assert_eq!(said(&engine, &fake, Mode::Auto, &thread).await, json!({}));
    fake.refuse_calls("turn/start", &["not now"]);
    let mut run = begin(&engine, Mode::Selective, &thread, "hello").await;
    rest(&mut run).await.1.expect_err("a refusal");
    let mut all = asking();
    all["approvalPolicy"] = json!("never");
    assert_eq!(said(&engine, &fake, Mode::Auto, &thread).await, all);
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_begins_after_one_that_may_come_says_everything() {
    let (engine, fake) = bench();
    let thread = engine.warm(place(Mode::Auto, None)).await;
    said(&engine, &fake, Mode::Auto, &thread).await;
    fake.cut_at("turn/start", true);
    let mut run = begin(&engine, Mode::Selective, &thread, "lost").await;
    assert_eq!(next(&mut run).await, Happening::Model("gpt-5.5".to_owned()));
    drop(run);
    // It was resumed meanwhile, or is now: it says what the turn before it has set.
    assert_eq!(said(&engine, &fake, Mode::Auto, &thread).await, json!({ "approvalPolicy": "never" }));
    assert_eq!(said(&engine, &fake, Mode::Selective, &thread).await, asking());
}
