//! The connection or the server goes away in the middle of a turn.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::model::ErrorKind;

#[tokio::test(start_paused = true)]
async fn a_text_that_goes_on_over_a_cut_is_said_once() {
    let (engine, fake) = bench();
    let (mut run, _) = at_work(&engine, &fake, Mode::Auto).await;
    fake.start_text("m1");
    fake.say("m1", "one ");
    assert_eq!([next(&mut run).await, next(&mut run).await], [started(0), said(0, "one ")]);
    fake.forget();
    fake.cut();
    fake.say("m1", "two ");
    let going_on = async {
        fake.wait("thread/items/list").await;
        fake.say("m1", "three ");
        fake.complete_text("m1", "one two three ");
        fake.speak("m2", "four");
        fake.finish();
    };
    let ((happenings, end), ()) = tokio::join!(rest(&mut run), going_on);
    assert_eq!(happenings, [said(0, "two three "), stopped(0), started(1), said(1, "four"), stopped(1)]);
    assert_eq!(end.expect("an end"), Ending::Done);
    let asked = ["thread/resume", "thread/turns/list", "thread/items/list"];
    assert!(asked.iter().all(|method| fake.heard(method).len() == 1), "{:?}", fake.methods());
}

#[tokio::test(start_paused = true)]
async fn what_ended_meanwhile_is_told_in_order() {
    let (engine, fake) = bench();
    let (mut run, _) = at_work(&engine, &fake, Mode::Auto).await;
    fake.start_text("m1");
    fake.say("m1", "I shall ");
    assert_eq!([next(&mut run).await, next(&mut run).await], [started(0), said(0, "I shall ")]);
    fake.refuse(true);
    fake.cut();
    fake.complete_text("m1", "I shall do it.");
    fake.complete(fake::command("a", "completed"));
    fake.speak("m2", "Done.");
    fake.finish();
    let back = async {
        tokio::time::sleep(Duration::from_secs(20)).await;
        fake.refuse(false);
    };
    let ((happenings, end), ()) = tokio::join!(rest(&mut run), back);
    let [first, stop, Happening::Did(deed), second @ ..] = happenings.as_slice() else { panic!("{happenings:?}") };
    assert_eq!((first, stop), (&said(0, "do it."), &stopped(0)));
    assert_eq!(deed.id, "a");
    assert_eq!(second, [started(1), said(1, "Done."), stopped(1)]);
    assert_eq!(end.expect("an end"), Ending::Done);
}

#[tokio::test(start_paused = true)]
async fn a_text_that_was_begun_anew_meanwhile_is_void() {
    let (engine, fake) = bench();
    let (mut run, _) = at_work(&engine, &fake, Mode::Auto).await;
    fake.start_text("m1");
    fake.say("m1", "One wa");
    assert_eq!([next(&mut run).await, next(&mut run).await], [started(0), said(0, "One wa")]);
    fake.cut();
    fake.speak("m2", "Another way.");
    fake.finish();
    let (happenings, end) = rest(&mut run).await;
    let [a, b, c, Happening::Void(_)] = happenings.as_slice() else { panic!("{happenings:?}") };
    assert_eq!([a, b, c], [&started(1), &said(1, "Another way."), &stopped(1)]);
    assert_eq!(end.expect("an end"), Ending::Done);
}

#[tokio::test(start_paused = true)]
async fn questions_are_told_once_and_answers_arrive() {
    let (engine, fake) = bench();
    let (mut run, _) = at_work(&engine, &fake, Mode::Selective).await;
    let (command, call) = (fake.command("a"), fake.call("c"));
    assert!(matches!(next(&mut run).await, Happening::Asked(_)));
    assert!(matches!(next(&mut run).await, Happening::Call(_)));
    fake.refuse(true);
    fake.cut();
    tokio::time::sleep(Duration::from_secs(1)).await;
    // One is answered while the connection is away, the other when it is back.
    run.answer("a", Answer::Allow).await.expect("an answer");
    assert_eq!(fake.answers(), 0);
    fake.refuse(false);
    tokio::select! {
        happening = run.next() => panic!("{happening:?}"),
        answer = fake.answer(command) => assert_eq!(answer, json!({ "decision": "accept" })),
    }
    run.answer("c", result("x")).await.expect("an answer");
    assert_eq!(fake.answer(call).await["success"], true);
    fake.finish();
    let (happenings, end) = rest(&mut run).await;
    assert_eq!((happenings, end.expect("an end")), (vec![], Ending::Done));
    assert_eq!(fake.answers(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_died_with_its_process_fails_and_the_thread_goes_on() {
    let (engine, fake) = bench();
    let (mut run, thread) = at_work(&engine, &fake, Mode::Auto).await;
    fake.start_text("m1");
    fake.say("m1", "I was ");
    fake.complete(fake::command("a", "completed"));
    for _ in 0..3 {
        next(&mut run).await;
    }
    fake.restart();
    let (happenings, end) = rest(&mut run).await;
    let error = end.expect_err("a failure");
    assert_eq!((happenings, error.kind, error.retryable), (vec![stopped(0)], ErrorKind::Truncated, true));
    assert!(error.message.contains("started anew in the middle of the turn"), "{error}");
    let mut run = begin(&engine, Mode::Auto, &thread, "again").await;
    next(&mut run).await;
    fake.finish();
    assert_eq!(rest(&mut run).await.1.expect("an end"), Ending::Done);
    assert_eq!(fake.heard("thread/start").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_does_not_come_back_ends_the_turn() {
    let (engine, fake) = bench();
    let (mut run, _) = at_work(&engine, &fake, Mode::Auto).await;
    fake.refuse(true);
    fake.cut();
    let error = rest(&mut run).await.1.expect_err("a failure");
    assert_eq!((error.kind, error.retryable), (ErrorKind::Network, true));
    assert!(error.message.contains("did not come back"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_interrupt_while_the_connection_is_away_is_carried_out_when_it_is_back() {
    let (engine, fake) = bench();
    let (mut run, _) = at_work(&engine, &fake, Mode::Auto).await;
    fake.refuse(true);
    fake.cut();
    assert!(tokio::time::timeout(Duration::from_secs(1), run.next()).await.is_err());
    run.interrupt().await;
    assert_eq!(rest(&mut run).await.1.expect("an end"), Ending::Interrupted);
    fake.refuse(false);
    fake.wait("turn/interrupt").await;
}

#[tokio::test(start_paused = true)]
async fn a_turn_whose_beginning_was_not_confirmed_is_found_or_begun_again() {
    for is_done in [true, false] {
        let (engine, fake) = bench();
        let thread = engine.warm(place(Mode::Auto, None)).await;
        // So that there is something to resume.
        let mut run = begin(&engine, Mode::Auto, &thread, "first").await;
        next(&mut run).await;
        fake.finish();
        rest(&mut run).await.1.expect("an end");
        fake.forget();
        fake.cut_at("turn/start", is_done);
        let mut run = begin(&engine, Mode::Auto, &thread, "second").await;
        let answer = async {
            fake.wait("thread/items/list").await;
            let again = if is_done { 1 } else { 2 };
            while fake.heard("turn/start").len() < again {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
            fake.speak("m1", "Yes.");
            fake.finish();
        };
        let ((happenings, end), ()) = tokio::join!(rest(&mut run), answer);
        let model = Happening::Model("gpt-5.5".to_owned());
        assert_eq!(happenings, [model, started(0), said(0, "Yes."), stopped(0)], "{is_done}");
        assert_eq!(end.expect("an end"), Ending::Done);
    }
}

#[tokio::test(start_paused = true)]
async fn a_turn_whose_beginning_was_not_confirmed_is_found_behind_that_of_another_client() {
    let (engine, fake) = bench();
    let thread = engine.warm(place(Mode::Auto, None)).await;
    fake.cut_at("turn/start", true);
    let mut run = begin(&engine, Mode::Auto, &thread, "ours").await;
    // The connection has broken by then, and nothing is known of the turn yet.
    assert_eq!(next(&mut run).await, Happening::Model("gpt-5.5".to_owned()));
    fake.speak("m1", "Yes.");
    fake.finish();
    let mut theirs = begin(&fake.engine(), Mode::Auto, &thread, "theirs").await;
    next(&mut theirs).await;
    fake.finish();
    rest(&mut theirs).await.1.expect("an end");
    let (happenings, end) = rest(&mut run).await;
    assert_eq!(happenings, [started(0), said(0, "Yes."), stopped(0)]);
    assert_eq!(end.expect("an end"), Ending::Done);
    assert_eq!(fake.heard("turn/start").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_turn_of_which_too_much_was_left_unread_is_caught_up_with() {
    let (engine, fake) = bench();
    let (mut run, _) = at_work(&engine, &fake, Mode::Auto).await;
    fake.start_text("m1");
    let text: String = (0..9000).map(|number| format!("{number} ")).collect();
    for (count, word) in text.split_inclusive(' ').enumerate() {
        fake.say("m1", word);
        if count % 500 == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    fake.complete_text("m1", &text);
    fake.finish();
    let (happenings, end) = rest(&mut run).await;
    assert_eq!(end.expect("an end"), Ending::Done);
    let told: String = happenings
        .iter()
        .filter_map(|happening| match happening {
            Happening::Said(Delta::Text { text, .. }) => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(told, text);
    assert_eq!(fake.heard("thread/resume").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_thinks_for_long_is_asked_how_it_stands_and_goes_on_as_before() {
    let (engine, fake) = bench();
    let (mut run, _) = at_work(&engine, &fake, Mode::Auto).await;
    fake.start_text("m1");
    fake.say("m1", "one ");
    assert_eq!([next(&mut run).await, next(&mut run).await], [started(0), said(0, "one ")]);
    assert!(tokio::time::timeout(Duration::from_secs(200), run.next()).await.is_err());
    assert_eq!(fake.heard("thread/resume").len(), 3);
    fake.say("m1", "two");
    assert_eq!(next(&mut run).await, said(0, "two"));
    fake.complete_text("m1", "one two");
    fake.finish();
    assert_eq!(rest(&mut run).await.0, [stopped(0)]);
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_ends_unheard_is_found_out_about() {
    let (engine, fake) = bench();
    let (mut run, _) = at_work(&engine, &fake, Mode::Auto).await;
    fake.unsubscribe();
    fake.speak("m1", "Nobody hears it.");
    fake.finish();
    let (happenings, end) = rest(&mut run).await;
    assert_eq!(happenings, [started(0), said(0, "Nobody hears it."), stopped(0)]);
    assert_eq!(end.expect("an end"), Ending::Done);
}
