//! Turns that nothing interferes with but the user.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::model::{Asked, Block, Deed, ErrorKind, ToolResult, Usage};

#[tokio::test(start_paused = true)]
async fn a_turn_on_a_warm_thread_is_one_request() {
    let (engine, fake) = bench();
    let thread = engine.warm(place(Mode::Auto, None)).await;
    assert_eq!(fake.methods(), ["initialize", "thread/start"]);
    fake.forget();
    let mut run = begin(&engine, Mode::Auto, &thread, "hello").await;
    assert_eq!(next(&mut run).await, Happening::Model("gpt-5.5".to_owned()));
    assert_eq!(fake.methods(), ["turn/start"]);
    fake.start_text("m1");
    fake.say("m1", "Hel");
    fake.say("m1", "lo");
    let answer = [next(&mut run).await, next(&mut run).await, next(&mut run).await];
    assert_eq!(answer, [started(0), said(0, "Hel"), said(0, "lo")]);
    fake.complete_text("m1", "Hello");
    fake.tokens(1200, 1200);
    fake.finish();
    let (happenings, end) = rest(&mut run).await;
    let usage = Usage { input_tokens: Some(1200), output_tokens: Some(1), ..Usage::default() };
    let usage = Usage { cached_tokens: Some(0), cache_write_tokens: Some(0), reasoning_tokens: Some(0), ..usage };
    assert_eq!(happenings, [stopped(0), Happening::Responded(usage)]);
    assert_eq!(end.expect("an end"), Ending::Done);
    assert_eq!(fake.methods(), ["turn/start"]);
}

#[tokio::test(start_paused = true)]
async fn each_mode_says_how_far_codex_may_go() {
    let (engine, fake) = bench();
    let writes = json!({ "type": "workspaceWrite", "writableRoots": ["/more"], "networkAccess": false });
    let policies = ["approvalPolicy", "approvalsReviewer", "sandboxPolicy"];
    let cases = [
        (Mode::Propose, "never", json!({ "type": "readOnly" }), policies.as_slice()),
        (Mode::Selective, "untrusted", writes.clone(), policies.as_slice()),
        (Mode::Auto, "never", writes, &[]),
    ];
    for (mode, approvals, sandbox, says) in cases {
        let thread = engine.warm(place(mode, None)).await;
        let mut run = begin(&engine, mode, &thread, "hello").await;
        next(&mut run).await;
        let turn = fake.heard("turn/start").pop().expect("a turn");
        let settings = fake.settings();
        assert_eq!(
            (&settings["approvalPolicy"], &settings["sandboxPolicy"]),
            (&json!(approvals), &sandbox),
            "{mode:?}"
        );
        let said = ["approvalPolicy", "approvalsReviewer", "sandboxPolicy", "cwd", "model"];
        let said: Vec<&str> = said.into_iter().filter(|name| turn.get(name).is_some()).collect();
        assert_eq!(said, says, "{mode:?}");
        assert_eq!(turn["additionalContext"]["helm"], json!({ "kind": "application", "value": "You are Helm." }));
        assert_eq!(turn["input"], json!([{ "type": "text", "text": "hello", "text_elements": [] }]));
        fake.finish();
        rest(&mut run).await.1.expect("an end");
    }
    // The two modes that work have one thread between them.
    let starts = fake.heard("thread/start");
    let [propose, work, _] = starts.as_slice() else { panic!("{starts:?}") };
    assert_eq!((&propose["sandbox"], &propose["dynamicTools"]), (&json!("read-only"), &json!([])));
    assert_eq!(propose["config"]["features.shell_tool"], false);
    assert_eq!((&work["sandbox"], &work["config"]), (&json!("workspace-write"), &Value::Null));
    assert_eq!(work["dynamicTools"][0]["name"], "admin-echo");
}

#[tokio::test(start_paused = true)]
async fn a_call_of_a_skill_is_answered_and_not_told_again() {
    let (engine, fake) = bench();
    let (mut run, _) = at_work(&engine, &fake, Mode::Auto).await;
    let question = fake.call("c1");
    let Happening::Call(call) = next(&mut run).await else { panic!("no call") };
    assert_eq!((&*call.id, &*call.name, &*call.arguments), ("c1", "admin-echo", r#"{"say":"x"}"#));
    run.answer("c1", result("x")).await.expect("an answer");
    let text = json!([{ "type": "inputText", "text": "x" }]);
    assert_eq!(fake.answer(question).await, json!({ "contentItems": text, "success": true }));
    fake.complete(json!({ "type": "dynamicToolCall", "id": "c1", "status": "completed" }));
    fake.speak("m1", "Done.");
    fake.finish();
    let (happenings, end) = rest(&mut run).await;
    assert_eq!(happenings, [started(0), said(0, "Done."), stopped(0)]);
    assert_eq!(end.expect("an end"), Ending::Done);
}

#[tokio::test(start_paused = true)]
async fn a_command_runs_by_leave_and_is_told_when_it_has_run() {
    let (engine, fake) = bench();
    let (mut run, _) = at_work(&engine, &fake, Mode::Selective).await;
    for (id, answer, decision, status) in
        [("a", Answer::Allow, "accept", "completed"), ("b", Answer::Deny, "decline", "declined")]
    {
        let question = fake.command(id);
        let input = json!({ "command": "touch a", "cwd": "/project" });
        let asked = Asked { id: id.to_owned(), name: "codex-command".to_owned(), input: input.clone(), reason: None };
        assert_eq!(next(&mut run).await, Happening::Asked(asked));
        run.answer(id, answer).await.expect("an answer");
        assert_eq!(fake.answer(question).await, json!({ "decision": decision }));
        fake.complete(fake::command(id, status));
        let outcome = match status {
            "completed" => Ok(json!({ "exitCode": 0, "output": "done\n" })),
            _ => Err("the command was declined".to_owned()),
        };
        let deed = Deed { id: id.to_owned(), name: "codex-command".to_owned(), input, outcome, duration_ms: 12 };
        assert_eq!(next(&mut run).await, Happening::Did(deed));
    }
}

#[tokio::test(start_paused = true)]
async fn an_interrupt_ends_the_turn_even_if_it_comes_before_the_turn_knows_that_it_runs() {
    let (engine, fake) = bench();
    fake.refuse_calls("turn/interrupt", &["no active turn to interrupt"; 3]);
    let (mut run, _) = at_work(&engine, &fake, Mode::Auto).await;
    run.interrupt().await;
    let (happenings, end) = rest(&mut run).await;
    assert_eq!((happenings, end.expect("an end")), (vec![], Ending::Interrupted));
    assert_eq!(fake.heard("turn/interrupt").len(), 4);
}

#[tokio::test(start_paused = true)]
async fn an_interrupt_while_the_turn_begins_ends_it_at_once() {
    let (engine, fake) = bench();
    let mut run = begin(&engine, Mode::Auto, &None, "hello").await;
    run.interrupt().await;
    assert_eq!(rest(&mut run).await.1.expect("an end"), Ending::Interrupted);
    fake.wait("turn/interrupt").await;
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_is_dropped_is_stopped_and_one_that_is_left_is_not() {
    let (engine, fake) = bench();
    let (run, thread) = at_work(&engine, &fake, Mode::Auto).await;
    drop(run);
    fake.wait("turn/interrupt").await;
    fake.forget();
    let mut run = begin(&engine, Mode::Selective, &thread, "again").await;
    next(&mut run).await;
    fake.command("a");
    assert!(matches!(next(&mut run).await, Happening::Asked(_)));
    run.leave().await;
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert!(fake.heard("turn/interrupt").is_empty());
    // What is said next is not said to it: it is stopped first.
    let mut run = begin(&engine, Mode::Auto, &thread, "something else").await;
    next(&mut run).await;
    assert_eq!(fake.heard("turn/interrupt").len(), 1);
    assert_eq!(fake.heard("turn/start").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_failure_says_why_and_keeps_secrets() {
    let (engine, fake) = bench();
    let (mut run, thread) = at_work(&engine, &fake, Mode::Auto).await;
    fake.speak("m1", "Wait.");
    fake.tokens(100, 100);
    for _ in 0..4 {
        next(&mut run).await;
    }
    // Told again beside a failure, they are spent once.
    fake.tokens(100, 100);
    fake.fail("bad key sk-secret-1", json!({ "httpConnectionFailed": { "httpStatusCode": 401 } }));
    let (happenings, end) = rest(&mut run).await;
    let error = end.expect_err("a failure");
    assert_eq!((happenings, error.kind, error.status), (vec![], ErrorKind::Auth, Some(401)));
    assert_eq!(error.message, "Codex: bad key ***");
    // Of a limit it is asked when it ends; that nobody knows is no failure of its own.
    let mut run = begin(&engine, Mode::Auto, &thread, "again").await;
    next(&mut run).await;
    fake.fail("You’ve hit your usage limit.", json!("usageLimitExceeded"));
    let error = rest(&mut run).await.1.expect_err("a failure");
    assert_eq!((error.kind, error.retry_after), (ErrorKind::Quota, None));
    assert_eq!(fake.heard("account/rateLimits/read").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn results_that_were_decided_later_are_told_as_text() {
    let (engine, fake) = bench();
    let results = |id: &str, is_error| {
        let (call_id, name, content) = (id.to_owned(), "admin-echo".to_owned(), format!("result of {id}"));
        let result = ToolResult { call_id, name, is_error, content };
        Message { role: Role::Tool, blocks: vec![Block::ToolResult(result)] }
    };
    let mut task = task(place(Mode::Auto, None), &[(1, Role::User, "echo")]);
    task.messages.extend([(2, results("c1", false)), (3, results("c2", true))]);
    let mut run = engine.begin(task).await.expect("a turn");
    next(&mut run).await;
    let input = fake.heard("turn/start").pop().expect("a turn")["input"].clone();
    assert_eq!(input[0]["text"], "[admin-echo gave]\nresult of c1");
    assert_eq!(input[1]["text"], "[admin-echo failed]\nresult of c2");
    let told = fake.heard("thread/inject_items").pop().expect("the question");
    assert_eq!(told["items"][0]["content"][0], json!({ "type": "input_text", "text": "echo" }));
}
