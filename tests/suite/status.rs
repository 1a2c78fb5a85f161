//! What the daemon tells of itself while several clients are at work.

use serde_json::{Value, json};

use crate::home::Home;
use crate::wire::{Framing, Wire};

const HELD: &str = "call write-note {\"text\":\"quince\"}";

async fn status(wire: &mut Wire) -> Value {
    wire.ask("daemon.status", json!({})).await.expect("a status")
}

#[tokio::test]
async fn every_client_session_and_program_is_told_of() {
    let home = Home::new();
    let daemon = home.daemon().await;
    let mut editor = Wire::connect(&daemon, Framing::Headers);
    let introduction = json!({
        "clientInfo": { "name": "an editor", "version": "1.2" }, "initializationOptions": { "cwd": "/" },
    });
    editor.ask("initialize", introduction).await.expect("a welcome");
    for session in ["held", "idle"] {
        editor.ask("conductor.subscribe", json!({ "sessionName": session })).await.expect("a subscription");
    }
    let mut script = Wire::connect(&daemon, Framing::Lines);
    let held = json!({ "sessionName": "held", "mode": "selective", "content": HELD });
    script.ask("conductor.message", held).await.expect("a result");
    let nap = json!({ "sessionName": "nap", "mode": "auto", "content": "call take-a-nap {}" });
    let naps = [script.send("conductor.message", nap.clone()).await, script.send("conductor.message", nap).await];
    let mut other = Wire::connect(&daemon, Framing::Lines);
    let told = loop {
        let told = status(&mut other).await;
        let queued = told["sessions"].as_array().expect("sessions").iter().any(|session| session["queued"] == 1);
        if told["children"] != json!([]) && queued {
            break told;
        }
    };
    assert_eq!(
        told["children"][0]["pid"],
        home.naps().first().copied().map_or(told["children"][0]["pid"].clone(), Value::from)
    );
    assert_eq!((&told["children"][0]["kind"], &told["children"][0]["name"]), (&json!("skill"), &json!("take-a-nap")));
    let seq = |at: usize| told["sessions"][at]["lastSeq"].clone();
    let expected = json!([
        { "sessionName": "held", "running": false, "queued": 0, "held": 1, "subscribers": 1, "lastSeq": seq(0) },
        { "sessionName": "idle", "running": false, "queued": 0, "held": 0, "subscribers": 1, "lastSeq": 0 },
        { "sessionName": "nap", "running": true, "queued": 1, "held": 0, "subscribers": 0, "lastSeq": seq(2) },
    ]);
    assert_eq!(told["sessions"], expected);
    let rows = told["connections"].as_array().expect("connections");
    assert_eq!((rows.len(), &told["clients"]), (3, &json!(3)));
    let editor_row = rows.iter().find(|row| row["name"] == "an editor").expect("the editor");
    assert_eq!((&editor_row["version"], &editor_row["cwd"]), (&json!("1.2"), &json!("/")));
    assert_eq!((&editor_row["subscriptions"], &editor_row["via"]), (&json!(["held", "idle"]), &json!("memory")));
    assert!(rows.iter().any(|row| row["inFlight"] == 2), "{rows:?}");
    assert_eq!(told["providers"], json!([{ "id": "offline", "state": "cold" }]));
    assert_eq!((&told["codex"], &told["socket"]), (&Value::Null, &Value::Null), "it is in a process of somebody's");

    other.ask("conductor.interrupt", json!({ "sessionName": "nap" })).await.expect("an answer");
    script.answer(naps[0]).await.expect("a result");
    loop {
        other.ask("conductor.interrupt", json!({ "sessionName": "nap" })).await.expect("an answer");
        let told = status(&mut other).await;
        if told["children"] == json!([]) && told["runningTurns"] == json!([]) {
            break;
        }
    }
}
