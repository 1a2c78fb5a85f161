//! Two sessions that name the same thread.

use std::time::Duration;

use super::*;
use crate::model::ErrorKind;

/// The other session's place in the same thread.
fn other(mode: Mode, thread: &Option<Thread>) -> Place {
    let named = thread.as_ref().map(|thread| Thread::named(thread.id.clone()));
    Place { session: "other".to_owned(), ..place(mode, named) }
}

async fn begin_other(engine: &CodexEngine, thread: &Option<Thread>) -> Box<dyn Run> {
    engine.begin(task(other(Mode::Auto, thread), &[(1, Role::User, "and me?")])).await.expect("a turn")
}

async fn check_refused(engine: &CodexEngine, thread: &Option<Thread>) {
    let error = rest(&mut begin_other(engine, thread).await).await.1.expect_err("a refusal");
    assert_eq!((error.kind, error.retryable), (ErrorKind::Unavailable, true), "{error}");
    assert!(error.message.ends_with("is at work for session s"), "{error}");
    assert!(error.hint.is_some_and(|hint| hint.contains("interrupt")));
}

async fn check_goes_on(engine: &CodexEngine, fake: &Fake, thread: &Option<Thread>) {
    let mut run = begin_other(engine, thread).await;
    next(&mut run).await;
    fake.finish();
    assert_eq!(rest(&mut run).await.1.expect("an end"), Ending::Done);
}

#[tokio::test(start_paused = true)]
async fn a_turn_is_not_disturbed_by_another_session() {
    let (engine, fake) = bench();
    let (mut run, thread) = at_work(&engine, &fake, Mode::Auto).await;
    fake.start_text("m1");
    fake.say("m1", "It is ");
    assert_eq!([next(&mut run).await, next(&mut run).await], [started(0), said(0, "It is ")]);
    fake.forget();
    check_refused(&engine, &thread).await;
    assert!(engine.warm(other(Mode::Auto, &thread)).await.is_none());
    assert!(engine.take_up(other(Mode::Auto, &thread)).await.expect("no fault").is_none());
    fake.say("m1", "mine.");
    fake.complete_text("m1", "It is mine.");
    fake.finish();
    let (happenings, end) = rest(&mut run).await;
    assert_eq!((happenings, end.expect("an end")), (vec![said(0, "mine."), stopped(0)], Ending::Done));
    assert_eq!(fake.methods(), Vec::<String>::new());
    check_goes_on(&engine, &fake, &thread).await;
}

#[tokio::test(start_paused = true)]
async fn two_that_begin_at_once_are_one_turn_and_a_refusal() {
    let (engine, fake) = bench();
    let (mut run, thread) = at_work(&engine, &fake, Mode::Auto).await;
    fake.finish();
    rest(&mut run).await.1.expect("an end");
    fake.forget();
    let mut first = begin(&engine, Mode::Auto, &thread, "me first").await;
    let ((), happening) = tokio::join!(check_refused(&engine, &thread), first.next());
    happening.expect("the model");
    fake.finish();
    assert_eq!(rest(&mut first).await.1.expect("an end"), Ending::Done);
    assert_eq!((fake.heard("turn/start").len(), fake.heard("turn/interrupt").len()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_waits_for_a_decision_is_not_disturbed_either() {
    let (engine, fake) = bench();
    let (mut run, thread) = at_work(&engine, &fake, Mode::Selective).await;
    let question = fake.command("a");
    next(&mut run).await;
    run.leave().await;
    check_refused(&engine, &thread).await;
    assert!(fake.heard("turn/interrupt").is_empty());
    let taken = engine.take_up(place(Mode::Selective, thread.clone())).await;
    let mut run = taken.expect("a thread").expect("a turn");
    while !matches!(next(&mut run).await, Happening::Asked(_)) {}
    run.answer("a", Answer::Deny).await.expect("an answer");
    assert_eq!(fake.answer(question).await["decision"], "decline");
    run.leave().await;

    // It dies with its server, which nobody has told the session that it belongs to.
    fake.restart();
    tokio::time::sleep(Duration::from_millis(1)).await;
    check_goes_on(&engine, &fake, &thread).await;
}

#[tokio::test(start_paused = true)]
async fn what_another_session_has_given_up_is_stopped_first() {
    let (engine, fake) = bench();
    fake.refuse_calls("turn/interrupt", &["no active turn to interrupt"; 2]);
    let (run, thread) = at_work(&engine, &fake, Mode::Auto).await;
    drop(run);
    check_goes_on(&engine, &fake, &thread).await;
    assert!(!fake.heard("turn/interrupt").is_empty());
}
