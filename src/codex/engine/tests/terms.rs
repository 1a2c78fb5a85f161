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

#[tokio::test(start_paused = true)]
async fn what_another_client_changes_is_changed_back_and_said_once() {
    let (engine, fake) = bench();
    let thread = engine.warm(place(Mode::Selective, None)).await;
    assert_eq!(said(&engine, &fake, Mode::Selective, &thread).await, json!({}));
    fake.set(&json!({ "approvalPolicy": "never", "cwd": "/elsewhere" }));
    tokio::time::sleep(Duration::from_millis(1)).await;
    let changed_back = json!({ "approvalPolicy": "untrusted", "cwd": "/project" });
    assert_eq!(said(&engine, &fake, Mode::Selective, &thread).await, changed_back);
    assert_eq!(said(&engine, &fake, Mode::Selective, &thread).await, json!({}));
    assert_eq!(said(&engine, &fake, Mode::Auto, &thread).await, json!({ "approvalPolicy": "never" }));
    assert_eq!(said(&engine, &fake, Mode::Auto, &thread).await, json!({}));
    assert_eq!(fake.settings()["approvalPolicy"], "never");
}

#[tokio::test(start_paused = true)]
async fn what_was_changed_while_nobody_heard_it_is_changed_back() {
    let (engine, fake) = bench();
    let thread = engine.warm(place(Mode::Selective, None)).await;
    assert_eq!(said(&engine, &fake, Mode::Selective, &thread).await, json!({}));
    fake.refuse(true);
    fake.cut();
    fake.set(&json!({ "approvalPolicy": "never" }));
    fake.refuse(false);
    assert_eq!(said(&engine, &fake, Mode::Selective, &thread).await, json!({ "approvalPolicy": "untrusted" }));
}

#[tokio::test(start_paused = true)]
async fn what_a_turn_said_that_is_refused_is_said_again() {
    let (engine, fake) = bench();
    let thread = engine.warm(place(Mode::Selective, None)).await;
    assert_eq!(said(&engine, &fake, Mode::Selective, &thread).await, json!({}));
    fake.refuse_calls("turn/start", &["not now"]);
    let mut run = begin(&engine, Mode::Auto, &thread, "hello").await;
    rest(&mut run).await.1.expect_err("a refusal");
    assert_eq!(said(&engine, &fake, Mode::Selective, &thread).await, json!({ "approvalPolicy": "untrusted" }));
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
    assert_eq!(said(&engine, &fake, Mode::Selective, &thread).await, json!({ "approvalPolicy": "untrusted" }));
}
