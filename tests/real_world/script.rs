//! Plain Python over newline-delimited JSON.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::home::{Home, PROGRAM};
use crate::needs::has;

#[test]
fn a_script_needs_nothing_but_lines_of_json() {
    if !has("python3") {
        return;
    }
    let home = Home::new();
    let mut script = home.command("python3");
    script.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real_world/python/lines.py")).arg(PROGRAM);
    let seen = home.run(script);
    check_turns(&seen["versioned"]);
    check_turns(&seen["plain"]);
    check_pipelined(&seen["pipelined"]);
    check_tolerance(&seen["tolerant"]);
    assert!(seen["huge"]["refused"]["error"]["code"].is_i64(), "{}", seen["huge"]);
    assert!(seen["huge"]["after"]["result"].is_object());
    let codes = json!({"afterShutdown": 0, "exitAlone": 1, "endOfInput": 0, "nothing": 0, "garbage": 2});
    assert_eq!(seen["exits"], codes);
    assert!(home.notes().is_empty(), "a dangerous skill ran without anybody's word");
}

fn check_turns(seen: &Value) {
    let answers = [("propose", json!(0)), ("selective", json!("s-1")), ("auto", json!(-7)), ("invoke", json!(""))];
    for (name, id) in answers {
        let answer = &seen[name];
        assert_eq!((&answer["id"], &answer["jsonrpc"]), (&id, &json!("2.0")), "{name}");
        assert!(answer["result"].is_object(), "{name}: {answer}");
    }
    assert_eq!(seen["propose"]["result"]["suggestedActions"][0]["skill"], "write-note");
    let selective = &seen["selective"]["result"];
    assert_eq!(selective["halted"], "dangerous-skill");
    assert_eq!(selective["trace"][0]["result"], json!({"name": "quince"}));
    assert_eq!(selective["suggestedActions"][0]["input"], json!({"text": "medlar"}));
    assert_eq!(seen["auto"]["result"]["iterationsUsed"], 2);
    assert_eq!((&seen["rest"], &seen["code"]), (&json!([]), &json!(0)));
}

/// Every request has exactly one answer, although the input had ended before they were given.
fn check_pipelined(seen: &Value) {
    let ids = seen["ids"].as_array().expect("ids");
    let expected = (0..40).map(|id| if id % 2 == 1 { json!(id) } else { json!(format!("p{id}")) });
    let text = |id: &Value| id.to_string();
    assert_eq!(ids.len(), 40);
    assert_eq!(ids.iter().map(text).collect::<BTreeSet<_>>(), expected.map(|id| text(&id)).collect());
    assert_eq!((&seen["good"], &seen["code"]), (&json!(true), &json!(0)));
}

fn check_tolerance(seen: &Value) {
    for name in ["object", "array", "emptyArray", "null", "still"] {
        assert!(seen[name]["result"]["skills"].is_array(), "{name}: {}", seen[name]);
    }
    let faults = [
        ("notJson", -32700, Value::Null),
        ("notObject", -32600, Value::Null),
        ("batch", -32600, Value::Null),
        ("unknown", -32601, json!(8)),
        ("mode", -32602, json!(9)),
        ("empty", -32602, json!(10)),
        ("provider", -32010, json!(11)),
    ];
    for (name, code, id) in faults {
        let answer = &seen[name];
        assert_eq!((&answer["error"]["code"], &answer["id"]), (&json!(code), &id), "{name}: {answer}");
        assert!(answer["error"]["data"]["requestId"].is_string(), "{name}: {answer}");
    }
    assert!(seen["deep"]["error"]["code"].is_i64(), "{}", seen["deep"]);
    assert!(seen["unknown"].to_string().contains("skills.list"), "the nearest name: {}", seen["unknown"]);
    assert!(seen["mode"].to_string().contains("mode"), "the path: {}", seen["mode"]);
    assert!(seen["provider"]["error"]["data"]["hint"].is_string(), "how to set it up: {}", seen["provider"]);
    let token = seen["token"].as_str().expect("a line");
    assert!(token.contains(r#""id":1.50"#), "an id comes back as the token it was: {token}");
    assert_eq!((&seen["rest"], &seen["code"]), (&json!([]), &json!(0)));
}
