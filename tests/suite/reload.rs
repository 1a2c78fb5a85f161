//! The configuration read again while clients are connected and turns run.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::app_server::{AppServer, Reply};
use crate::clients::check_numbers;
use crate::home::{Home, PROGRAM};
use crate::serving::{self, read_request, respond, whole};
use crate::site::Site;
use crate::wire::{Framing, Wire};

/// A test that waits longer hangs.
const PATIENCE: Duration = Duration::from_secs(30);

const NEW_SKILL: &str =
    "[[skill]]\nid = \"say-moo\"\ndescription = \"Says moo.\"\ndangerous = false\ncommand = [\"/bin/echo\", \"moo\"]\n";

async fn client(daemon: &Arc<open_think::daemon::Daemon>) -> Wire {
    let mut wire = Wire::connect(daemon, Framing::Lines);
    wire.initialize(json!({})).await;
    wire
}

async fn told(wire: &mut Wire) -> Value {
    wire.until(|frame| frame["method"] == "daemon.reloaded").await["params"].clone()
}

async fn skills(wire: &mut Wire) -> Vec<String> {
    let listed = wire.ask("skills.list", json!({})).await.expect("skills");
    let ids = listed["skills"].as_array().expect("a list").iter().map(|skill| skill["id"].as_str());
    ids.map(|id| id.expect("an id").to_owned()).collect()
}

#[tokio::test]
async fn a_skill_that_is_added_is_there_for_clients_that_are_connected() {
    let home = Home::new();
    let daemon = home.daemon().await;
    let (mut wire, mut other) = (client(&daemon).await, client(&daemon).await);
    let mut silent = Wire::connect(&daemon, Framing::Lines);
    assert!(!skills(&mut other).await.contains(&"say-moo".to_owned()));
    let before = home.configuration();
    home.configure(&format!("{before}\n{NEW_SKILL}"));
    let result = wire.ask("daemon.reload", json!({})).await.expect("it is good");
    assert_eq!(result, json!({ "changed": ["skill"], "restartNeeded": [], "warnings": [] }));
    assert_eq!(told(&mut other).await, json!({ "ok": true, "changed": ["skill"] }));
    assert!(skills(&mut other).await.contains(&"say-moo".to_owned()));
    let said = silent.ask("skills.invoke", json!({ "skill": "say-moo" })).await.expect("a result");
    assert_eq!(said["data"]["text"], "moo");
    assert_eq!(silent.seen, [] as [Value; 0], "one that did not introduce itself is told nothing");

    home.configure(&before);
    wire.ask("daemon.reload", json!({})).await.expect("it is good");
    assert!(!skills(&mut other).await.contains(&"say-moo".to_owned()));
    let nothing = wire.ask("daemon.reload", json!({})).await.expect("it is good");
    assert_eq!(nothing["changed"], json!([]));
}

#[tokio::test]
async fn a_bad_file_changes_nothing_and_all_are_told() {
    let home = Home::new();
    let daemon = home.daemon().await;
    let (mut wire, mut other) = (client(&daemon).await, client(&daemon).await);
    let before = home.configuration();
    for (bad, why) in [
        (format!("{before}\n{NEW_SKILL}\nnonsense = 1\n"), "nonsense"),
        (format!("{before}\n{NEW_SKILL}\n[helm\n"), "this is not TOML"),
        (format!("enabled_plugins = \"no-such-plugin\"\n{before}\n{NEW_SKILL}"), "no-such-plugin"),
        (format!("{before}\n{}", NEW_SKILL.replace("say-moo", "read-note")), "read-note"),
    ] {
        home.configure(&bad);
        let error = wire.ask("daemon.reload", json!({})).await.expect_err("it is bad");
        assert_eq!((&error["code"], &error["data"]["code"]), (&json!(-32602), &json!("E_BAD_REQUEST")));
        assert!(error["message"].as_str().is_some_and(|message| message.contains(why)), "{error}");
        let told = told(&mut other).await;
        assert_eq!((&told["ok"], &told["message"]), (&json!(false), &error["message"]));
        assert!(!skills(&mut other).await.contains(&"say-moo".to_owned()));
    }
    let said = other.ask("skills.invoke", json!({ "skill": "read-note", "input": { "name": "a" } })).await;
    assert_eq!(said.expect("it goes on")["data"]["name"], "a");
}

#[tokio::test]
async fn what_needs_a_new_start_is_told() {
    let home = Home::new();
    let daemon = home.daemon().await;
    let mut wire = client(&daemon).await;
    home.configure(&format!(
        "otel_service_name = 'other'\n{}\n[daemon]\nidle_timeout_ms = 5000\n[helm]\napproval_timeout_ms = 40\n",
        home.configuration()
    ));
    let result = wire.ask("daemon.reload", json!({})).await.expect("it is good");
    assert_eq!(result["changed"], json!(["daemon.idle_timeout_ms", "helm.approval_timeout_ms", "otel_service_name"]));
    assert_eq!(result["restartNeeded"], json!(["daemon.idle_timeout_ms", "otel_service_name"]));
    let told = told(&mut wire).await;
    assert_eq!((&told["changed"], &told["restartNeeded"]), (&result["changed"], &result["restartNeeded"]));
}

#[tokio::test]
async fn who_may_come_over_http_is_read_again_and_where_it_is_listened_for_is_not() {
    let site = Site::start("").await;
    let ask = async |headers: &[&str]| {
        let bearer = site.bearer();
        let headers = [headers, &[bearer.as_str()]].concat();
        site.raw("GET /health", &headers, "").await.status
    };
    let own = format!("Host: {}", site.address);
    let (named, page) = (["Host: box.example"], [own.as_str(), "Origin: https://page.example"]);
    assert_eq!((ask(&named).await, ask(&page).await), (403, 403));
    let before = site.home.configuration();
    let lists = "allowed_hosts = [\"box.example\"]\nallowed_origins = [\"https://page.example\"]";
    site.home.configure(&format!("{before}\n[daemon]\n{lists}\nlisten = \"http://127.0.0.1:1\"\n"));
    let mut wire = client(&site.daemon).await;
    let result = wire.ask("daemon.reload", json!({})).await.expect("it is good");
    assert_eq!(result["changed"], json!(["daemon.allowed_hosts", "daemon.allowed_origins", "daemon.listen"]));
    assert_eq!(result["restartNeeded"], json!(["daemon.listen"]));
    assert_eq!((ask(&named).await, ask(&page).await, ask(&[&own]).await), (200, 200, 200));
    site.home.configure(&before);
    wire.ask("daemon.reload", json!({})).await.expect("it is good");
    assert_eq!((ask(&named).await, ask(&page).await, ask(&[&own]).await), (403, 403, 200));
    site.stop().await;
}

/// Begins its first answer, and goes on with it when it is told to; to all others it says which key it was sent.
async fn serve(go: Arc<Notify>) -> String {
    let first = Mutex::new(Some(go));
    serving::serve(move |stream| converse(stream, first.lock().expect("no panic").take())).await
}

async fn converse(mut stream: TcpStream, go: Option<Arc<Notify>>) -> std::io::Result<()> {
    let Some(request) = read_request(&mut stream).await? else { return Ok(()) };
    let request = request.to_ascii_lowercase();
    let key = request.lines().find_map(|line| line.strip_prefix("authorization: bearer ")).unwrap_or("none").to_owned();
    let Some(go) = go else {
        let body = json!({ "error": { "message": format!("no {}: {key}", if key == "sk-new-quince" { "new" } else { "old" }) } });
        let answer = whole("401 Unauthorized", "content-type: application/json\r\n", &body.to_string());
        return respond(stream, &answer).await;
    };
    let delta =
        |text: &str| format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n");
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    stream.write_all(format!("{head}{}", delta("one ")).as_bytes()).await?;
    go.notified().await;
    let end = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    respond(stream, &format!("{}{end}", delta("two"))).await
}

#[tokio::test]
async fn a_turn_goes_on_with_what_it_began_with_and_the_next_one_has_the_new_key() {
    let go = Arc::<Notify>::default();
    let url = serve(Arc::clone(&go)).await;
    let tables = |key: &str| {
        format!(
            "openai_compatible_url = \"{url}/v1\"\nopenai_compatible_key = \"{key}\"\nmodel_default = \"m\"\n[http]\nmax_retries = 0"
        )
    };
    let home = Home::with(&tables("sk-old-quince"));
    let daemon = home.daemon().await;
    let (mut wire, mut other) = (client(&daemon).await, client(&daemon).await);
    let params = json!({ "sessionName": "s", "content": "go", "stream": true, "provider": "openai-compatible" });
    let id = wire.send("conductor.message", params.clone()).await;
    wire.until_event("text-delta").await;

    home.configure(&home.configuration().replace("sk-old-quince", "sk-new-quince"));
    let result = other.ask("daemon.reload", json!({})).await.expect("it is good");
    assert_eq!(result["changed"], json!(["openai_compatible_key"]));
    go.notify_one();
    let answer = wire.answer(id).await.expect("it goes on");
    assert_eq!(answer["assistantMessage"]["content"], "one two");

    let error = other.ask("conductor.message", params).await.expect_err("the key is refused");
    let message = error["message"].as_str().expect("a message");
    assert!(message.contains("no new") && !error.to_string().contains("sk-new-quince"), "{error}");
    let subscribed = wire.ask("conductor.subscribe", json!({ "sessionName": "s", "afterSeq": 0 })).await;
    let last = subscribed.expect("a subscription")["seq"].clone();
    wire.seen.clear();
    wire.ask("conductor.unsubscribe", json!({ "sessionName": "s" })).await.expect("an answer");
    let mut again = client(&daemon).await;
    again.ask("conductor.subscribe", json!({ "sessionName": "s", "afterSeq": 0 })).await.expect("a subscription");
    let end = again.until(|frame| frame["params"]["seq"] == last).await;
    again.seen.push(end);
    check_numbers(&again.events("s"));
}

/// What a daemon of its own tells a client on its socket.
async fn lines(socket: &std::path::Path) -> (Lines<BufReader<OwnedReadHalf>>, OwnedWriteHalf) {
    let connect = async {
        loop {
            match UnixStream::connect(socket).await {
                Ok(stream) => return stream,
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    };
    let stream = timeout(PATIENCE, connect).await.expect("it listens in time");
    let (reader, mut writer) = stream.into_split();
    let initialize = "{\"id\":1,\"method\":\"initialize\"}\n{\"method\":\"initialized\"}\n";
    writer.write_all(initialize.as_bytes()).await.expect("it listens");
    (BufReader::new(reader).lines(), writer)
}

async fn told_on(lines: &mut Lines<BufReader<OwnedReadHalf>>) -> Value {
    let told = async {
        loop {
            let line = lines.next_line().await.expect("it goes on").expect("it goes on");
            let frame: Value = serde_json::from_str(&line).expect("JSON");
            if frame["method"] == "daemon.reloaded" {
                return frame["params"].clone();
            }
        }
    };
    timeout(PATIENCE, told).await.expect("it is told in time")
}

#[tokio::test]
async fn a_shared_daemon_reads_a_file_that_changes_and_one_that_it_is_pointed_to_by_a_signal() {
    let home = Home::with("[http]\nwarm = false");
    let socket = home.path().join("d.sock");
    std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o700)).expect("it is ours");
    let mut command = tokio::process::Command::new(PROGRAM);
    command.env_clear().envs(home.environment()).kill_on_drop(true).stderr(Stdio::null());
    let listen = format!("unix://{}", socket.display());
    let daemon = command.args(["serve", "--listen", &listen]).spawn().expect("it starts");
    let pid = Pid::from_raw(i32::try_from(daemon.id().expect("it runs")).expect("a process id"));
    let (mut lines, _writer) = lines(&socket).await;
    // The first answer says that it is at work, and knows the file.
    lines.next_line().await.expect("an answer");
    let before = home.configuration();
    kill(pid, Signal::SIGHUP).expect("it lives");
    assert_eq!(told_on(&mut lines).await, json!({ "ok": true, "changed": [] }));
    home.configure(&format!("{before}\n{NEW_SKILL}"));
    assert_eq!(told_on(&mut lines).await, json!({ "ok": true, "changed": ["skill"] }));
    let mut put = tokio::process::Command::new(PROGRAM);
    put.env_clear().envs(home.environment()).args(["secret", "put", "ANTHROPIC_API_KEY"]).stdin(Stdio::piped());
    let mut put = put.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    put.stdin.take().expect("it is piped").write_all(b"sk-quince").await.expect("it reads");
    assert!(put.wait().await.expect("it ends").success());
    assert_eq!(told_on(&mut lines).await, json!({ "ok": true, "changed": ["anthropic_api_key"] }));
    home.configure("nonsense");
    assert_eq!(told_on(&mut lines).await["ok"], false);
}

/// The connection to the app-server is the one thing of it that a client would miss.
#[tokio::test]
async fn the_link_to_an_app_server_is_made_anew_for_another_token_or_url_and_for_nothing_else() {
    let answers = |_: &str, _: &Value| Reply::Result("{}".into());
    let (mut one, mut other) = (AppServer::start(answers).await, AppServer::start(answers).await);
    let token = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(token.path(), "sk-quince").expect("a file");
    let home = Home::with("codex_app_server_url = 'URL'\ncodex_app_server_token = 'file:TOKEN'");
    let shown = token.path().display().to_string();
    let before = home.configuration().replace("URL", &one.url).replace("TOKEN", &shown);
    home.configure(&before);
    let daemon = home.daemon().await;
    let mut wire = client(&daemon).await;
    let ask = json!({ "method": "model/list", "params": {}, "confirm": true });
    wire.ask("codex.rpc", ask.clone()).await.expect("an answer");

    // Nothing of it has changed: it hears no second greeting.
    home.configure(&format!("daily_spend_cap_usd = 1\n{before}"));
    let changed = wire.ask("daemon.reload", json!({})).await.expect("it is good")["changed"].clone();
    assert_eq!(changed, json!(["daily_spend_cap_usd"]));
    wire.ask("codex.rpc", ask.clone()).await.expect("an answer");
    check_greetings(&mut one, 1).await;

    // The token stands elsewhere, and has changed beside something else.
    std::fs::write(token.path(), "sk-medlar").expect("a file");
    home.configure(&format!("daily_spend_cap_usd = 2\n{before}"));
    let changed = wire.ask("daemon.reload", json!({})).await.expect("it is good")["changed"].clone();
    assert_eq!(changed, json!(["codex_app_server_token", "daily_spend_cap_usd"]));
    wire.ask("codex.rpc", ask.clone()).await.expect("an answer");
    check_greetings(&mut one, 1).await;
    let changed = wire.ask("daemon.reload", json!({})).await.expect("it is good")["changed"].clone();
    assert_eq!(changed, json!([]));

    home.configure(&before.replace(&one.url, &other.url));
    wire.ask("daemon.reload", json!({})).await.expect("it is good");
    wire.ask("codex.rpc", ask).await.expect("an answer");
    check_greetings(&mut other, 1).await;
}

/// Since it was last looked, so often a connection was made.
async fn check_greetings(server: &mut AppServer, expected: usize) {
    server.notify("nobody/listens", json!({}));
    let mut greetings = 0;
    while let Some(frame) = server.heard_so_far() {
        greetings += usize::from(frame["method"] == "initialize");
    }
    assert_eq!(greetings, expected);
}

#[tokio::test]
async fn a_reload_that_takes_its_time_holds_up_nobody() {
    let home = Home::with("[http]\nwarm = false");
    let go = home.path().join("go");
    let ended = home.path().join("asked");
    let command = format!(
        "cmd:/bin/sh -c 'echo asked >> {}; while [ -e {} ]; do sleep 0.01; done; echo sk-quince'",
        ended.display(),
        go.display()
    );
    home.configure(&format!("anthropic_api_key = \"{command}\"\n{}", home.configuration()));
    let mut process = home.command();
    let mut process = process.arg("serve").stderr(Stdio::null()).spawn().expect("it starts");
    let socket = home.address().socket().to_owned();
    let (mut first, _writer) = lines(&socket).await;
    first.next_line().await.expect("an answer");
    std::fs::write(&go, "").expect("a file");
    let pid = Pid::from_raw(i32::try_from(process.id().expect("it runs")).expect("a process id"));
    let asked = || std::fs::read_to_string(&ended).unwrap_or_default().lines().count();
    let before = asked();
    kill(pid, Signal::SIGHUP).expect("it lives");
    while asked() == before {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // It is asked still, and a client comes, is answered, and the daemon ends.
    let (mut second, _writer) = lines(&socket).await;
    second.next_line().await.expect("an answer");
    kill(pid, Signal::SIGTERM).expect("it lives");
    timeout(PATIENCE, process.wait()).await.expect("it ends in time").expect("a status");
    while let Ok(Some(line)) = first.next_line().await {
        assert!(!line.contains("daemon.reloaded"), "it ended before the program did: {line}");
    }
    std::fs::remove_file(&go).expect("it is ours");
}
