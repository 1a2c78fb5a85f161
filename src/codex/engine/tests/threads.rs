//! Threads between turns.

use std::time::Duration;

use super::*;
use crate::model::ErrorKind;

#[tokio::test(start_paused = true)]
async fn a_turn_that_was_left_is_taken_up_by_the_same_process_and_by_another() {
    let (engine, fake) = bench();
    let (mut run, thread) = at_work(&engine, &fake, Mode::Selective).await;
    fake.speak("m0", "I need it.");
    let question = fake.command("a");
    while !matches!(next(&mut run).await, Happening::Asked(_)) {}
    run.leave().await;
    let taken = engine.take_up(place(Mode::Selective, thread.clone())).await;
    let mut run = taken.expect("a thread").expect("a turn");
    assert_eq!(next(&mut run).await, Happening::Model("gpt-5.5".to_owned()));
    let Happening::Asked(asked) = next(&mut run).await else { panic!("what was said is not told again") };
    assert_eq!(asked.id, "a");
    run.leave().await;

    // The daemon is started anew.
    drop(engine);
    let engine = fake.engine();
    let there = || place(Mode::Selective, thread.clone());
    // Its threads are made ready at the same time.
    let (_, taken, _) = tokio::join!(engine.warm(there()), engine.take_up(there()), engine.warm(there()));
    let mut run = taken.expect("a thread").expect("a turn");
    next(&mut run).await;
    assert!(matches!(next(&mut run).await, Happening::Asked(_)));
    run.answer("a", Answer::Allow).await.expect("an answer");
    assert_eq!(fake.answer(question).await["decision"], "accept");
    fake.complete(fake::command("a", "completed"));
    fake.speak("m1", "Done.");
    fake.finish();
    let (happenings, end) = rest(&mut run).await;
    let [Happening::Did(_), said @ ..] = happenings.as_slice() else { panic!("{happenings:?}") };
    assert_eq!(said, [started(0), super::said(0, "Done."), stopped(0)]);
    assert_eq!(end.expect("an end"), Ending::Done);
    assert!(engine.take_up(place(Mode::Selective, thread)).await.expect("a thread").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_another_process_left_is_stopped_before_the_next() {
    let (engine, fake) = bench();
    let (run, thread) = at_work(&engine, &fake, Mode::Auto).await;
    run.leave().await;
    drop(engine);
    let engine = fake.engine();
    let mut run = begin(&engine, Mode::Auto, &thread, "something else").await;
    next(&mut run).await;
    assert_eq!(fake.heard("turn/interrupt").len(), 1);
    fake.finish();
    rest(&mut run).await.1.expect("an end");
}

/// The server answers `turn/start` before it lists the turn.
#[tokio::test(start_paused = true)]
async fn a_turn_that_was_given_up_as_it_began_is_stopped_before_the_next() {
    let (engine, fake) = bench();
    let thread = engine.warm(place(Mode::Auto, None)).await;
    let mut run = begin(&engine, Mode::Auto, &thread, "hello").await;
    run.interrupt().await;
    drop(run);
    fake.wait("turn/start").await;
    let new = "thread thread-1 is not materialized yet; thread/turns/list is unavailable before first user message";
    fake.refuse_calls("thread/turns/list", &[new, "list_turns is not supported yet", new]);
    let mut run = begin(&engine, Mode::Auto, &thread, "something else").await;
    next(&mut run).await;
    assert!(!fake.heard("turn/interrupt").is_empty());
    fake.finish();
    rest(&mut run).await.1.expect("an end");
}

/// Nothing was ever said in it.
#[tokio::test(start_paused = true)]
async fn a_thread_that_never_lists_its_turns_is_spoken_to() {
    let (engine, fake) = bench();
    let (run, thread) = at_work(&engine, &fake, Mode::Auto).await;
    fake.finish();
    drop(run);
    fake.refuse_calls("thread/turns/list", &["thread thread-1 is not materialized yet"; 100]);
    let mut run = begin(&engine, Mode::Auto, &thread, "something else").await;
    next(&mut run).await;
    fake.finish();
    rest(&mut run).await.1.expect("an end");
}

#[tokio::test(start_paused = true)]
async fn a_thread_without_tools_has_none_when_it_is_resumed() {
    for (mode, shell) in [(Mode::Propose, json!(false)), (Mode::Auto, json!(null))] {
        let (engine, fake) = bench();
        let (mut run, thread) = at_work(&engine, &fake, mode).await;
        fake.finish();
        rest(&mut run).await.1.expect("an end");
        assert!(fake.engine().warm(place(mode, thread)).await.is_none());
        let resumed = fake.heard("thread/resume").pop().expect("a thread");
        assert_eq!(resumed["config"]["features.shell_tool"], shell, "{mode:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn where_nothing_waits_nothing_is_taken_up() {
    let (engine, fake) = bench();
    assert!(engine.take_up(place(Mode::Selective, None)).await.expect("no thread").is_none());
    let (mut run, thread) = at_work(&engine, &fake, Mode::Selective).await;
    fake.command("a");
    next(&mut run).await;
    run.leave().await;
    fake.restart();
    assert!(engine.take_up(place(Mode::Selective, thread.clone())).await.expect("a thread").is_none());
    let gone = thread.map(|thread| Thread { id: "thread-99".to_owned(), ..thread });
    assert!(engine.take_up(place(Mode::Selective, gone)).await.expect("no thread").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_thread_is_told_what_it_does_not_know_and_no_more() {
    let (engine, fake) = bench();
    let history = [
        (1, Role::User, "a"),
        (2, Role::Assistant, "b"),
        (7, Role::User, "c"),
        (8, Role::Assistant, "d"),
        // It waited while those before it came to be.
        (3, Role::User, "e"),
    ];
    let mut run = engine.begin(task(place(Mode::Auto, None), &history)).await.expect("a turn");
    let Happening::Thread(thread) = next(&mut run).await else { panic!("no thread") };
    assert_eq!(thread.seen, 3);
    next(&mut run).await;
    let told = |fake: &Fake| -> Vec<String> {
        let told = fake.heard("thread/inject_items");
        let items = told.iter().flat_map(|told| told["items"].as_array().cloned().unwrap_or_default());
        items.map(|item| item["content"][0]["text"].as_str().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(told(&fake), ["a", "b", "c", "d"]);
    fake.finish();
    rest(&mut run).await.1.expect("an end");
    fake.forget();
    let seen = |seen| Some(Thread { seen, ..thread.clone() });
    let more = [(9, Role::Assistant, "f"), (10, Role::User, "g"), (11, Role::User, "h")];
    let all: Vec<_> = history.into_iter().chain(more).collect();
    let knows = Task { known: 6, ..task(place(Mode::Auto, seen(9)), &all) };
    let mut run = engine.begin(knows.clone()).await.expect("a turn");
    next(&mut run).await;
    assert_eq!(told(&fake), ["g"]);
    assert_eq!(fake.heard("turn/start")[0]["input"][0]["text"], "h");
    fake.finish();
    rest(&mut run).await.1.expect("an end");

    // Of a thread that is lost, the next one is told all.
    fake.forget();
    fake.lose();
    let mut run = engine.begin(knows).await.expect("a turn");
    assert!(matches!(next(&mut run).await, Happening::Thread(new) if new.id != thread.id));
    assert_eq!(told(&fake), ["a", "b", "c", "d", "e", "f", "g"]);
}

#[tokio::test(start_paused = true)]
async fn other_tools_want_another_thread_and_other_words_do_not() {
    let (engine, fake) = bench();
    let thread = engine.warm(place(Mode::Auto, None)).await;
    let other_words =
        Place { system: "You are Helm, in another mood.".to_owned(), ..place(Mode::Selective, thread.clone()) };
    assert_eq!(engine.warm(other_words).await, None);
    let other_tools = Place { tools: Vec::new().into(), ..place(Mode::Auto, thread.clone()) };
    let other = engine.warm(other_tools).await.expect("another thread");
    assert_ne!(Some(other.fingerprint), thread.map(|thread| thread.fingerprint));
    assert_eq!(fake.heard("thread/start").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_thread_that_the_user_named_is_used_or_nothing_is() {
    let (engine, fake) = bench();
    let (mut run, thread) = at_work(&engine, &fake, Mode::Auto).await;
    fake.finish();
    rest(&mut run).await.1.expect("an end");
    drop(engine);
    let engine = fake.engine();
    let named = thread.map(|thread| Thread::named(thread.id));
    let mut run = begin(&engine, Mode::Auto, &named, "go on").await;
    assert!(matches!(next(&mut run).await, Happening::Model(_)));
    fake.finish();
    rest(&mut run).await.1.expect("an end");
    let mut run = begin(&engine, Mode::Auto, &Some(Thread::named("thread-99".to_owned())), "go on").await;
    let error = rest(&mut run).await.1.expect_err("no thread");
    assert_eq!(error.kind, ErrorKind::InvalidRequest);
    assert!(error.message.contains("no rollout found for thread id thread-99"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn threads_are_ready_again_when_the_connection_is() {
    let (engine, fake) = bench();
    let (mut run, thread) = at_work(&engine, &fake, Mode::Auto).await;
    fake.finish();
    rest(&mut run).await.1.expect("an end");
    let empty = engine.warm(place(Mode::Propose, None)).await;
    fake.forget();
    fake.restart();
    fake.wait("thread/start").await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    // One is resumed; the other was never used, so that another stands in for it.
    fake.forget();
    let mut run = begin(&engine, Mode::Auto, &thread, "again").await;
    assert!(matches!(next(&mut run).await, Happening::Model(_)));
    fake.finish();
    rest(&mut run).await.1.expect("an end");
    let mut run = begin(&engine, Mode::Propose, &empty, "again").await;
    assert!(
        matches!(next(&mut run).await, Happening::Thread(new) if Some(&new.id) != empty.as_ref().map(|old| &old.id))
    );
    assert_eq!(fake.methods(), ["turn/start", "turn/start"]);
}

#[tokio::test(start_paused = true)]
async fn the_questions_of_a_turn_that_was_left_are_nobody_elses() {
    let (engine, fake) = bench();
    let mut others = engine.inner.hub().listen();
    let (mut run, thread) = at_work(&engine, &fake, Mode::Selective).await;
    fake.command("a");
    next(&mut run).await;
    run.leave().await;
    assert!(engine.warm(place(Mode::Selective, thread)).await.is_none());
    fake.command("b");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let questions = std::iter::from_fn(|| others.try_recv().ok());
    let questions = questions.filter(|heard| matches!(heard, crate::codex::link::Heard::Request { .. })).count();
    assert_eq!(questions, 0);
    assert_eq!(fake.answers(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_up_at_once_is_told_of() {
    let (engine, fake) = bench();
    fake.refuse(true);
    assert!(engine.warm(place(Mode::Auto, None)).await.is_none());
    let mut run = begin(&engine, Mode::Auto, &None, "hello").await;
    let error = rest(&mut run).await.1.expect_err("nobody");
    assert_eq!(error.kind, ErrorKind::Protocol);
}
