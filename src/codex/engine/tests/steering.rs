//! What is said to a turn at work: it is part of the turn, or it is not, and never both.

use super::*;
use crate::model::{Block, Steered};

fn steer(run: &mut Box<dyn Run>, number: u64, words: &str) {
    run.steer(number, &[Block::Text { text: words.to_owned() }]);
}

fn taken(number: u64) -> Happening {
    Happening::Steered { number, outcome: Steered::Taken }
}

fn is_refused(happening: &Happening, number: u64) -> bool {
    matches!(happening, Happening::Steered { number: of, outcome: Steered::Refused(_) } if *of == number)
}

#[tokio::test(start_paused = true)]
async fn a_turn_can_be_steered_from_its_beginning_to_its_end() {
    let (engine, fake) = bench();
    let mut run = begin(&engine, Mode::Auto, &None, "hello").await;
    steer(&mut run, 1, "and quickly");
    steer(&mut run, 2, "and well");
    let mut told = Vec::new();
    while told.last() != Some(&taken(2)) {
        told.push(next(&mut run).await);
    }
    assert!(told.contains(&taken(1)), "{told:?}");
    let steers = fake.heard("turn/steer");
    assert_eq!((steers.len(), &steers[0]["input"][0]["text"]), (2, &serde_json::json!("and quickly")));
    assert!(steers[0]["expectedTurnId"].as_str().is_some_and(|turn| turn.starts_with("turn-")), "{steers:?}");
    assert_ne!(steers[0]["clientUserMessageId"], steers[1]["clientUserMessageId"]);
    fake.finish();
    rest(&mut run).await.1.expect("an end");
    steer(&mut run, 3, "too late");
    assert!(is_refused(&next(&mut run).await, 3));
    assert_eq!(fake.heard("turn/steer").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_turn_goes_on_while_nobody_answers() {
    let (engine, fake) = bench();
    let (mut run, _) = at_work(&engine, &fake, Mode::Auto).await;
    fake.refuse_calls("turn/steer", &["no active turn to steer"; 3]);
    steer(&mut run, 1, "and quickly");
    fake.speak("m1", "Yes.");
    for expected in [started(0), said(0, "Yes."), stopped(0), taken(1)] {
        assert_eq!(next(&mut run).await, expected);
    }
    assert_eq!(fake.heard("turn/steer").len(), 4);
    // Until the end, and not beyond.
    fake.refuse_calls("turn/steer", &["no active turn to steer"; 100]);
    steer(&mut run, 2, "in vain");
    run.interrupt().await;
    let (told, end) = rest(&mut run).await;
    assert_eq!((told.len(), end.expect("an end")), (1, Ending::Interrupted));
    assert!(is_refused(&told[0], 2), "{told:?}");
}

/// The connection breaks at the words, before the app-server has heard them or after.
async fn broken(is_done: bool) -> (Vec<Happening>, usize) {
    let (engine, fake) = bench();
    let (mut run, _) = at_work(&engine, &fake, Mode::Auto).await;
    fake.cut_at("turn/steer", is_done);
    steer(&mut run, 1, "and quickly");
    let goes_on = async {
        fake.wait("thread/items/list").await;
        fake.speak("m1", "Yes.");
        fake.finish();
    };
    let ((told, end), ()) = tokio::join!(rest(&mut run), goes_on);
    assert_eq!(end.expect("an end"), Ending::Done);
    (told, fake.heard("turn/steer").len())
}

#[tokio::test(start_paused = true)]
async fn what_became_of_words_whose_answer_was_lost_is_looked_up() {
    let (told, said) = broken(true).await;
    assert_eq!((told.last(), said), (Some(&taken(1)), 1), "{told:?}");
    let (told, said) = broken(false).await;
    assert!(said == 1 && told.last().is_some_and(|told| is_refused(told, 1)), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_known_is_not_guessed() {
    let (engine, fake) = bench();
    let (mut run, _) = at_work(&engine, &fake, Mode::Auto).await;
    fake.cut_at("turn/steer", true);
    fake.refuse(true);
    steer(&mut run, 1, "and quickly");
    let (told, end) = rest(&mut run).await;
    assert!(end.is_err(), "it does not come back");
    assert!(matches!(&told[..], [Happening::Steered { number: 1, outcome: Steered::Unsure(_) }]), "{told:?}");
}
