//! A whole run against servers that send back what they were sent, in every place an answer has: none of the secrets
//! that are configured shows anywhere, and none reaches a server it was not given for.

use std::path::Path;
use std::sync::{Arc, Mutex};

use open_think::config::SETTINGS;
use serde_json::{Map, Value, json};

use crate::home::Home;
use crate::server::{Answer, Server};
use crate::serving::{self, stream, whole};
use crate::wire::{Framing, Wire};

/// A value for each setting that is a secret.
fn secrets() -> Vec<(&'static str, String)> {
    let names = SETTINGS.iter().filter(|setting| setting.is_secret()).map(|setting| setting.name);
    names.enumerate().map(|(index, name)| (name, format!("sk-quince-{index}-7b1f"))).collect()
}

#[track_caller]
fn check_clean(place: &str, bytes: &[u8]) {
    for (name, secret) in secrets() {
        let shows = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!shows, "{name} shows in {place}: {}", String::from_utf8_lossy(bytes));
    }
}

/// The ways to tell a client its own key.
const WAYS: usize = 7;

/// What a request is answered with; `head` is its beginning, `elsewhere` the address of another server.
fn echo(way: usize, head: &str, elsewhere: &str) -> String {
    let said = json!(head).to_string();
    let line = head.replace("\r\n", " ");
    let json = "content-type: application/json\r\n";
    let delta = "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello\"}}]}";
    match way {
        0 => whole("401 Unauthorized", json, &format!("{{\"error\":{{\"message\":{said},\"type\":{said}}}}}")),
        1 => whole("500 Internal Server Error", "content-type: text/plain\r\n", head),
        2 => whole("200 OK", json, &format!("{{\"errors\":[{{\"code\":1,\"message\":{said}}}],\"debug\":{said}}}")),
        3 => stream(&format!("event: error\ndata: {{\"error\":{{\"message\":{said}}}}}\n\n")),
        4 => stream(&format!("data: {delta}\n\nevent: error\ndata: {{\"error\":{said}}}\n\n")),
        5 => whole("307 Temporary Redirect", &format!("location: {elsewhere}\r\n"), ""),
        _ => {
            let headers = format!("{json}request-id: {line}\r\ncf-aig-log-id: {line}\r\nx-request-id: {line}\r\n");
            let message = "\"choices\":[{\"message\":{\"content\":\"Hello\"},\"finish_reason\":\"stop\"}]";
            let answer = "\"id\":\"m\",\"content\":[],\"stop_reason\":\"refusal\"";
            let details = format!("\"stop_details\":{{\"explanation\":{said}}}");
            whole("200 OK", &headers, &format!("{{{answer},{details},{message},\"data\":[],\"debug\":{said}}}"))
        }
    }
}

/// Each request is answered in the next way.
async fn serve_echoes(elsewhere: String) -> (String, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let log = Arc::clone(&asked);
    let answer = move |request: &str| {
        let head = request.split("\r\n\r\n").next().unwrap_or_default();
        let mut log = log.lock().expect("no panic");
        log.push(request.to_owned());
        echo(log.len() % WAYS, head, &elsewhere)
    };
    (serving::answer(answer).await, asked)
}

/// Everything is configured, and everything is at these servers; an app-server goes before a key of OpenAI's.
fn home(url: &str, app_server: bool) -> Home {
    let mut home =
        Home::with("[http]\nmax_retries = 0").set("ALLOWED_HOSTS", "127.0.0.1").set("OPEN_THINK_LOG", "trace");
    for (name, secret) in secrets() {
        home = home.set(name, &secret);
    }
    let left_out = |name: &str| name == "CODEX_APP_SERVER_URL" && !app_server;
    for setting in SETTINGS.iter().filter(|setting| setting.name.ends_with("_URL") && !left_out(setting.name)) {
        home = home.set(setting.name, url);
    }
    for setting in SETTINGS.iter().filter(|setting| setting.name.ends_with("_DEFAULT_MODEL")) {
        home = home.set(setting.name, "openai/m");
    }
    home.set("CLOUDFLARE_ACCOUNT_ID", "a").set("AI_GATEWAY_ID", "g")
}

/// The least that fits the schema of a skill.
fn input(schema: &Value) -> Value {
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let value = |name: &str| match schema["properties"][name]["type"].as_str() {
        _ if name == "messages" => json!([{"role": "user", "content": "hello"}]),
        _ if name == "models" => json!(["openai/m"]),
        Some("integer" | "number") => json!(1),
        Some("array") => json!([]),
        Some("object") => json!({}),
        Some("boolean") => json!(true),
        _ => json!("x"),
    };
    let mut fields: Map<String, Value> = required.map(|name| (name.to_owned(), value(name))).collect();
    if schema["properties"].get("includeRaw").is_some() {
        fields.insert("includeRaw".to_owned(), json!(true));
    }
    Value::Object(fields)
}

/// Asks everything that makes a request go out.
async fn ask_all(wire: &mut Wire, round: usize) {
    let listed = wire.ask("skills.list", json!({})).await.expect("skills");
    for skill in listed["skills"].as_array().expect("rows").iter().filter(|skill| skill["plugin"] != "command") {
        let params = json!({"skill": skill["id"], "input": input(&skill["inputSchema"]), "confirm": true});
        keep(wire, "skills.invoke", params).await;
    }
    let listed = wire.ask("providers.list", json!({})).await.expect("providers");
    for provider in listed["providers"].as_array().expect("rows") {
        let id = &provider["id"];
        keep(wire, "providers.models", json!({"provider": id})).await;
        for stream in [false, true] {
            let session = format!("{id} {round} {stream}");
            let params = json!({
                "sessionName": session, "mode": "auto", "content": "hello", "provider": id, "stream": stream,
                "includeRaw": true, "fallbackModels": ["anthropic", "openai-compatible"],
            });
            keep(wire, "conductor.message", params).await;
            keep(wire, "sessions.messages", json!({"sessionName": session})).await;
        }
    }
    keep(wire, "providers.list", json!({})).await;
    keep(wire, "daemon.status", json!({"verbose": true})).await;
    keep(wire, "codex.status", json!({"probe": true})).await;
    keep(wire, "codex.rpc", json!({"method": "thread/list", "confirm": true})).await;
}

/// The answer, whatever it is, is kept with all else that came.
async fn keep(wire: &mut Wire, method: &str, params: Value) {
    let answer = wire.ask(method, params).await;
    wire.seen.push(json!(answer.unwrap_or_else(|error| error)));
}

fn check_files(directory: &Path) {
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            check_files(&path);
        } else if path.is_file() {
            check_clean(&path.display().to_string(), &std::fs::read(&path).expect("a file"));
        }
    }
}

#[tokio::test]
async fn quirk_32_no_secret_shows_in_a_whole_run() {
    let used = ["ANTHROPIC_API_KEY", "OPENAI_COMPATIBLE_KEY", "CLOUDFLARE_API_TOKEN", "OPENAI_API_KEY"];
    check_whole_run(false, &[&used[..], &["AI_GATEWAY_AUTH_TOKEN"]].concat()).await;
}

#[tokio::test]
async fn no_secret_shows_in_a_whole_run_over_an_app_server() {
    check_whole_run(true, &["CODEX_APP_SERVER_TOKEN", "ANTHROPIC_API_KEY"]).await;
}

async fn check_whole_run(app_server: bool, used: &[&str]) {
    let elsewhere = Server::start(vec![Answer::of(whole("200 OK", "", "{}"))]).await;
    let (url, asked) = serve_echoes(format!("{}/elsewhere", elsewhere.url)).await;
    let home = home(&url, app_server);
    let mut wire = home.spawn(Framing::Lines);
    for round in 0..WAYS {
        ask_all(&mut wire, round).await;
    }
    for frame in wire.rest().await {
        check_clean("a frame", frame.to_string().as_bytes());
    }
    let (status, said) = wire.exit().await;
    assert!(status.success());
    check_clean("standard error", said.as_bytes());
    check_files(home.path());
    let log = std::fs::read_to_string(home.path().join("open-think/open-think.log")).expect("a log");
    assert!(log.contains("a request failed"), "the log is that of the run");
    let asked = asked.lock().expect("no panic").join("\n");
    for name in used {
        let (_, secret) = secrets().into_iter().find(|(secret, _)| secret == name).expect("a secret");
        assert!(asked.contains(&secret), "{name} was used");
    }
    assert!(!elsewhere.asked().is_empty());
    for request in elsewhere.asked() {
        check_clean("a request to another server", request.as_bytes());
    }
}
