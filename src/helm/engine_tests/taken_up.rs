//! Decisions on what a turn waits for that has been left, after another start of the daemon too.

use serde_json::json;

use super::fake::{Expect, Fake, Hang, Script, done, text};
use super::*;
use crate::helm::{HelmError, StopReason};
use crate::model::{ErrorKind, ProviderError};
use crate::sessions::ActionState;

/// A turn that is left with these calls, taken up by a new daemon with this script, and begun anew with that one.
async fn left(calls: Vec<Play>, take_ups: Vec<Option<Script>>, begins: Vec<Script>) -> (World, Vec<String>) {
    let first = plays([vec![Tell(Happening::Thread(thread("t1")))], text(0, "I do."), calls, vec![Hang]]);
    let world = World::new(Fake::playing(vec![Ok(first)])).await;
    let result = world.say(message(Mode::Selective, "go")).await;
    assert_eq!(result.stop_reason, StopReason::DangerousSkill);
    assert!(world.engine.last().state().left);
    let engine = take_ups.into_iter().fold(Fake::playing(begins), Fake::then_takes_up);
    let ids = result.suggested_actions.into_iter().map(|action| action.id).collect();
    (world.restarted(engine).await, ids)
}

fn answer(text: &str) -> Vec<Play> {
    plays([vec![responded()], fake::text(0, text), vec![responded(), done()]])
}

#[tokio::test(start_paused = true)]
async fn the_turn_that_waits_goes_on() {
    let script = plays([vec![call("c1", "wipe", r#"{"n":1}"#), expect("c1", r#"{"n":2}"#)], answer("Wiped.")]);
    let (world, ids) = left(vec![call("c1", "wipe", r#"{"n":1}"#)], vec![Some(Ok(script))], vec![]).await;
    let result = world.approve(decide(&[&ids[0]], Decision::Approve(Some(json!({"n": 2}))))).await.unwrap();
    assert_eq!((result.stop_reason, result.iterations_used), (StopReason::EndTurn, 2));
    assert_eq!(result.assistant_message.unwrap().message.plain_text(), "Wiped.");
    assert_eq!(world.engine.places.lock().unwrap()[0].thread.as_ref().map(|thread| thread.id.as_str()), Some("t1"));
    let rows = ["user: go", r#"assistant: I do. | c1=wipe({"n":1})"#, r#"tool: c1→{"n":2}"#, "assistant: Wiped."];
    assert_eq!(world.rows().await, rows);
    assert_eq!(world.turn_states().await, [TurnState::Done]);
}

#[tokio::test(start_paused = true)]
async fn what_the_engine_would_do_is_allowed_or_not() {
    let allowed = vec![command("k1"), Expect("k1", Answer::Allow), did("k1", Ok(json!("a")))];
    let denied = vec![command("k1"), Expect("k1", Answer::Deny)];
    let cases = [
        (Decision::Approve(None), allowed, "tool: k1→a"),
        (Decision::Deny, denied, "tool: k1→the user denied this call"),
    ];
    for (decision, plays_of, row) in cases {
        let script = plays([plays_of, answer("So.")]);
        let (world, ids) = left(vec![command("k1")], vec![Some(Ok(script))], vec![]).await;
        let changed = Decision::Approve(Some(json!({})));
        let error = world.approve(decide(&[&ids[0]], changed)).await.unwrap_err();
        assert_eq!(error.to_string(), "the command cannot be changed: approve or deny it as it is");
        let result = world.approve(decide(&[&ids[0]], decision)).await.unwrap();
        assert_eq!((result.stop_reason, result.trace.len()), (StopReason::EndTurn, 1));
        let rows = world.rows().await;
        assert_eq!(&rows[2..], [row, "assistant: So."]);
    }
}

#[tokio::test(start_paused = true)]
async fn several_are_decided_one_at_a_time() {
    let both = || vec![call("c1", "wipe", "{}"), command("k1")];
    let first = plays([both(), vec![Expect("k1", Answer::Allow), did("k1", Ok(json!("a"))), Hang]]);
    let second = plays([vec![call("c1", "wipe", "{}"), expect("c1", "{}")], answer("Both.")]);
    let (world, ids) = left(both(), vec![Some(Ok(first)), Some(Ok(second))], vec![]).await;
    let result = world.approve(decide(&[&ids[1]], Decision::Approve(None))).await.unwrap();
    assert_eq!(result.stop_reason, StopReason::DangerousSkill);
    let open: Vec<_> = result.suggested_actions.iter().map(|action| action.id.clone()).collect();
    assert_eq!(open, ids[..1]);
    assert!(world.engine.last().state().left);
    assert_eq!(world.turn_states().await, [TurnState::Held]);
    let result = world.approve(decide(&[&ids[0]], Decision::Approve(None))).await.unwrap();
    assert_eq!(result.assistant_message.unwrap().message.plain_text(), "Both.");
    assert_eq!(world.turn_states().await, [TurnState::Done]);
    let calls = world.rows().await.iter().filter(|row| row.starts_with("assistant")).count();
    assert_eq!(calls, 3, "no call is written twice");
}

#[tokio::test(start_paused = true)]
async fn a_skill_is_run_where_nothing_waits_any_more() {
    let gone = ProviderError::new(ErrorKind::Network, "the link is down");
    for take_up in [None, Some(Err(gone))] {
        let (world, ids) =
            left(vec![call("c1", "wipe", r#"{"n":1}"#)], vec![take_up], vec![Ok(answer("Wiped."))]).await;
        let result = world.approve(decide(&[&ids[0]], Decision::Approve(None))).await.unwrap();
        assert_eq!(result.assistant_message.unwrap().message.plain_text(), "Wiped.");
        assert_eq!(*world.ran.lock().unwrap(), [json!({"n": 1})]);
        assert_eq!(world.engine.told(), [[r#"tool: c1→{"n":1}"#]]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_engine_would_do_is_void_where_nothing_waits_any_more() {
    let (world, ids) = left(vec![command("k1")], vec![None], vec![]).await;
    let error = world.approve(decide(&[&ids[0]], Decision::Approve(None))).await.unwrap_err();
    assert!(error.to_string().starts_with("codex no longer waits for this"), "{error}");
    assert_eq!(world.store.action(&ids[0]).await.unwrap().unwrap().state, ActionState::Superseded);
    assert_eq!(world.turn_states().await, [TurnState::Done]);
}

#[tokio::test(start_paused = true)]
async fn what_the_engine_would_do_goes_on_waiting_where_the_engine_cannot_be_reached() {
    let down = ProviderError::new(ErrorKind::Network, "the link is down");
    let script = plays([vec![command("k1"), Expect("k1", Answer::Allow), did("k1", Ok(json!("a")))], answer("So.")]);
    let (world, ids) = left(vec![command("k1")], vec![Some(Err(down)), Some(Ok(script))], vec![]).await;
    let error = world.approve(decide(&[&ids[0]], Decision::Approve(None))).await.unwrap_err();
    assert!(matches!(&error, HelmError::Waits { error, .. } if error.retryable), "{error:?}");
    assert_eq!(world.turn_states().await, [TurnState::Held]);
    let result = world.approve(decide(&[&ids[0]], Decision::Approve(None))).await.unwrap();
    assert_eq!(result.stop_reason, StopReason::EndTurn);
}

#[tokio::test(start_paused = true)]
async fn a_result_that_is_on_disk_is_not_run_for_again() {
    // The daemon died after it had run the safe one, and before the engine heard of it.
    let calls = vec![call("c1", "look", "{}"), call("c2", "wipe", "{}")];
    let script = plays([calls.clone(), vec![expect("c1", "{}"), expect("c2", "{}")], answer("Both.")]);
    let (world, ids) = left(calls, vec![Some(Ok(script))], vec![]).await;
    let result = world.approve(decide(&[&ids[0]], Decision::Approve(None))).await.unwrap();
    assert_eq!(result.assistant_message.unwrap().message.plain_text(), "Both.");
    assert_eq!(world.ran.lock().unwrap().len(), 1, "this daemon ran the dangerous one only");
}

#[tokio::test(start_paused = true)]
async fn what_was_decided_and_is_not_asked_for_again_is_told_so() {
    let (world, ids) = left(vec![call("c1", "wipe", "{}")], vec![Some(Ok(answer("Never mind.")))], vec![]).await;
    let result = world.approve(decide(&[&ids[0]], Decision::Approve(None))).await.unwrap();
    assert_eq!(result.trace[0].outcome, Err("it is no longer waited for; nothing was run".to_owned()));
    assert!(world.ran.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_turn_of_another_provider_is_no_business_of_the_engines() {
    let world = World::new(Fake::playing(vec![])).await;
    let block = Message {
        provider: Some("plain".to_owned()),
        fallbacks: vec!["codex".to_owned()],
        ..message(Mode::Propose, "x")
    };
    world.say(block).await;
    let asked = world.plain.asked.lock().unwrap().len();
    assert_eq!((asked, world.engine.tasks.lock().unwrap().len()), (1, 0));
}
