//! Several clients at once: who is asked, who hears of it, who keeps a turn going, and who slows nobody down.

use serde_json::{Value, json};

use crate::home::Home;
use crate::wire::{Framing, Wire};

fn say(session: &str, mode: &str, content: &str) -> Value {
    json!({"sessionName": session, "mode": mode, "content": content})
}

const HELD: &str = "call write-note {\"text\":\"quince\"}";

/// The numbers of a session's events follow one another.
#[track_caller]
pub fn check_numbers(events: &[Value]) {
    let mut last = None;
    for params in events {
        let seq = params["seq"].as_u64().expect("a number");
        let first = params["firstSeq"].as_u64().unwrap_or(seq);
        assert!(last.is_none_or(|last| first == last + 1) && first <= seq, "{first} after {last:?}: {events:#?}");
        last = Some(seq);
    }
}

#[tokio::test]
async fn all_who_can_answer_are_asked_and_the_first_answer_counts() {
    let home = Home::new();
    let daemon = home.daemon().await;
    let mut origin = Wire::connect(&daemon, Framing::Lines);
    let mut watcher = Wire::connect(&daemon, Framing::Headers);
    let mut unable = Wire::connect(&daemon, Framing::Lines);
    let mut stranger = Wire::connect(&daemon, Framing::Lines);
    for wire in [&mut origin, &mut watcher, &mut stranger] {
        wire.initialize(json!({"approvals": true})).await;
    }
    unable.initialize(json!({})).await;
    for wire in [&mut watcher, &mut unable] {
        wire.ask("conductor.subscribe", json!({"sessionName": "s"})).await.expect("a subscription");
    }
    let id = origin.send("conductor.message", say("s", "selective", HELD)).await;
    let is_question = |frame: &Value| frame["method"] == "conductor.approval";
    let asked = origin.until(is_question).await;
    let also = watcher.until(is_question).await;
    assert_eq!(asked["params"]["approvalId"], also["params"]["approvalId"]);

    watcher.write(&json!({"id": also["id"], "result": {"decision": "approve"}}).to_string()).await;
    let resolved = origin.until(|frame| frame["method"] == "conductor.approvalResolved").await;
    assert_eq!(resolved["params"]["approvalId"], asked["params"]["approvalId"]);
    assert_eq!(resolved["params"]["decision"], "approve");
    // Too late, and of no effect.
    origin.write(&json!({"id": asked["id"], "result": {"decision": "deny"}}).to_string()).await;
    let result = origin.answer(id).await.expect("a result");
    assert_eq!(result["stopReason"], "end-turn");
    assert_eq!(home.notes(), [json!({"text": "quince"})]);

    unable.until_event("loop-done").await;
    watcher.until_event("loop-done").await;
    check_numbers(&unable.events("s"));
    check_numbers(&watcher.events("s"));
    assert!(!unable.seen.iter().any(is_question), "a client that did not announce it was asked");
    stranger.ask("sessions.list", json!({})).await.expect("sessions");
    assert_eq!(stranger.seen, [] as [Value; 0], "a client that has nothing to do with the session heard of it");
}

#[tokio::test]
async fn nobody_answers_in_time_and_the_actions_stay_held() {
    let home = Home::with("[helm]\napproval_timeout_ms = 30");
    let daemon = home.daemon().await;
    let mut wire = Wire::connect(&daemon, Framing::Lines);
    wire.initialize(json!({"approvals": true})).await;
    let result = wire.ask("conductor.message", say("s", "selective", HELD)).await.expect("a result");
    assert_eq!((&result["halted"], &result["stopReason"]), (&json!("dangerous-skill"), &json!("dangerous-skill")));
    let asked = wire.until(|frame| frame["method"] == "conductor.approval").await;
    assert_eq!(asked["params"]["deadlineMs"], 30);
    wire.until(|frame| frame["method"] == "conductor.approvalResolved").await;
    wire.write(&json!({"id": asked["id"], "result": {"decision": "approve"}}).to_string()).await;
    let detail = wire.ask("sessions.get", json!({"sessionName": "s"})).await.expect("the session");
    assert_eq!(detail["heldActions"][0]["id"], result["suggestedActions"][0]["id"]);
    assert_eq!(home.notes(), [] as [Value; 0]);
}

#[tokio::test]
async fn a_client_that_hangs_up_while_it_is_asked_leaves_the_actions_held() {
    let home = Home::new();
    let daemon = home.daemon().await;
    let mut wire = Wire::connect(&daemon, Framing::Lines);
    wire.initialize(json!({"approvals": true})).await;
    wire.send("conductor.message", say("s", "selective", HELD)).await;
    wire.until(|frame| frame["method"] == "conductor.approval").await;
    let frames = wire.rest().await;
    let answer = frames.iter().find(|frame| frame["id"] == 2 && frame.get("method").is_none()).expect("an answer");
    assert_eq!(answer["result"]["halted"], "dangerous-skill", "{answer}");
    let mut other = Wire::connect(&daemon, Framing::Lines);
    let ids = json!([answer["result"]["suggestedActions"][0]["id"]]);
    let params = json!({"sessionName": "s", "actionIds": ids, "decision": "approve"});
    assert_eq!(other.ask("conductor.approve", params).await.expect("a result")["stopReason"], "end-turn");
    assert_eq!(home.notes().len(), 1);
}

#[tokio::test]
async fn a_waiting_turn_takes_a_decision_from_elsewhere() {
    let home = Home::new();
    let daemon = home.daemon().await;
    for resume in [true, false] {
        let mut origin = Wire::connect(&daemon, Framing::Lines);
        let mut other = Wire::connect(&daemon, Framing::Lines);
        origin.initialize(json!({"approvals": true})).await;
        let session = format!("resume {resume}");
        let id = origin.send("conductor.message", say(&session, "selective", HELD)).await;
        let asked = origin.until(|frame| frame["method"] == "conductor.approval").await;
        let ids = json!([asked["params"]["actions"][0]["id"]]);
        let params = json!({"sessionName": session, "actionIds": ids, "decision": "approve", "continue": resume});
        let theirs = other.ask("conductor.approve", params.clone()).await.expect("a result");
        let ours = origin.answer(id).await.expect("a result");
        let resolved = origin.until(|frame| frame["method"] == "conductor.approvalResolved").await;
        assert_eq!(resolved["params"]["approvalId"], asked["params"]["approvalId"], "who was asked is told");
        assert_eq!(theirs, ours, "it is one turn");
        assert_eq!(ours["iterationsUsed"], if resume { 2 } else { 1 }, "the model hears of it if it is to go on");
        assert_eq!(ours["trace"].as_array().map(Vec::len), Some(1));
        let again = other.ask("conductor.approve", params).await.expect_err("it is decided once");
        assert_eq!(again["code"], -32602);
    }
    assert_eq!(home.notes().len(), 2);
}

fn is_alive(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// Starts a nap and gives its process.
async fn nap(home: &Home, wire: &mut Wire, params: Value) -> (u64, i32) {
    let before = home.naps().len();
    let id = wire.send("conductor.message", params).await;
    loop {
        if let Some(pid) = home.naps().get(before) {
            assert!(is_alive(*pid));
            return (id, *pid);
        }
        wire.ask("daemon.status", json!({})).await.expect("a status");
    }
}

/// A process that was killed takes a moment to be gone.
async fn until_dead(wire: &mut Wire, pid: i32) {
    for _ in 0..1000 {
        if !is_alive(pid) {
            return;
        }
        wire.ask("daemon.status", json!({})).await.expect("a status");
    }
    panic!("the process of a skill that was cancelled lives on");
}

/// Asks until no turn runs.
async fn until_idle(wire: &mut Wire) {
    while wire.ask("daemon.status", json!({})).await.expect("a status")["runningTurns"] != json!([]) {}
}

#[tokio::test]
async fn a_cancelled_request_is_answered_when_its_process_is_dead() {
    let home = Home::new();
    let daemon = home.daemon().await;
    let mut wire = Wire::connect(&daemon, Framing::Lines);
    let (id, pid) = nap(&home, &mut wire, say("s", "auto", "call take-a-nap {}")).await;
    wire.notify("$/cancelRequest", json!({"id": id})).await;
    assert_eq!(wire.answer(id).await.expect_err("cancelled")["code"], -32800);
    until_dead(&mut wire, pid).await;

    let id = wire.send("skills.invoke", json!({"skill": "take-a-nap"})).await;
    while home.naps().len() < 2 {
        wire.ask("daemon.status", json!({})).await.expect("a status");
    }
    wire.notify("$/cancelRequest", json!({"id": id})).await;
    assert_eq!(wire.answer(id).await.expect_err("cancelled")["code"], -32800);
    until_dead(&mut wire, home.naps()[1]).await;
}

#[tokio::test]
async fn hanging_up_cancels_what_was_asked_for_and_what_waits_behind_it() {
    let home = Home::new();
    let daemon = home.daemon().await;
    let mut wire = Wire::connect(&daemon, Framing::Lines);
    // Its own subscription does not keep it going.
    wire.ask("conductor.subscribe", json!({"sessionName": "s"})).await.expect("a subscription");
    let (_, pid) = nap(&home, &mut wire, say("s", "auto", "call take-a-nap {}")).await;
    wire.send("conductor.message", say("s", "auto", HELD)).await;
    let answers = wire.rest().await;
    let codes: Vec<&Value> =
        answers.iter().map(|frame| &frame["error"]["code"]).filter(|code| !code.is_null()).collect();
    assert_eq!(codes, [-32802, -32802]);
    let mut other = Wire::connect(&daemon, Framing::Lines);
    until_idle(&mut other).await;
    until_dead(&mut other, pid).await;
    assert_eq!(home.notes(), [] as [Value; 0], "what waited behind it ran");
}

#[tokio::test]
async fn a_turn_goes_on_if_it_is_detached_or_somebody_else_watches_or_waits() {
    let home = Home::new();
    let daemon = home.daemon().await;
    let mut other = Wire::connect(&daemon, Framing::Lines);
    other.ask("conductor.subscribe", json!({"sessionName": "watched"})).await.expect("a subscription");
    for (session, detach) in [("watched", false), ("detached", true)] {
        let mut wire = Wire::connect(&daemon, Framing::Lines);
        let mut params = say(session, "auto", "call take-a-nap {}");
        params["detach"] = detach.into();
        let (_, pid) = nap(&home, &mut wire, params).await;
        wire.rest().await;
        let status = other.ask("daemon.status", json!({})).await.expect("a status");
        assert_eq!(status["runningTurns"][0]["sessionName"], session, "{status}");
        assert!(is_alive(pid));
        let stopped = other.ask("conductor.interrupt", json!({"sessionName": session})).await.expect("an answer");
        assert_eq!(stopped["interrupted"], true);
        until_idle(&mut other).await;
    }
    other.until_event("loop-done").await;
    check_numbers(&other.events("watched"));
}

#[tokio::test]
async fn a_client_that_does_not_read_slows_nobody_down() {
    let home = Home::with("[limits]\nbuffered_events = 64\noutbound_frames = 4");
    let daemon = home.daemon().await;
    let mut sleeper = Wire::connect(&daemon, Framing::Lines);
    let mut other = Wire::connect(&daemon, Framing::Lines);
    for wire in [&mut sleeper, &mut other] {
        wire.ask("conductor.subscribe", json!({"sessionName": "s"})).await.expect("a subscription");
    }
    // Far more than what may be under way to a client that reads nothing.
    let name = "long ".repeat(20_000);
    let content = format!("call read-note {{\"name\":\"{name}\"}}");
    for _ in 0..12 {
        let result = other.ask("conductor.message", say("s", "auto", &content)).await.expect("a result");
        assert_eq!(result["stopReason"], "end-turn");
    }
    // Asleep until now; its own request is answered all the same.
    let id = sleeper.send("sessions.get", json!({"sessionName": "s"})).await;
    let last = sleeper.answer(id).await.expect("the session")["seq"].as_u64();
    let reached = |frame: &Value| frame["params"]["seq"].as_u64() >= last;
    if !sleeper.seen.iter().any(reached) {
        let frame = sleeper.until(reached).await;
        sleeper.seen.push(frame);
    }
    let events = sleeper.events("s");
    check_numbers(&after_resync(&events));
    assert!(events.iter().any(|params| params["event"]["kind"] == "resync"), "it missed some and was not told");
}

/// What a client knows that reads the session anew whenever it is told to.
fn after_resync(events: &[Value]) -> Vec<Value> {
    let at = events.iter().rposition(|params| params["event"]["kind"] == "resync").unwrap_or_default();
    events[at..].to_vec()
}

#[tokio::test]
async fn the_events_of_a_long_turn_all_come_before_its_answer() {
    let home = Home::new();
    let daemon = home.daemon().await;
    let mut wire = Wire::connect(&daemon, Framing::Lines);
    // Several hundred events before the client's first look at them.
    let calls: Vec<String> = (0..300).map(|_| "call no-such-skill {\"a\":1}".to_owned()).collect();
    let mut params = say("s", "auto", &calls.join("\n"));
    params["stream"] = true.into();
    wire.ask("conductor.message", params).await.expect("a result");
    let events = wire.events("s");
    check_numbers(&events);
    assert!(events.len() > 900, "{} events", events.len());
    assert_eq!(events.last().map(|params| &params["event"]["kind"]), Some(&json!("loop-done")));
}

#[tokio::test]
async fn one_that_comes_late_gets_what_is_kept_from_where_it_says() {
    let home = Home::new();
    let daemon = home.daemon().await;
    let mut wire = Wire::connect(&daemon, Framing::Lines);
    let calls: Vec<String> = (0..900).map(|_| "call no-such-skill {\"a\":1}".to_owned()).collect();
    wire.ask("conductor.message", say("s", "auto", &calls.join("\n"))).await.expect("a result");
    let last = wire.ask("sessions.get", json!({"sessionName": "s"})).await.expect("the session")["seq"].clone();
    let last = last.as_u64().expect("a number");
    assert!(last > 2500, "{last} events");
    for after in [0, 1, last - 2001, last - 2000, last - 10, last - 1] {
        let mut late = Wire::connect(&daemon, Framing::Lines);
        let params = json!({"sessionName": "s", "afterSeq": after});
        let subscribed = late.ask("conductor.subscribe", params).await.expect("a subscription");
        assert_eq!(subscribed["seq"], last);
        let end = late.until(|frame| frame["params"]["seq"] == last).await;
        late.seen.push(end);
        let events = late.events("s");
        let is_resync = events[0]["event"]["kind"] == "resync";
        assert_eq!(is_resync, after < last - 2000, "after {after} of {last}: {}", events[0]);
        if is_resync {
            assert_eq!(events[0]["seq"], last - 2000, "{}", events[0]);
        } else {
            assert_eq!(events[0]["firstSeq"].as_u64().or(events[0]["seq"].as_u64()), Some(after + 1));
        }
        check_numbers(&events);
    }
}

#[tokio::test]
async fn a_turn_that_is_streamed_has_no_holes_and_nothing_twice_whoever_subscribes_meanwhile() {
    let home = Home::new();
    let daemon = home.daemon().await;
    let calls: Vec<String> = (0..100).map(|_| "call read-note {\"name\":\"quince\"}".to_owned()).collect();
    for (round, methods) in [
        ["subscribe", "unsubscribe"].as_slice(),
        &["subscribe"],
        &["unsubscribe", "subscribe", "subscribe"],
        &["subscribe", "unsubscribe", "subscribe", "unsubscribe"],
    ]
    .into_iter()
    .enumerate()
    {
        let mut wire = Wire::connect(&daemon, Framing::Lines);
        let session = format!("round {round}");
        let mut params = say(&session, "auto", &calls.join("\n"));
        params["stream"] = true.into();
        let id = wire.send("conductor.message", params).await;
        // At once, and at some moments in the midst of it.
        for pause in 0..8 {
            for method in methods {
                wire.send(&format!("conductor.{method}"), json!({"sessionName": session})).await;
                for _ in 0..pause * 3 {
                    let frame = wire.read().await.expect("the daemon goes on");
                    wire.seen.push(frame);
                }
            }
        }
        wire.answer(id).await.expect("a result");
        let events = wire.events(&session);
        check_numbers(&events);
        assert_eq!(events[0]["firstSeq"].as_u64().or(events[0]["seq"].as_u64()), Some(1), "{events:?}");
        assert_eq!(
            events.last().map(|params| &params["event"]["kind"]),
            Some(&json!("loop-done")),
            "before the answer"
        );
    }
}

#[tokio::test]
async fn a_connection_watches_a_bounded_number_of_sessions() {
    let home = Home::new();
    let daemon = home.daemon().await;
    let mut wire = Wire::connect(&daemon, Framing::Lines);
    for number in 0..256 {
        let params = json!({"sessionName": format!("s{number}")});
        wire.ask("conductor.subscribe", params).await.expect("a subscription");
    }
    let refused = wire.ask("conductor.subscribe", json!({"sessionName": "one more"})).await.expect_err("too many");
    assert_eq!(refused["code"], -32001);
    wire.ask("conductor.subscribe", json!({"sessionName": "s0"})).await.expect("it takes the place of the first");
    wire.ask("conductor.unsubscribe", json!({"sessionName": "s1"})).await.expect("an answer");
    wire.ask("conductor.subscribe", json!({"sessionName": "one more"})).await.expect("there is room again");
}
