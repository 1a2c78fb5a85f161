//! A turn is asked for, and the answer does not come in time.

use std::time::Duration;

use super::*;
use crate::model::ErrorKind;

/// A thread in which something was said before, or nothing was.
async fn thread(engine: &CodexEngine, fake: &Fake, was_used: bool) -> Option<Thread> {
    let thread = engine.warm(place(Mode::Auto, None)).await;
    if was_used {
        let mut run = begin(engine, Mode::Auto, &thread, "first").await;
        next(&mut run).await;
        fake.finish();
        rest(&mut run).await.1.expect("an end");
    }
    fake.forget();
    thread
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_begins_late_is_followed_and_no_other_is_begun() {
    for (was_used, late) in [(true, 31), (true, 75), (false, 31), (false, 75)] {
        let (engine, fake) = bench();
        let thread = thread(&engine, &fake, was_used).await;
        fake.hold("turn/start");
        let mut run = begin(&engine, Mode::Auto, &thread, "second").await;
        let answer = async {
            fake.wait("turn/start").await;
            tokio::time::sleep(Duration::from_secs(late)).await;
            fake.release();
            tokio::time::sleep(Duration::from_secs(3)).await;
            fake.speak("m1", "Yes.");
            fake.finish();
        };
        let ((happenings, end), ()) = tokio::join!(rest(&mut run), answer);
        let model = Happening::Model("gpt-5.5".to_owned());
        assert_eq!(happenings, [model, started(0), said(0, "Yes."), stopped(0)], "{was_used}, {late}");
        assert_eq!(end.expect("an end"), Ending::Done);
        assert_eq!(fake.heard("turn/start").len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_does_not_show_fails_and_is_stopped_should_it_come() {
    for was_used in [true, false] {
        let (engine, fake) = bench();
        let thread = thread(&engine, &fake, was_used).await;
        fake.hold("turn/start");
        let mut run = begin(&engine, Mode::Auto, &thread, "second").await;
        let error = rest(&mut run).await.1.expect_err("a failure");
        assert_eq!((error.kind, error.retryable), (ErrorKind::Timeout, true), "{error}");
        assert!(error.message.contains("has not confirmed the turn in time"), "{error}");
        assert_eq!((fake.heard("turn/start").len(), fake.heard("turn/interrupt").len()), (1, 0));
        fake.release();
        fake.wait("turn/interrupt").await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_asked_for_over_a_connection_that_is_gone_is_asked_for_again() {
    let (engine, fake) = bench();
    let thread = thread(&engine, &fake, true).await;
    fake.hold("turn/start");
    let mut run = begin(&engine, Mode::Auto, &thread, "second").await;
    let answer = async {
        fake.wait("turn/start").await;
        tokio::time::sleep(Duration::from_secs(40)).await;
        assert_eq!(fake.heard("turn/start").len(), 1);
        fake.cut();
        fake.release();
        while fake.heard("turn/start").len() < 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
        fake.speak("m1", "Yes.");
        fake.finish();
    };
    let ((happenings, end), ()) = tokio::join!(rest(&mut run), answer);
    assert_eq!(happenings[1..], [started(0), said(0, "Yes."), stopped(0)]);
    assert_eq!(end.expect("an end"), Ending::Done);
    assert_eq!(fake.heard("turn/start").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_is_interrupted_before_it_is_confirmed_is_stopped_when_it_comes() {
    for wait in [1, 40] {
        let (engine, fake) = bench();
        let thread = thread(&engine, &fake, true).await;
        fake.hold("turn/start");
        let mut run = begin(&engine, Mode::Auto, &thread, "second").await;
        assert!(tokio::time::timeout(Duration::from_secs(wait), rest(&mut run)).await.is_err());
        run.interrupt().await;
        assert_eq!(rest(&mut run).await.1.expect("an end"), Ending::Interrupted);
        drop(run);
        tokio::time::sleep(Duration::from_secs(35)).await;
        assert_eq!(fake.heard("turn/interrupt").len(), 0);
        fake.release();
        fake.wait("turn/interrupt").await;
        assert_eq!(fake.heard("turn/start").len(), 1);
    }
}
