//! What the app-server asks in between, and what is told of it.

use serde_json::json;

use super::*;

#[tokio::test(start_paused = true)]
async fn what_a_patch_would_change_is_told_with_the_question() {
    let (engine, fake) = bench();
    let (mut run, _) = at_work(&engine, &fake, Mode::Selective).await;
    let changes = json!([{ "path": "/project/a", "kind": { "type": "add" }, "diff": "hello\n" }]);
    let patch = |status: &str| json!({ "type": "fileChange", "id": "p", "changes": changes, "status": status });
    fake.start(patch("inProgress"));
    let question = fake.ask("item/fileChange/requestApproval", json!({ "itemId": "p", "reason": "it must" }));
    let Happening::Asked(asked) = next(&mut run).await else { panic!("no question") };
    assert_eq!((&*asked.name, asked.reason.as_deref()), ("codex-file-change", Some("it must")));
    assert_eq!(asked.input, json!({ "changes": changes }));
    run.answer("p", Answer::Allow).await.expect("an answer");
    assert_eq!(fake.answer(question).await, json!({ "decision": "accept" }));
    fake.complete(patch("completed"));
    let Happening::Did(deed) = next(&mut run).await else { panic!("no deed") };
    assert_eq!((deed.input, deed.outcome), (json!({ "changes": changes }), Ok(json!({ "status": "completed" }))));
}

#[tokio::test(start_paused = true)]
async fn a_command_that_is_asked_about_twice_has_two_names() {
    let (engine, fake) = bench();
    let (mut run, _) = at_work(&engine, &fake, Mode::Selective).await;
    for expected in ["a", "a#2"] {
        let question = fake.command("a");
        let Happening::Asked(asked) = next(&mut run).await else { panic!("no question") };
        assert_eq!(asked.id, expected);
        run.answer(expected, Answer::Allow).await.expect("an answer");
        fake.answer(question).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_nobody_can_answer_is_refused_with_a_word() {
    let (engine, fake) = bench();
    let (mut run, _) = at_work(&engine, &fake, Mode::Auto).await;
    let cases = [
        ("item/permissions/requestApproval", json!({ "permissions": {} }), "more permissions"),
        ("mcpServer/elicitation/request", json!({ "action": "decline" }), "MCP server"),
        ("item/tool/requestUserInput", json!({ "answers": {} }), "asked the user"),
    ];
    for (method, answer, word) in cases {
        let question = fake.ask(method, json!({ "itemId": "x" }));
        let Happening::Warning(warning) = next(&mut run).await else { panic!("no warning") };
        assert!(warning.contains(word), "{warning}");
        assert_eq!(fake.answer(question).await, answer);
    }
    let clock = fake.ask("currentTime/read", json!({}));
    fake.finish();
    assert_eq!(rest(&mut run).await.1.expect("an end"), Ending::Done);
    assert!(fake.answer(clock).await["currentTimeAt"].as_u64().is_some_and(|now| now > 1_700_000_000));
}

#[tokio::test(start_paused = true)]
async fn what_is_answered_elsewhere_is_settled() {
    let (engine, fake) = bench();
    let (mut run, _) = at_work(&engine, &fake, Mode::Selective).await;
    let question = fake.command("a");
    assert!(matches!(next(&mut run).await, Happening::Asked(_)));
    fake.notify("serverRequest/resolved", json!({ "requestId": question }));
    assert_eq!(next(&mut run).await, Happening::Settled { id: "a".to_owned() });
    run.answer("a", Answer::Allow).await.expect("nothing");
    // One that is open when the turn ends is settled too.
    fake.call("c");
    assert!(matches!(next(&mut run).await, Happening::Call(_)));
    fake.finish();
    let (happenings, end) = rest(&mut run).await;
    assert_eq!(happenings, [Happening::Settled { id: "c".to_owned() }]);
    assert_eq!(end.expect("an end"), Ending::Done);
    assert_eq!(fake.answers(), 0);
}
