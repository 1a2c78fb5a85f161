//! Calls and wishes that wait for somebody's word while the turn runs.

use serde_json::json;

use super::fake::{Expect, Fail, Fake, Hang, Tell, done, text};
use super::*;
use crate::helm::{Halted, HelmError, StopReason};
use crate::sessions::ActionState;

fn with(approver: &Arc<Says>, content: &str) -> Message {
    Message { approver: Some(Arc::clone(approver) as _), ..message(Mode::Selective, content) }
}

fn approved() -> Word {
    Word::Is(Decision::Approve(None))
}

fn denied() -> Word {
    Word::Is(Decision::Deny)
}

async fn state(world: &World, action: &str) -> ActionState {
    world.store.action(action).await.unwrap().unwrap().state
}

#[tokio::test(start_paused = true)]
async fn a_held_skill_runs_once_it_is_approved() {
    let script = plays([
        text(0, "I wipe."),
        vec![call("c1", "wipe", r#"{"n":1}"#), expect("c1", r#"{"n":1}"#), responded()],
        text(1, "Wiped."),
        vec![responded(), done()],
    ]);
    let world = World::new(Fake::playing(vec![Ok(script)])).await;
    let says = Says::this(approved());
    let result = world.say(with(&says, "wipe")).await;
    assert_eq!((result.stop_reason, result.halted), (StopReason::EndTurn, None));
    assert_eq!(*world.ran.lock().unwrap(), [json!({"n": 1})]);
    assert_eq!(says.asked(), [["wipe"]]);
    let events = world.events();
    let held = events.iter().position(|event| event == "held wipe: dangerous skill held for approval").unwrap();
    assert_eq!(
        &events[held - 1..held + 2],
        [r#"tool-use-stop 1 {"n":1}"#, "held wipe: dangerous skill held for approval", r#"result c1 {"n":1}"#]
    );
}

#[tokio::test(start_paused = true)]
async fn whoever_hears_of_an_action_may_decide_it_at_once() {
    let script = plays([
        vec![call("c1", "wipe", "{}"), expect("c1", "{}"), responded()],
        text(0, "Wiped."),
        vec![responded(), done()],
    ]);
    let world = World::new(Fake::playing(vec![Ok(script)])).await;
    let turn = world.say(with(&Says::this(Word::NotYet), "wipe"));
    let other = async {
        let id = world.told_held().await;
        world.approve(decide(&[&id], Decision::Approve(None))).await.unwrap()
    };
    let (result, decided) = tokio::join!(turn, other);
    assert_eq!((result.stop_reason, result.halted), (StopReason::EndTurn, None));
    assert_eq!(decided.turn_id, result.turn_id, "the turn that waits takes it");
    assert_eq!(world.turn_states().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_denial_is_told_to_the_model() {
    let script = plays([
        vec![call("c1", "wipe", "{}"), expect_fault("c1", "the user denied this call")],
        vec![command("k1"), Expect("k1", Answer::Deny), did("k1", Err("declined".to_owned())), responded()],
        text(0, "Well."),
        vec![responded(), done()],
    ]);
    let world = World::new(Fake::playing(vec![Ok(script)])).await;
    let result = world.say(with(&Says::this(denied()), "wipe")).await;
    let outcomes: Vec<_> = result.trace.iter().map(|entry| entry.outcome.clone()).collect();
    assert_eq!(outcomes, [Err("the user denied this call".to_owned()), Err("the user denied this call".to_owned())]);
    assert!(world.ran.lock().unwrap().is_empty());
    assert_eq!(result.assistant_message.unwrap().message.plain_text(), "Well.");
}

#[tokio::test(start_paused = true)]
async fn what_the_engine_would_do_is_held_like_a_skill() {
    let script = plays([
        text(0, "I list."),
        vec![command("k1"), Expect("k1", Answer::Allow), did("k1", Ok(json!("a b"))), responded()],
        text(1, "Listed."),
        vec![responded(), done()],
    ]);
    let world = World::new(Fake::playing(vec![Ok(script)])).await;
    let says = Says::this(approved());
    let result = world.say(with(&says, "ls")).await;
    assert_eq!(result.stop_reason, StopReason::EndTurn);
    assert_eq!(result.trace.len(), 1);
    assert_eq!(says.asked(), [["codex-command"]]);
    let rows = [
        "user: ls",
        r#"assistant: I list. | k1=codex-command({"command":"ls"})"#,
        "tool: k1→a b",
        "assistant: Listed.",
    ];
    assert_eq!(world.rows().await, rows);
    assert!(world.events().contains(&"held codex-command: to see".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_nobody_decides_is_left_and_its_actions_are_suggested() {
    for approver in [Some(Says::this(Word::None)), None] {
        let script = plays([
            text(0, "I wipe and list."),
            vec![call("c1", "wipe", "{}"), command("k1"), call("c2", "look", "{}"), expect("c2", "{}"), Hang],
        ]);
        let world = World::new(Fake::playing(vec![Ok(script)])).await;
        let approver = approver.map(|says| says as _);
        let result = world.say(Message { approver, ..message(Mode::Selective, "go") }).await;
        assert_eq!((result.stop_reason, result.halted), (StopReason::DangerousSkill, Some(Halted::DangerousSkill)));
        assert_eq!(result.assistant_message.unwrap().message.plain_text(), "I wipe and list.");
        let actions: Vec<_> = result
            .suggested_actions
            .iter()
            .map(|action| (action.skill.as_str(), action.tool_use_id.as_deref(), action.dangerous))
            .collect();
        assert_eq!(actions, [("wipe", Some("c1"), true), ("codex-command", Some("k1"), true)]);
        let run = world.engine.last();
        assert!(run.state().left && !run.state().interrupted);
        assert_eq!(world.turn_states().await, [TurnState::Held]);
    }
}

#[tokio::test(start_paused = true)]
async fn actions_are_decided_from_elsewhere_one_by_one_or_together() {
    for together in [true, false] {
        let script = plays([
            vec![call("c1", "wipe", r#"{"n":1}"#), command("k1")],
            vec![Expect("k1", Answer::Allow), did("k1", Ok(json!(""))), expect("c1", r#"{"n":5}"#), responded()],
            text(0, "Done."),
            vec![responded(), done()],
        ]);
        let script = match together {
            true => plays([script])
                .into_iter()
                .map(|play| match play {
                    Expect("c1", _) => expect("c1", r#"{"n":1}"#),
                    play => play,
                })
                .collect(),
            false => script,
        };
        let world = World::new(Fake::playing(vec![Ok(script)])).await;
        let says = Says::this(Word::NotYet);
        let turn = world.say(with(&says, "go"));
        let decisions = async {
            let ids = world.held(2).await;
            // Whoever was asked is in place a little later than the action is on disk.
            while says.asked().len() < 2 {
                tokio::task::yield_now().await;
            }
            let (wipe, command) = (ids[0].as_str(), ids[1].as_str());
            if together {
                world.approve(decide(&[wipe, command], Decision::Approve(None))).await.unwrap();
                return;
            }
            let changed = Decision::Approve(Some(json!({"command": "rm"})));
            let error = world.approve(decide(&[command], changed)).await.unwrap_err();
            assert!(matches!(&error, HelmError::BadRequest { message } if message.contains("cannot be changed")));
            assert_eq!(world.held(2).await, ids, "nothing is decided");
            let first = world.conductor.approve(decide(&[command], Decision::Approve(None))).await.unwrap();
            world.held(1).await;
            world.approve(decide(&[wipe], Decision::Approve(Some(json!({"n": 5}))))).await.unwrap();
            drop(first);
        };
        let (result, ()) = tokio::join!(turn, decisions);
        assert_eq!(result.stop_reason, StopReason::EndTurn);
        assert_eq!(result.trace.len(), 2);
        assert_eq!(world.turn_states().await, [TurnState::Done]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_allowed_has_a_result_even_if_nothing_is_told_of_it() {
    // Asked twice about one command, which is done once.
    let script = plays([
        vec![command("k1"), Expect("k1", Answer::Allow), command("k1#2"), Expect("k1#2", Answer::Allow)],
        vec![did("k1", Ok(json!("a b"))), responded()],
        text(0, "Listed."),
        vec![responded(), done()],
    ]);
    let world = World::new(Fake::playing(vec![Ok(script)])).await;
    let result = world.say(with(&Says::this(approved()), "ls")).await;
    let trace: Vec<_> = result.trace.iter().map(|entry| (entry.tool_use_id.as_str(), entry.outcome.clone())).collect();
    let untold = Ok(json!("allowed; what came of it was not told"));
    assert_eq!(trace, [("k1", Ok(json!("a b"))), ("k1#2", untold)]);
    assert_eq!(result.assistant_message.unwrap().message.plain_text(), "Listed.");
}

#[tokio::test(start_paused = true)]
async fn what_is_settled_elsewhere_is_void() {
    let settled = |id: &str| Tell(Happening::Settled { id: id.to_owned() });
    let script = plays([
        vec![call("c1", "wipe", "{}"), command("k1"), settled("c1"), settled("k1"), settled("unknown")],
        vec![did("k1", Ok(json!("x"))), responded()],
        text(0, "Done."),
        vec![responded(), done()],
    ]);
    let world = World::new(Fake::playing(vec![Ok(script)])).await;
    let result = world.say(with(&Says::this(Word::NotYet), "go")).await;
    assert_eq!(result.stop_reason, StopReason::EndTurn);
    assert!(result.suggested_actions.is_empty());
    let outcomes: Vec<_> = result.trace.iter().map(|entry| entry.outcome.clone()).collect();
    assert_eq!(outcomes, [Err("it is no longer waited for; nothing was run".to_owned()), Ok(json!("x"))]);
    assert!(world.held(0).await.is_empty());
    assert!(world.engine.last().state().answers.is_empty(), "nothing is answered that nobody waits for");
}

#[tokio::test(start_paused = true)]
async fn an_interrupt_while_something_is_held_ends_the_turn_and_keeps_the_skills() {
    let script = vec![call("c1", "wipe", "{}"), command("k1"), Hang];
    let world = World::new(Fake::playing(vec![Ok(script)])).await;
    let turn = world.say(with(&Says::this(Word::NotYet), "go"));
    let stop = async {
        let ids = world.held(2).await;
        world.conductor.interrupt("s");
        ids
    };
    let (result, ids) = tokio::join!(turn, stop);
    assert_eq!(result.stop_reason, StopReason::Cancelled);
    let open: Vec<_> = result.suggested_actions.iter().map(|action| action.skill.as_str()).collect();
    assert_eq!(open, ["wipe"]);
    assert_eq!(
        (state(&world, &ids[0]).await, state(&world, &ids[1]).await),
        (ActionState::Held, ActionState::Superseded)
    );
    assert!(world.engine.last().state().interrupted);
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_ends_leaves_what_waits() {
    let script = vec![call("c1", "wipe", "{}"), command("k1"), Hang];
    let world = World::new(Fake::playing(vec![Ok(script)])).await;
    let turn = world.say(with(&Says::this(Word::NotYet), "go"));
    let stop = async {
        world.held(2).await;
        world.conductor.stop().await;
    };
    let (result, ()) = tokio::join!(turn, stop);
    assert_eq!((result.stop_reason, result.suggested_actions.len()), (StopReason::Cancelled, 2));
    let run = world.engine.last();
    assert!(run.state().left && !run.state().interrupted);
    assert_eq!(world.turn_states().await, [TurnState::Held]);
}

#[tokio::test(start_paused = true)]
async fn a_new_message_makes_held_actions_void() {
    let first = vec![call("c1", "wipe", "{}"), Hang];
    let second = plays([text(0, "Hello."), vec![responded(), done()]]);
    let world = World::new(Fake::playing(vec![Ok(first), Ok(second)])).await;
    let held = world.say(message(Mode::Selective, "wipe")).await;
    let result = world.say(message(Mode::Selective, "hello")).await;
    assert_eq!(result.assistant_message.unwrap().message.plain_text(), "Hello.");
    let id = &held.suggested_actions[0].id;
    assert_eq!(state(&world, id).await, ActionState::Superseded);
    let error = world.approve(decide(&[id], Decision::Approve(None))).await.unwrap_err();
    assert!(error.to_string().contains("is void"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_decision_that_the_model_does_not_hear_of_ends_the_turn() {
    let script = vec![call("c1", "wipe", r#"{"n":1}"#), expect("c1", r#"{"n":1}"#), Hang];
    let world = World::new(Fake::playing(vec![Ok(script)])).await;
    let says = Says::this(Word::NotYet);
    let turn = world.say(with(&says, "go"));
    let decision = async {
        let ids = world.held(1).await;
        while says.asked().is_empty() {
            tokio::task::yield_now().await;
        }
        let quiet = Approve { resume: false, ..decide(&[&ids[0]], Decision::Approve(None)) };
        world.approve(quiet).await.unwrap()
    };
    let (result, _) = tokio::join!(turn, decision);
    assert_eq!((result.stop_reason, result.trace.len()), (StopReason::EndTurn, 1));
    assert!(world.engine.last().state().interrupted);
    assert_eq!(world.turn_states().await, [TurnState::Done]);
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_dies_while_it_waits_fails_and_its_actions_are_void() {
    let gone = crate::model::ProviderError::new(crate::model::ErrorKind::Unavailable, "the app-server is gone");
    let script = vec![call("c1", "wipe", "{}"), Fail(gone)];
    let world = World::new(Fake::playing(vec![Ok(script)])).await;
    let fallbacks = vec!["plain".to_owned()];
    let turn = Message { fallbacks, ..with(&Says::this(Word::NotYet), "go") };
    let error = world.outcome(turn).await.unwrap_err();
    assert_eq!(error.to_string(), "the app-server is gone");
    assert!(world.held(0).await.is_empty());
    assert_eq!(world.turn_states().await, [TurnState::Failed]);
}
