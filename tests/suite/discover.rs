//! The daemon tells truly what it can do.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::home::Home;
use crate::source;
use crate::wire::{Framing, Wire};

async fn connect() -> (Home, Wire) {
    let home = Home::new();
    let daemon = home.daemon().await;
    let wire = Wire::connect(&daemon, Framing::Lines);
    (home, wire)
}

fn names(rows: &Value) -> BTreeSet<String> {
    let name = |row: &Value| row["name"].as_str().expect("a name").to_owned();
    rows.as_array().expect("rows").iter().map(name).collect()
}

#[tokio::test]
async fn the_document_lists_what_is_answered_and_nothing_else() {
    let (_home, mut wire) = connect().await;
    let document = wire.ask("rpc.discover", json!({})).await.expect("a document");
    assert_eq!(document, open_think::protocol::openrpc());
    let all = document["methods"].as_array().expect("methods").iter();
    let (requests, notifications): (Vec<Value>, Vec<Value>) =
        all.cloned().partition(|method| method.get("result").is_some());
    let requests = names(&requests.into());
    assert_eq!(names(&notifications.into()), ["$/cancelRequest", "exit", "initialized"].map(str::to_owned).into());

    let files = source::files();
    let table = files.iter().find(|file| file.path == "src/api/table.rs").expect("the method table");
    assert_eq!(table.text.matches("row::<names::").count(), requests.len(), "a row for each method of the document");
    let welcome = wire.ask("initialize", json!({})).await.expect("a welcome");
    let told: BTreeSet<String> = serde_json::from_value(welcome["capabilities"]["methods"].clone()).expect("names");
    assert_eq!(told, requests);
    // The last one, for nothing may come after it.
    for name in requests.iter().filter(|name| *name != "shutdown").chain([&"shutdown".to_owned()]) {
        let outcome = wire.ask(name, json!({})).await;
        assert!(
            outcome.as_ref().is_ok() || outcome.as_ref().is_err_and(|error| error["code"] != -32601),
            "{outcome:?}"
        );
    }
}

#[tokio::test]
async fn each_skill_is_listed_with_a_schema_and_its_danger() {
    let (_home, mut wire) = connect().await;
    let listed = wire.ask("skills.list", json!({})).await.expect("skills");
    let skills = listed["skills"].as_array().expect("rows");
    let find = |id: &str| skills.iter().find(|skill| skill["id"] == id).unwrap_or_else(|| panic!("no {id}"));
    assert_eq!(find("write-note")["dangerous"], true, "a skill of the user's is dangerous unless it says otherwise");
    assert_eq!((&find("read-note")["dangerous"], &find("read-note")["plugin"]), (&json!(false), &json!("command")));
    for skill in skills {
        jsonschema::validator_for(&skill["inputSchema"]).unwrap_or_else(|error| panic!("{skill}: {error}"));
        assert_eq!(skill["inputSchema"]["type"], "object", "{skill}");
        assert!(skill["description"].as_str().is_some_and(|text| !text.is_empty()), "{skill}");
    }
    let status = wire.ask("daemon.status", json!({})).await.expect("a status");
    assert_eq!(status["skills"].as_u64(), Some(skills.len() as u64));
}
