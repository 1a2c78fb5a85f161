//! A daemon whose turns run in a real app-server, and the model behind that.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::harness::app_server::{AppServer, CodexHome, KEY_NAME, Listen};
use super::harness::program::codex;
use super::harness::upstream::Upstream;
use crate::client::{Client, check_events, streamed_text};
use crate::home::{Home, PROGRAM};

const PATIENCE: Duration = Duration::from_secs(60);

/// One app-server and as many daemons as are needed.
pub struct Setting {
    pub upstream: Upstream,
    pub server: AppServer,
    pub home: Home,
}

impl Setting {
    /// None where there is no Codex.
    pub fn new() -> Option<Self> {
        Self::listening(Listen::port())
    }

    pub fn listening(listen: Listen) -> Option<Self> {
        let program = codex()?;
        let upstream = Upstream::start();
        let server = AppServer::start(program, &upstream, listen);
        let home = Home::with(&format!("[codex]\ncwd = \"{}\"\n", server.home.work().display()));
        Some(Self { upstream, server, home })
    }

    /// One that goes straight to the app-server.
    pub fn client(&self) -> Client {
        self.client_by(&self.server.url(), &[])
    }

    /// One that goes by this address, with these settings as well.
    pub fn client_by(&self, url: &str, settings: &[(&str, &str)]) -> Client {
        let mut daemon = self.home.command(PROGRAM);
        daemon.env("CODEX_APP_SERVER_URL", url).envs(settings.iter().copied());
        Client::start(daemon)
    }

    /// Whether the model's commands left this file.
    pub fn made(&self, file: &str) -> bool {
        self.server.home.work().join(file).exists()
    }
}

/// How a daemon finds the program.
pub enum Found {
    ByName,
    /// The script that npm installs, before everything else on the `PATH`.
    OnPath,
}

/// A daemon that starts its own app-server, with the home of the latter.
pub fn spawning(upstream: &Upstream, found: Found) -> Option<(Client, Home, CodexHome)> {
    let program = codex()?;
    let codex_home = CodexHome::new(upstream);
    let tables = format!("[codex]\nspawn = true\nenv = [\"{KEY_NAME}\"]\ncwd = \"{}\"\n", codex_home.work().display());
    let home = Home::with(&tables);
    let mut daemon = home.command(PROGRAM);
    match found {
        Found::ByName => daemon.env("CODEX_BIN", program),
        Found::OnPath => {
            let scripts = program.ancestors().find(|folder| folder.ends_with("node_modules")).expect("it is from npm");
            let path = std::env::var("PATH").unwrap_or_default();
            daemon.env("PATH", format!("{}:{path}", scripts.join(".bin").display()))
        }
    };
    daemon.env("CODEX_HOME", codex_home.path()).env(KEY_NAME, "sk-mock");
    Some((Client::start(daemon), home, codex_home))
}

/// Begins a turn in a session; the id of the request.
pub fn begin(client: &mut Client, session: &str, mode: &str, words: &str) -> u64 {
    let params = json!({"sessionName": session, "mode": mode, "content": words, "stream": true});
    client.send("conductor.message", params)
}

/// The end of that turn: its result, whose text is the one that was streamed.
pub fn end(client: &mut Client, session: &str, id: u64) -> Value {
    let result = client.answer(id).unwrap_or_else(|error| panic!("{session}: {error}"));
    check_events(&client.events, session);
    if result["assistantMessage"].is_object() {
        assert_eq!(said(&result), streamed_text(&client.events, session), "{session}: {result}");
    }
    result
}

/// A whole turn.
pub fn turn(client: &mut Client, session: &str, mode: &str, words: &str) -> Value {
    let id = begin(client, session, mode, words);
    end(client, session, id)
}

/// Decides about the held action of a session, and follows the turn to its end.
pub fn decide(client: &mut Client, session: &str, action: &Value, decision: &str) -> Value {
    let ids = json!([action["id"]]);
    let params = json!({"sessionName": session, "actionIds": ids, "decision": decision, "stream": true});
    let id = client.send("conductor.approve", params);
    end(client, session, id)
}

pub fn said(result: &Value) -> &str {
    result["assistantMessage"]["content"].as_str().expect("an answer")
}

/// A request to the app-server, through the daemon.
pub fn rpc(client: &mut Client, method: &str, params: Value) -> Result<Value, Value> {
    client.ask("codex.rpc", json!({"method": method, "params": params, "confirm": true}))
}

/// Until the link stands so.
pub fn wait_for_state(client: &mut Client, state: &str) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let status = client.ask("codex.status", json!({})).expect("a status");
        if status["link"]["state"] == state {
            return status;
        }
        assert!(Instant::now() < deadline, "it does not come to {state}: {status}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
