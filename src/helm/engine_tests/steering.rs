//! What is said to a turn while it runs.

use super::fake::{ExpectSteer, Fake, Hang, done, text};
use super::*;
use crate::helm::{HelmError, StopReason};
use crate::model::Steered;

fn steer(content: &str) -> Message {
    Message { steer: true, ..message(Mode::Auto, content) }
}

#[tokio::test(start_paused = true)]
async fn it_becomes_part_of_the_turn() {
    let script = plays([
        text(0, "One."),
        vec![ExpectSteer("in French")],
        vec![responded()],
        text(1, "Un."),
        vec![responded(), done()],
    ]);
    let world = World::new(Fake::playing(vec![Ok(script)])).await;
    let turn = world.say(message(Mode::Auto, "count"));
    let more = async {
        world.event("text-stop 0 One.").await;
        world.say(steer("in French")).await
    };
    let (first, second) = tokio::join!(turn, more);
    assert_eq!((&first.turn_id, &second.turn_id), (&first.turn_id, &first.turn_id));
    assert_eq!(second.assistant_message.unwrap().message.plain_text(), "Un.");
    assert_eq!(world.rows().await, ["user: count", "user: in French", "assistant: One.", "assistant: Un."]);
    assert_eq!(world.turn_states().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn it_is_a_message_of_its_own_where_nothing_runs_or_takes_it() {
    let answer = |said: &str| Ok(plays([text(0, said), vec![responded(), done()]]));
    let world = World::new(Fake::playing(vec![answer("One.")])).await;
    assert_eq!(world.say(steer("alone")).await.assistant_message.unwrap().message.plain_text(), "One.");
    // A turn that is over before it hears of it.
    let script = plays([
        text(0, "Two."),
        vec![call("c1", "look", r#"{"slow":true}"#), expect("c1", r#"{"slow":true}"#)],
        vec![done()],
    ]);
    world.engine.begins.lock().unwrap().extend([Ok(script), answer("Three.")]);
    let turn = world.say(message(Mode::Auto, "go"));
    let late = async {
        world.event(r#"tool-use-stop 1 {"slow":true}"#).await;
        let more = world.say(steer("too late"));
        let release = async { world.go.notify_one() };
        tokio::join!(more, release).0
    };
    let (first, second) = tokio::join!(turn, late);
    assert_ne!(first.turn_id, second.turn_id);
    assert_eq!(second.assistant_message.unwrap().message.plain_text(), "Three.");
    assert_eq!(world.engine.told().last().and_then(|told| told.last().cloned()).unwrap(), "user: too late");
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_completes_takes_nothing() {
    let script = plays([text(0, "From codex."), vec![responded(), done()]]);
    let world = World::new(Fake::playing(vec![Ok(script)])).await;
    let plain = Message { provider: Some("plain".to_owned()), ..message(Mode::Auto, "go") };
    let (first, second) = tokio::join!(world.say(plain), world.say(steer("more")));
    assert_ne!(first.turn_id, second.turn_id);
    assert_eq!(second.assistant_message.unwrap().message.plain_text(), "From codex.");
}

#[tokio::test(start_paused = true)]
async fn one_that_waits_for_a_decision_takes_more() {
    let script = plays([
        vec![call("c1", "wipe", "{}"), ExpectSteer("careful"), expect_fault("c1", "the user denied this call")],
        vec![responded()],
        text(0, "I see."),
        vec![responded(), done()],
    ]);
    let world = World::new(Fake::playing(vec![Ok(script)])).await;
    let says = Says::this(Word::NotYet);
    let turn = world.say(Message { approver: Some(Arc::clone(&says) as _), ..message(Mode::Selective, "wipe") });
    let more = async {
        let ids = world.held(1).await;
        let more = world.conductor.message(steer("careful")).await.unwrap();
        world.row("user: careful").await;
        world.approve(decide(&[&ids[0]], Decision::Deny)).await.unwrap();
        drop(more);
    };
    let (result, ()) = tokio::join!(turn, more);
    assert_eq!(result.stop_reason, StopReason::EndTurn);
}

#[tokio::test(start_paused = true)]
async fn whoever_only_steers_does_not_stop_the_turn_by_leaving() {
    let script = plays([text(0, "One."), vec![ExpectSteer("more"), Hang]]);
    let world = World::new(Fake::playing(vec![Ok(script)])).await;
    let turn = world.say(message(Mode::Auto, "go"));
    let leave = async {
        world.event("text-stop 0 One.").await;
        drop(world.conductor.message(steer("more")).await.unwrap());
        world.row("user: more").await;
        assert!(!world.engine.last().state().interrupted);
        world.conductor.interrupt("s");
    };
    let (result, ()) = tokio::join!(turn, leave);
    assert_eq!(result.stop_reason, StopReason::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn all_else_goes_on_while_nobody_knows_what_became_of_it() {
    let script = plays([
        text(0, "One."),
        vec![ExpectSteer("more"), call("c1", "wipe", "{}"), expect("c1", "{}")],
        vec![responded()],
        text(1, "Two."),
        vec![Hang],
    ]);
    let world = World::new(Fake::playing(vec![Ok(script)])).await;
    let says = Says::this(Word::NotYet);
    let turn = world.say(Message { approver: Some(says as _), ..message(Mode::Selective, "go") });
    let more = async {
        world.event("text-stop 0 One.").await;
        world.engine.last().state().is_slow = true;
        world.outcome(steer("more")).await
    };
    let others = async {
        let ids = world.held(1).await;
        drop(world.conductor.approve(decide(&[&ids[0]], Decision::Approve(None))).await.unwrap());
        world.event("text-stop 2 Two.").await;
        world.conductor.interrupt("s");
    };
    let (result, more, ()) = tokio::join!(turn, more, others);
    assert_eq!((result.stop_reason, result.trace.len()), (StopReason::Cancelled, 1));
    assert!(matches!(more, Err(HelmError::Unheard { .. })), "{more:?}");
    assert!(!world.rows().await.contains(&"user: more".to_owned()), "nothing is guessed");
    assert_eq!(world.turn_states().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn once_it_is_known_it_is_part_of_the_turn_or_one_of_its_own() {
    for (outcome, turns) in [(Steered::Taken, 1), (Steered::Refused("no active turn".to_owned()), 2)] {
        let script = plays([text(0, "One."), vec![ExpectSteer("more")], text(1, "Two."), vec![Hang]]);
        let own = plays([text(0, "Of its own."), vec![responded(), done()]]);
        let world = World::new(Fake::playing(vec![Ok(script), Ok(own)])).await;
        let turn = world.say(message(Mode::Auto, "go"));
        let more = async {
            world.event("text-stop 0 One.").await;
            world.engine.last().state().is_slow = true;
            world.outcome(steer("more")).await.unwrap()
        };
        let answer = async {
            world.event("text-stop 1 Two.").await;
            world.engine.last().answer_steers(&outcome);
            world.row("user: more").await;
            world.conductor.interrupt("s");
        };
        let (first, second, ()) = tokio::join!(turn, more, answer);
        assert_eq!(first.turn_id == second.turn_id, turns == 1);
        assert_eq!(world.turn_states().await.len(), turns);
        assert_eq!(world.rows().await.iter().filter(|row| *row == "user: more").count(), 1, "{outcome:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_taken_back_in_time_is_not_said() {
    let script = plays([text(0, "One."), vec![Hang]]);
    let world = World::new(Fake::playing(vec![Ok(script)])).await;
    let turn = world.say(message(Mode::Auto, "go"));
    let more = async {
        world.event("text-stop 0 One.").await;
        tokio::select! {
            biased;
            _ = world.outcome(steer("never mind")) => panic!("it waits for the turn"),
            () = std::future::ready(()) => {}
        }
        tokio::task::yield_now().await;
        world.conductor.interrupt("s");
    };
    tokio::join!(turn, more);
    assert!(world.engine.last().state().steers.is_empty());
    assert_eq!(world.rows().await, ["user: go", "assistant: One."]);
}

#[tokio::test(start_paused = true)]
async fn what_wants_another_turn_than_the_one_that_runs_is_a_turn_of_its_own() {
    let message = |change: fn(&mut Message)| {
        let mut message = steer("more");
        change(&mut message);
        message
    };
    let others: [(&str, Message); 4] = [
        ("mode", message(|message| (message.mode, message.mode_is_named) = (Mode::Propose, true))),
        ("provider", message(|message| message.provider = Some("plain".to_owned()))),
        ("model", message(|message| message.model = Some("gpt-other".to_owned()))),
        ("none", message(|message| message.mode = Mode::Propose)),
    ];
    for (what, other) in others {
        let script = plays([text(0, "One."), vec![Hang]]);
        let own = plays([text(0, "Of its own."), vec![responded(), done()]]);
        let world = World::new(Fake::playing(vec![Ok(script), Ok(own)])).await;
        let turn = world.say(super::message(Mode::Auto, "go"));
        let more = async {
            world.event("text-stop 0 One.").await;
            world.outcome(other).await.unwrap()
        };
        let end = async {
            world.row("user: more").await;
            world.conductor.interrupt("s");
        };
        let (first, second, ()) = tokio::join!(turn, more, end);
        assert_eq!(first.turn_id == second.turn_id, what == "none", "{what}");
    }
}
