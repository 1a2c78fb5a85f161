//! What an engine says and does, and what becomes of it.

use serde_json::json;

use super::fake::{Completing, Deaf, Expect, Fail, Fake, Hang, Tell, done, text};
use super::*;
use crate::helm::{HelmError, StopReason};
use crate::model::{BlockStart, Delta, ErrorKind, ProviderError};
use crate::sessions::{ThreadKind, Write};

fn down() -> ProviderError {
    ProviderError::new(ErrorKind::Unavailable, "the app-server is gone")
}

fn delta(delta: Delta) -> Play {
    Tell(Happening::Said(delta))
}

#[tokio::test(start_paused = true)]
async fn a_turn_is_told_kept_and_counted() {
    let script = plays([
        vec![Tell(Happening::Thread(thread("t1"))), Tell(Happening::Model("gpt-x".to_owned()))],
        text(0, "Let me look."),
        vec![call("c1", "look", r#"{"n":1}"#), expect("c1", r#"{"n":1}"#), responded()],
        text(1, "It is one."),
        vec![responded(), done()],
    ]);
    let world = World::new(Fake::playing(vec![Ok(script)])).await;
    let result = world.say(message(Mode::Selective, "look")).await;
    assert_eq!(result.stop_reason, StopReason::EndTurn);
    assert_eq!(result.assistant_message.unwrap().message.plain_text(), "It is one.");
    assert_eq!((result.iterations_used, result.usage.input_tokens), (2, Some(20)));
    assert_eq!((result.used.provider.as_str(), result.used.model.as_deref()), ("codex", Some("gpt-x")));
    assert_eq!(result.attempts.len(), 1);
    assert_eq!(result.trace[0].outcome, Ok(json!({"n": 1})));
    let rows =
        ["user: look", r#"assistant: Let me look. | c1=look({"n":1})"#, r#"tool: c1→{"n":1}"#, "assistant: It is one."];
    assert_eq!(world.rows().await, rows);
    let events = [
        "turn-start 1 codex",
        "text-start 0",
        "text-delta 0 Let me look.",
        "text-stop 0 Let me look.",
        "tool-use 1 c1 look",
        r#"tool-use-stop 1 {"n":1}"#,
        r#"result c1 {"n":1}"#,
        "turn-stop 1 ToolUse",
        "turn-start 2 codex",
        "text-start 2",
        "text-delta 2 It is one.",
        "text-stop 2 It is one.",
        "turn-stop 2 EndTurn",
        "done",
    ];
    assert_eq!(world.events(), events);
    let kept = world.store.threads("s").await.unwrap();
    let last = world.store.messages("s", Some(1), None).await.unwrap()[0].id;
    assert_eq!((kept.work.unwrap(), kept.propose), (Thread { seen: last, ..thread("t1") }, None));
    assert_eq!(world.store.session("s").await.unwrap().unwrap().thread_id.as_deref(), Some("t1"));
    assert_eq!(world.store.threads_used_last(3).await.unwrap()[0].1, ThreadKind::Work);
}

#[tokio::test(start_paused = true)]
async fn the_next_turn_is_told_only_what_the_thread_does_not_know() {
    let first = plays([vec![Tell(Happening::Thread(thread("t1")))], text(0, "One."), vec![responded(), done()]]);
    let second = plays([text(0, "Three."), vec![responded(), done()]]);
    let world = World::new(Fake::playing(vec![Ok(first), Ok(second)])).await;
    world.say(message(Mode::Auto, "one")).await;
    world.say(Message { provider: Some("plain".to_owned()), ..message(Mode::Auto, "two") }).await;
    world.say(message(Mode::Selective, "three")).await;
    let told = world.engine.told();
    assert_eq!(told[0], ["user: one"]);
    assert_eq!(told[1], ["user: two", "assistant: From plain.", "user: three"]);
    let places = world.engine.tasks.lock().unwrap();
    assert_eq!(places[1].place.thread.as_ref().map(|thread| thread.id.as_str()), Some("t1"));
    assert_eq!(places[1].place.tools.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_waited_is_told_though_it_is_older_than_the_answer_before_it() {
    let first = plays([
        vec![Tell(Happening::Thread(thread("t1"))), call("c1", "look", "{}"), expect("c1", "{}")],
        text(0, "One."),
        vec![responded(), done()],
    ]);
    let second = plays([text(0, "Two."), vec![responded(), done()]]);
    let world = World::new(Fake::playing(vec![Ok(first), Ok(second)])).await;
    let (one, two) = tokio::join!(world.say(message(Mode::Auto, "one")), world.say(message(Mode::Auto, "two")));
    assert_eq!((one.stop_reason, two.stop_reason), (StopReason::EndTurn, StopReason::EndTurn));
    assert_eq!(world.engine.told(), [vec!["user: one"], vec!["user: two"]]);
}

#[tokio::test(start_paused = true)]
async fn propose_offers_nothing_and_reads_suggestions() {
    let block = "Do it.\n```open-think-action\n{\"skill\":\"wipe\",\"input\":{\"n\":3}}\n```";
    let script = plays([
        vec![command("k1"), Expect("k1", Answer::Deny), responded()],
        text(0, block),
        vec![responded(), done()],
    ]);
    let again = plays([text(0, "Wiped."), vec![responded(), done()]]);
    let world = World::new(Fake::playing(vec![Ok(script), Ok(again)])).await;
    let result = world.say(message(Mode::Propose, "wipe")).await;
    assert_eq!(result.assistant_message.unwrap().message.plain_text(), "Do it.");
    assert_eq!(result.trace[0].outcome, Err("nothing runs in propose mode without approval".to_owned()));
    assert!(world.engine.tasks.lock().unwrap()[0].place.tools.is_empty());
    let action = &result.suggested_actions[0];
    assert_eq!((action.skill.as_str(), action.tool_use_id.as_deref()), ("wipe", None));
    // Decided later, it runs, and the engine begins a turn with what came of it.
    let result = world.approve(decide(&[&action.id], Decision::Approve(None))).await.unwrap();
    assert_eq!(result.assistant_message.unwrap().message.plain_text(), "Wiped.");
    assert_eq!(*world.ran.lock().unwrap(), [json!({"n": 3})]);
    let told = world.engine.told();
    assert!(told[1].iter().any(|message| message.ends_with(r#"→{"n":3}"#)), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn deeds_of_its_own_are_kept_as_calls_with_their_results() {
    let script = plays([
        text(0, "I look."),
        vec![command("k1"), Expect("k1", Answer::Allow), did("k1", Ok(json!("a b"))), did("k2", Err("no".to_owned()))],
        vec![responded()],
        text(1, "Done."),
        vec![responded(), done()],
    ]);
    let world = World::new(Fake::playing(vec![Ok(script)])).await;
    let result = world.say(message(Mode::Auto, "ls")).await;
    let trace: Vec<_> = result.trace.iter().map(|entry| (entry.skill.as_str(), entry.outcome.clone())).collect();
    assert_eq!(trace, [("codex-command", Ok(json!("a b"))), ("codex-command", Err("no".to_owned()))]);
    let rows = [
        "user: ls",
        r#"assistant: I look. | k1=codex-command({"command":"ls"})"#,
        "tool: k1→a b",
        r#"assistant: k2=codex-command({"command":"ls"})"#,
        "tool: k2→no",
        "assistant: Done.",
    ];
    assert_eq!(world.rows().await, rows);
}

#[tokio::test(start_paused = true)]
async fn bad_calls_are_refused_with_the_reason_and_safe_ones_run_side_by_side() {
    let script = plays([
        vec![call("c1", "nope", "{}"), call("c2", "look", r#"{"n":"x"}"#)],
        vec![call("c3", "look", r#"{"slow":true,"n":3}"#), call("c4", "look", r#"{"n":4}"#)],
        vec![expect_fault("c1", "skill 'nope' is not available"), expect("c4", r#"{"n":4}"#)],
        vec![expect_fault("c2", "input.n: \"x\" is not of type \"integer\""), expect("c3", r#"{"slow":true,"n":3}"#)],
        vec![responded()],
        text(0, "Done."),
        vec![responded(), done()],
    ]);
    let world = World::new(Fake::playing(vec![Ok(script)])).await;
    let turn = world.say(message(Mode::Auto, "go"));
    let release = async {
        world.row(r#"tool: c4→{"n":4}"#).await;
        world.go.notify_one();
    };
    let (result, ()) = tokio::join!(turn, release);
    assert_eq!(result.trace.len(), 4);
    assert_eq!(*world.ran.lock().unwrap(), [json!({"n": 4}), json!({"slow": true, "n": 3})]);
}

#[tokio::test(start_paused = true)]
async fn the_cap_ends_a_turn_that_would_go_on() {
    let script = plays([
        text(0, "One."),
        vec![call("c1", "look", "{}"), expect("c1", "{}"), responded()],
        text(1, "Two."),
        vec![Hang],
    ]);
    let world = World::new(Fake::playing(vec![Ok(script)])).await;
    let result = world.say(Message { max_iterations: 1, ..message(Mode::Auto, "go") }).await;
    assert_eq!((result.stop_reason, result.iterations_used), (StopReason::IterationCap, 1));
    assert_eq!(result.halted, Some(crate::helm::Halted::IterationCap));
    assert_eq!(result.assistant_message.unwrap().message.plain_text(), "One.");
    assert!(world.engine.last().state().interrupted);
    // One that ends by itself is not cut.
    let script = plays([text(0, "One."), vec![responded(), done()]]);
    world.engine.begins.lock().unwrap().push_back(Ok(script));
    let result = world.say(Message { max_iterations: 1, ..message(Mode::Auto, "go") }).await;
    assert_eq!((result.stop_reason, result.halted), (StopReason::EndTurn, None));
}

#[tokio::test(start_paused = true)]
async fn what_is_void_is_in_no_answer() {
    let script = plays([
        text(0, "Kept. "),
        vec![delta(Delta::Start { index: 1, block: BlockStart::Text })],
        vec![delta(Delta::Text { index: 1, text: "Lost".to_owned() })],
        vec![Tell(Happening::Void("the stream was cut".to_owned()))],
        vec![delta(Delta::Text { index: 1, text: " and late".to_owned() })],
        text(2, "Said anew."),
        vec![responded(), done()],
    ]);
    let world = World::new(Fake::playing(vec![Ok(script)])).await;
    let result = world.say(message(Mode::Auto, "go")).await;
    assert_eq!(result.assistant_message.unwrap().message.plain_text(), "Kept. Said anew.");
    let events = world.events();
    assert!(events.contains(&"failed codex: the stream was cut".to_owned()), "{events:?}");
    assert!(!events.iter().any(|event| event.starts_with("text-stop 1")), "{events:?}");
    assert_eq!(result.attempts.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_interrupt_keeps_the_text_so_far() {
    for last in [Hang, Deaf] {
        let script = plays([
            vec![delta(Delta::Start { index: 0, block: BlockStart::Text })],
            vec![delta(Delta::Text { index: 0, text: "Once upon".to_owned() }), last],
        ]);
        let world = World::new(Fake::playing(vec![Ok(script)])).await;
        let turn = world.say(message(Mode::Auto, "go"));
        let stop = async {
            world.event("text-delta 0 Once upon").await;
            assert!(world.conductor.interrupt("s"));
        };
        let (result, ()) = tokio::join!(turn, stop);
        assert_eq!(result.stop_reason, StopReason::Cancelled);
        assert_eq!(result.assistant_message.unwrap().message.plain_text(), "Once upon");
        assert!(world.engine.last().state().interrupted);
        assert_eq!(result.attempts[0].error.as_deref(), Some("interrupted before its answer was complete"));
        assert_eq!(world.turn_states().await, [TurnState::Done]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_interrupt_stops_skills_at_work() {
    let script = vec![call("c1", "look", r#"{"slow":true}"#), Hang];
    let world = World::new(Fake::playing(vec![Ok(script)])).await;
    let turn = world.say(message(Mode::Auto, "go"));
    let stop = async {
        world.row(r#"assistant: c1=look({"slow":true})"#).await;
        world.conductor.interrupt("s");
    };
    let (result, ()) = tokio::join!(turn, stop);
    assert_eq!(result.stop_reason, StopReason::Cancelled);
    assert!(result.trace[0].outcome.as_ref().is_err_and(|why| why.starts_with("interrupted before it gave a result")));
    assert!(world.ran.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn another_stands_in_while_nothing_was_shown() {
    let lost = plays([
        vec![delta(Delta::Start { index: 0, block: BlockStart::Text })],
        vec![Tell(Happening::Void("cut".to_owned())), Fail(down())],
    ]);
    for script in [Err(down()), Ok(vec![Fail(down())]), Ok(lost)] {
        let world = World::new(Fake::playing(vec![script])).await;
        let fallbacks = vec!["plain".to_owned()];
        let result = world.say(Message { fallbacks, ..message(Mode::Auto, "go") }).await;
        assert_eq!(result.used.provider, "plain");
        let attempts: Vec<_> = result.attempts.iter().map(|attempt| attempt.error.is_none()).collect();
        assert_eq!(attempts, [false, true]);
        assert_eq!(world.rows().await, ["user: go", "assistant: From plain."]);
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_stands_in_once_something_was_shown() {
    let script = plays([vec![delta(Delta::Start { index: 0, block: BlockStart::Text })], vec![Fail(down())]]);
    let world = World::new(Fake::playing(vec![Ok(script)])).await;
    let fallbacks = vec!["plain".to_owned()];
    let error = world.outcome(Message { fallbacks, ..message(Mode::Auto, "go") }).await.unwrap_err();
    let HelmError::Provider { provider, error, .. } = error else { panic!("{error:?}") };
    assert_eq!((provider.as_str(), error.message.as_str()), ("codex", "the app-server is gone"));
    assert_eq!(world.turn_states().await, [TurnState::Failed]);
}

#[tokio::test(start_paused = true)]
async fn after_calls_the_one_who_stands_in_goes_on_with_them() {
    let script = vec![call("c1", "look", "{}"), expect("c1", "{}"), responded(), Fail(down())];
    let world = World::new(Fake::playing(vec![Ok(script)])).await;
    let fallbacks = vec!["codex/other".to_owned(), "plain".to_owned()];
    let result = world.say(Message { fallbacks, ..message(Mode::Auto, "go") }).await;
    assert_eq!(result.used.provider, "plain");
    let passed = result.attempts[1].error.as_deref();
    assert_eq!(passed, Some("passed over: it runs whole turns only, and this one is begun"));
    let asked = world.plain.asked.lock().unwrap();
    assert_eq!(asked[0].messages.iter().map(said).collect::<Vec<_>>().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn in_mid_turn_the_completing_form_of_an_engine_stands_in() {
    let store = Arc::new(Sqlite::in_memory().unwrap());
    let own = Arc::new(Completing::default());
    let script = vec![call("c1", "look", "{}"), expect("c1", "{}"), responded(), Fail(down())];
    let world = World::with(Fake::playing(vec![Ok(script)]), Arc::default(), Some(own), store).await;
    let fallbacks = vec!["codex/other".to_owned()];
    let result = world.say(Message { fallbacks, ..message(Mode::Auto, "go") }).await;
    assert_eq!(result.used.model.as_deref(), Some("other"));
    assert_eq!(result.assistant_message.unwrap().message.plain_text(), "From plain.");
    assert_eq!(world.own.unwrap().asked.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_engine_stands_in_for_a_provider_that_failed_at_once() {
    let store = Arc::new(Sqlite::in_memory().unwrap());
    let plain = Arc::new(Completing { fails: true, ..Completing::default() });
    let script = plays([text(0, "From codex."), vec![responded(), done()]]);
    let world = World::with(Fake::playing(vec![Ok(script)]), plain, None, store).await;
    let (provider, fallbacks) = (Some("plain".to_owned()), vec!["codex".to_owned()]);
    let result = world.say(Message { provider, fallbacks, ..message(Mode::Auto, "go") }).await;
    assert_eq!(result.assistant_message.unwrap().message.plain_text(), "From codex.");
    assert_eq!(world.engine.told(), [["user: go"]]);
}

#[tokio::test(start_paused = true)]
async fn the_time_limit_is_for_the_first_sign() {
    let limit = Some(Duration::from_millis(500));
    let late = Message { per_model_timeout: limit, ..message(Mode::Auto, "go") };
    let world = World::new(Fake::playing(vec![Ok(vec![Deaf])])).await;
    let error = world.outcome(late.clone()).await.unwrap_err();
    assert_eq!(error.to_string(), "codex did not answer within 500 ms");
    assert!(world.engine.last().state().dropped);
    let script = plays([vec![call("c1", "look", r#"{"slow":true}"#), expect("c1", r#"{"slow":true}"#)], vec![done()]]);
    world.engine.begins.lock().unwrap().push_back(Ok(script));
    let release = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        world.go.notify_one();
    };
    let (result, ()) = tokio::join!(world.say(late), release);
    assert_eq!(result.stop_reason, StopReason::EndTurn);
}

#[tokio::test(start_paused = true)]
async fn a_thread_that_is_named_is_used_from_then_on() {
    let answer = || Ok(plays([text(0, "Hm."), vec![responded(), done()]]));
    let world = World::new(Fake::playing(vec![answer(), answer()])).await;
    let named = || Some("t9".to_owned());
    world.say(Message { thread: named(), ..message(Mode::Auto, "one") }).await;
    world.say(message(Mode::Selective, "two")).await;
    let tasks: Vec<_> = world.engine.tasks.lock().unwrap().iter().map(|task| task.place.thread.clone()).collect();
    let used: Vec<_> = tasks.into_iter().flatten().collect();
    assert_eq!((used[0].clone(), used[1].id.as_str()), (Thread::named("t9".to_owned()), "t9"));
    let other = Message { thread: named(), provider: Some("plain".to_owned()), ..message(Mode::Auto, "three") };
    let error = world.outcome(other).await.unwrap_err();
    assert!(error.to_string().starts_with("parameter 'threadId' names a thread"), "{error}");
    let gone = Write::Thread { session: "gone".to_owned(), mode: Mode::Auto, thread: thread("t1") };
    assert!(world.store.write(vec![gone]).await.is_err(), "threads belong to sessions");
}
