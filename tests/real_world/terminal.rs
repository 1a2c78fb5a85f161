//! A person at a terminal, played by Python's standard library.

use serde_json::{Value, json};

use crate::home::{Home, PROGRAM};
use crate::needs::has;

#[test]
fn a_person_is_asked_and_can_interrupt() {
    if !has("python3") {
        return;
    }
    let home = Home::new();
    let mut script = home.command("python3");
    script.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real_world/python/terminal.py")).arg(PROGRAM);
    let seen = home.run(script);
    check(&seen["yes"], 0, &["[dangerous]", "Run it? [y]es / [n]o / [l]ater", "✓ write-note"]);
    check(&seen["no"], 0, &["✗ write-note"]);
    check(&seen["later"], 3, &["Held until you decide:", "open-think approve act_"]);
    check(&seen["interrupt"], 130, &["Interrupted."]);
    assert_ne!(seen["atQuestion"]["code"], 0, "{}", seen["atQuestion"]);
    check(&seen["invoke"], 0, &["bullace"]);
    assert_eq!(home.notes(), [json!({"text": "quince"}), json!({"text": "bullace"})]);
}

#[track_caller]
fn check(seen: &Value, code: i32, parts: &[&str]) {
    let text = seen["seen"].as_str().expect("text");
    assert_eq!(seen["code"], code, "{text}");
    for part in parts {
        assert!(text.contains(part), "{part:?} is not on the screen: {text}");
    }
}
