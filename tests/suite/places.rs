//! Where what is started for a client works, and what it sees.

use serde_json::{Value, json};

use crate::home::Home;
use crate::wire::{Framing, Wire};

const SKILLS: &str = r#"
[[skill]]
id = "look-around"
description = "Says where it is and what it sees."
dangerous = false
command = ["/bin/sh", "-c", "pwd; env"]
pass_env = ["DEPLOY_REGION"]

[[skill]]
id = "mark"
description = "Leaves a mark where it is."
command = ["/bin/sh", "-c", "echo $LANG > mark; pwd"]
"#;

fn home() -> Home {
    Home::with(SKILLS)
        .set("ENABLED_PLUGINS", "command,offline")
        .set("ANTHROPIC_API_KEY", "sk-of-the-daemon")
        .set("OPENAI_COMPATIBLE_KEY", "sk-another")
        .set("DEPLOY_REGION", "of the daemon")
        .set("LANG", "of the daemon")
        .set("PATH", "/usr/bin:/bin")
        .set("AWS_PROFILE", "of the daemon")
}

async fn client(daemon: &std::sync::Arc<open_think::daemon::Daemon>, options: Value) -> Wire {
    let mut wire = Wire::connect(daemon, Framing::Lines);
    wire.ask("initialize", json!({ "initializationOptions": options })).await.expect("a welcome");
    wire.notify("initialized", json!({})).await;
    wire
}

/// The first line, and the others in order.
async fn around(wire: &mut Wire) -> (String, Vec<String>) {
    let result = wire.ask("skills.invoke", json!({ "skill": "look-around" })).await.expect("a result");
    let mut lines = result["data"]["text"].as_str().expect("text").lines().map(str::to_owned);
    let cwd = lines.next().expect("a line");
    // What a shell adds by itself.
    let own = |line: &String| ["PWD=", "SHLVL=", "_=", "OLDPWD="].iter().any(|name| line.starts_with(name));
    let mut seen: Vec<String> = lines.filter(|line| !own(line)).collect();
    seen.sort();
    (cwd, seen)
}

#[tokio::test]
async fn a_program_sees_its_client_and_never_the_daemons_secrets() {
    let home = home();
    let daemon = home.daemon().await;
    let place = home.path().canonicalize().expect("it is there").display().to_string();
    let env = json!({
        "LANG": "of the client", "PATH": "/bin:/usr/bin", "VIRTUAL_ENV": "/venv", "DEPLOY_REGION": "of the client",
        "ANTHROPIC_API_KEY": "sk-of-the-client", "CONDA_API_KEY": "sk-2", "LD_PRELOAD": "/x", "COUNT": 3,
    });
    let mut wire = client(&daemon, json!({ "cwd": place, "env": env, "theirs": [1] })).await;
    let (cwd, seen) = around(&mut wire).await;
    assert_eq!(cwd, place);
    let home_is = format!("HOME={}", home.path().display());
    let expected =
        ["DEPLOY_REGION=of the daemon", &home_is, "LANG=of the client", "PATH=/bin:/usr/bin", "VIRTUAL_ENV=/venv"];
    assert_eq!(seen, expected);

    // One that tells nothing, or nonsense, has what the daemon has.
    for options in [json!({}), json!("cwd"), json!({ "cwd": "not/absolute", "env": ["PATH"] }), Value::Null] {
        let mut wire = client(&daemon, options).await;
        let (cwd, seen) = around(&mut wire).await;
        assert_eq!(cwd, std::env::current_dir().expect("a directory").display().to_string());
        assert_eq!(seen, ["DEPLOY_REGION=of the daemon", &home_is, "LANG=of the daemon", "PATH=/usr/bin:/bin"]);
    }
}

#[tokio::test]
async fn what_another_client_approves_runs_where_the_one_is_that_asked() {
    let home = home();
    let daemon = home.daemon().await;
    let places = ["asks", "decides"].map(|name| home.path().join(name));
    let mut clients = Vec::new();
    for place in &places {
        std::fs::create_dir(place).expect("a directory");
        let name = place.file_name().and_then(|name| name.to_str());
        clients.push(client(&daemon, json!({ "cwd": place, "env": { "LANG": name } })).await);
    }
    let say = json!({ "sessionName": "s", "mode": "selective", "content": "call mark {}" });
    let held = clients[0].ask("conductor.message", say).await.expect("a result");
    let ids = json!([held["suggestedActions"][0]["id"]]);
    let params = json!({ "sessionName": "s", "actionIds": ids, "decision": "approve" });
    clients[1].ask("conductor.approve", params).await.expect("a result");
    let mark = std::fs::read_to_string(places[0].join("mark")).expect("a mark where the one is that asked");
    assert_eq!(mark, "asks\n");
    assert!(!places[1].join("mark").exists());
}
