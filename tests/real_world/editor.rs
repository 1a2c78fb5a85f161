//! The library under VS Code's language clients.

use serde_json::{Value, json};

use crate::client::{check_events, streamed_text};
use crate::home::{Home, PROGRAM};
use crate::node;

#[test]
fn an_editor_lives_through_a_whole_connection() {
    let home = Home::new();
    let Some(mut script) = node::script(&home, "editor.mjs") else { return };
    script.arg(PROGRAM);
    let seen = home.run(script);
    let events = seen["events"].as_array().expect("events");

    assert_eq!(seen["faults"], json!([]), "stdout carries frames only");
    assert_eq!(seen["initialize"]["serverInfo"]["name"], "open-think");
    assert!(seen["initialize"]["capabilities"].is_object());
    assert_eq!(seen["initializeAgain"]["error"]["code"], -32600);
    for session in ["propose", "selective", "approved", "auto"] {
        assert_eq!(seen[session]["sessionName"], session, "{}", seen[session]);
        check_events(events, session);
    }
    check_turns(&seen, events);
    check_ends(&seen, events);

    let texts: Vec<Value> = home.notes().iter().map(|note| note["text"].clone()).collect();
    assert_eq!(texts, ["approved", "automatic"], "what was proposed or refused did not run");
}

fn check_turns(seen: &Value, events: &[Value]) {
    let propose = &seen["propose"];
    assert_eq!(propose["suggestedActions"][0]["skill"], "write-note");
    assert_eq!(propose["suggestedActions"][0]["dangerous"], true);
    assert_eq!((&propose["trace"], &propose["halted"]), (&json!([]), &Value::Null));

    let selective = &seen["selective"];
    assert_eq!(selective["mode"], "selective");
    assert_eq!(selective["trace"][0]["result"], json!({"name": "quince"}));
    assert_eq!(selective["stopReason"], "end-turn");
    assert_eq!(selective["assistantMessage"]["content"], streamed_text(events, "selective"), "the reply is whole");
    let progress = seen["progress"].as_array().expect("progress");
    assert_eq!(progress.first().map(|value| &value["kind"]), Some(&json!("begin")));
    assert_eq!(progress.last().map(|value| &value["kind"]), Some(&json!("end")));

    let approvals = seen["approvals"].as_array().expect("approvals");
    assert_eq!(approvals.len(), 1, "only a selective turn asks");
    assert_eq!(approvals[0]["sessionName"], "approved");
    assert_eq!(approvals[0]["actions"][0]["input"], json!({"text": "approved"}));
    assert_eq!(seen["approved"]["trace"][0]["skill"], "write-note");
    assert_eq!((&seen["approved"]["stopReason"], &seen["approved"]["halted"]), (&json!("end-turn"), &Value::Null));

    let ran: Vec<&Value> = seen["auto"]["trace"].as_array().expect("a trace").iter().map(|row| &row["skill"]).collect();
    assert_eq!(ran, ["write-note", "read-note"]);
}

fn check_ends(seen: &Value, events: &[Value]) {
    let cancelled = &seen["cancelled"]["error"];
    assert_eq!((&cancelled["code"], &cancelled["data"]["code"]), (&json!(-32800), &json!("E_CANCELLED")));
    assert!(seen["cancelledAfterMs"].as_u64().is_some_and(|waited| waited < 10_000), "the nap was ended");
    assert_eq!(seen["interrupt"], json!({"interrupted": true}));
    assert_eq!(seen["interrupted"]["stopReason"], "cancelled", "an interrupted turn has a result");
    check_events(events, "cancelled");

    assert_eq!(seen["invoke"], json!({"ok": true, "data": {"name": "medlar"}}));
    assert_eq!(seen["invokeDangerous"]["error"]["code"], -32016);
    assert_eq!(seen["unknown"]["error"]["code"], -32601);
    assert!(seen["unknown"].to_string().contains("conductor.message"), "the nearest name: {}", seen["unknown"]);
    assert_eq!(seen["misspelled"]["error"]["code"], -32602);
    assert!(seen["misspelled"].to_string().contains("sesionName"), "the path: {}", seen["misspelled"]);
    assert_eq!(seen["shutdown"], Value::Null);
    assert_eq!(seen["exit"], json!({"code": 0, "signal": null}));
}
