//! A sign-in to ChatGPT by device code, through the built program: from the code to the turn, and to its end.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::home::{Home, PROGRAM};
use crate::issuer::{CODE, DEVICE, ID_SECRET, Issuer, Mood, VERIFIER, now, refresh, serve_sign_ins};
use crate::wire::{Framing, Wire};

const REFRESH: &str = "\"grant_type\":\"refresh_token\"";
const ASKED: &str = "POST /api/accounts/deviceauth/token";

async fn start() -> (Home, Issuer) {
    let home = Home::with("[http]\nmax_retries = 0");
    let issuer = Issuer::start(file(&home)).await;
    let home = home
        .set("CODEX_OAUTH_CLIENT_ID", "app_quince")
        .set("CODEX_OAUTH_ISSUER", &issuer.url)
        .set("CODEX_BACKEND_URL", &format!("{}/backend-api/codex", issuer.url))
        .set("OPEN_THINK_LOG", "trace");
    (home, issuer)
}

fn file(home: &Home) -> PathBuf {
    home.path().join("open-think/codex-login.json")
}

fn kept(home: &Home) -> Value {
    serde_json::from_slice(&std::fs::read(file(home)).expect("a sign-in")).expect("JSON")
}

/// As if the tokens had been given out long ago, and held for so many seconds more.
fn age(home: &Home, left: i64) {
    let mut content = kept(home);
    content["obtained_at"] = json!(now() - 7200);
    content["expires_at"] = json!(now().saturating_add_signed(left));
    let new = home.path().join("aged.json");
    std::fs::write(&new, content.to_string()).expect("a file");
    std::fs::set_permissions(&new, PermissionsExt::from_mode(0o600)).expect("it is ours");
    std::fs::rename(new, file(home)).expect("the same disk");
}

async fn codex_row(wire: &mut Wire) -> Value {
    let listed = wire.ask("providers.list", json!({})).await.expect("providers");
    listed["providers"].as_array().expect("rows").iter().find(|row| row["id"] == "codex").expect("a row").clone()
}

/// Begins a sign-in, and gives its code.
async fn begin(wire: &mut Wire) -> String {
    let begun = wire.ask("oauth.codex.deviceStart", json!({})).await.expect("a code");
    assert_eq!((&begun["status"], &begun["interval"]), (&json!("pending"), &json!(1)), "{begun}");
    begun["deviceCode"].as_str().expect("a code").to_owned()
}

/// Asks at the pace that is given until there is another answer than that it goes on.
async fn ended(wire: &mut Wire, code: &str) -> Value {
    loop {
        let told = poll(wire, code).await;
        if told["status"] != "pending" && told["status"] != "slow_down" {
            return told;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn poll(wire: &mut Wire, code: &str) -> Value {
    wire.ask("oauth.codex.devicePoll", json!({ "deviceCode": code })).await.expect("an answer")
}

/// The status of the next answer for which the issuer was asked.
async fn asked(wire: &mut Wire, issuer: &Issuer, code: &str) -> Value {
    let before = issuer.count(ASKED);
    loop {
        let told = poll(wire, code).await;
        if issuer.count(ASKED) > before {
            return told;
        }
        assert_eq!(told["status"], "slow_down", "it is not asked too soon, and that is said");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn sign_in(wire: &mut Wire, issuer: &Issuer) -> Value {
    let code = begin(wire).await;
    issuer.set(Mood::Approved);
    let told = ended(wire, &code).await;
    assert_eq!(told["status"], "complete", "{told}");
    told
}

async fn say(wire: &mut Wire, params: Value) -> Result<Value, Value> {
    let mut all = json!({ "mode": "auto", "content": "hello" });
    all.as_object_mut().expect("an object").extend(params.as_object().expect("an object").clone());
    wire.ask("conductor.message", all).await
}

/// Everything that must show nowhere but in the file of the sign-in.
fn secrets() -> Vec<String> {
    let tokens = (1..=4).flat_map(|number| [format!("access-{number}-of-quince"), refresh(number)]);
    tokens.chain([DEVICE, CODE, VERIFIER, ID_SECRET].map(str::to_owned)).collect()
}

#[track_caller]
fn check_clean(place: &str, text: &str) {
    for secret in secrets() {
        assert!(!text.contains(&secret), "{secret} shows in {place}: {text}");
    }
}

fn check_files(directory: &Path) {
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            check_files(&path);
        } else if path.is_file() && !path.ends_with("codex-login.json") {
            let bytes = std::fs::read(&path).expect("a file");
            check_clean(&path.display().to_string(), &String::from_utf8_lossy(&bytes));
        }
    }
}

#[tokio::test]
async fn from_the_code_to_a_turn() {
    let (home, issuer) = start().await;
    let mut wire = home.spawn(Framing::Lines);
    let row = codex_row(&mut wire).await;
    assert_eq!((&row["enabled"], &row["configured"]), (&json!(true), &json!(false)), "{row}");
    assert!(row["hint"].as_str().is_some_and(|hint| hint.contains("open-think login codex")), "{row}");
    let error = say(&mut wire, json!({ "provider": "codex" })).await.expect_err("nobody is signed in");
    assert_eq!(error["data"]["code"], "E_NO_PROVIDER");
    assert!(error["data"]["hint"].as_str().is_some_and(|hint| hint.contains("open-think login codex")), "{error}");
    assert_eq!(say(&mut wire, json!({})).await.expect("an answer")["providerUsed"], "offline");

    let begun = wire.ask("oauth.codex.deviceStart", json!({})).await.expect("a code");
    let page = format!("{}/codex/device", issuer.url);
    assert_eq!((&begun["userCode"], &begun["verificationUri"]), (&json!("ABCD-12345"), &json!(page)));
    assert_eq!(begun["expiresIn"], 900);
    let code = begun["deviceCode"].as_str().expect("a code").to_owned();
    let soon = poll(&mut wire, &code).await;
    assert_eq!((&soon["status"], &soon["interval"]), (&json!("slow_down"), &json!(1)), "{soon}");
    assert_eq!(issuer.count(ASKED), 0, "the issuer is left alone");
    assert_eq!(asked(&mut wire, &issuer, &code).await["status"], "pending");
    issuer.set(Mood::Down);
    let trouble = asked(&mut wire, &issuer, &code).await;
    assert_eq!((&trouble["status"], &trouble["interval"]), (&json!("pending"), &json!(2)), "{trouble}");
    assert!(trouble["message"].as_str().is_some_and(|why| why.contains("503: no *** now")), "{trouble}");
    issuer.set(Mood::Approved);
    let told = ended(&mut wire, &code).await;
    let login = json!({
        "owner": "daemon", "account": "acct-1", "email": "quince@a.example", "plan": "pro",
        "expiresAt": crate::issuer::FAR, "keptIn": file(&home),
    });
    assert_eq!(told, json!({ "status": "complete", "login": login }));
    assert_eq!(poll(&mut wire, &code).await["status"], "complete", "it is told to whoever asks again");
    let mode = std::fs::metadata(file(&home)).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    // No new start is needed.
    let result = say(&mut wire, json!({})).await.expect("an answer");
    assert_eq!((&result["providerUsed"], &result["metadata"]["path"]), (&json!("codex"), &json!("chatgpt-tokens")));
    assert_eq!(issuer.count("chatgpt-account-id: acct-1"), 1);
    let status = wire.ask("skills.invoke", json!({ "skill": "codex-status" })).await.expect("a status");
    let status = &status["data"];
    assert_eq!((&status["loginOwner"], &status["plan"]), (&json!("daemon"), &json!("pro")), "{status}");
    let setup = wire.ask("skills.invoke", json!({ "skill": "codex-setup-instructions" })).await.expect("guides");
    let used = setup["data"]["modes"].as_array().expect("guides").iter().find(|guide| guide["inUse"] == true);
    assert_eq!(used.expect("one is in use")["mode"], "oauth-device");

    finish(wire, &home).await;
}

#[tokio::test]
async fn from_tokens_to_newer_tokens_to_the_end() {
    let (home, issuer) = start().await;
    let mut wire = home.spawn(Framing::Lines);
    sign_in(&mut wire, &issuer).await;
    // Shortly before they expire there are newer ones, which are on the disk before they are used.
    age(&home, 120);
    say(&mut wire, json!({})).await.expect("an answer");
    assert_eq!((issuer.count(REFRESH), &kept(&home)["refresh_token"]), (1, &json!(refresh(2))));
    assert!(issuer.seen().last().expect("a request").contains(&refresh(2)), "it was written down before");

    // A refusal leads to newer ones as well.
    age(&home, 3600);
    issuer.take_only(3);
    say(&mut wire, json!({})).await.expect("an answer");
    assert_eq!((issuer.count(REFRESH), &kept(&home)["refresh_token"]), (2, &json!(refresh(3))));

    issuer.set(Mood::Reused);
    age(&home, 120);
    for _ in 0..2 {
        let error = say(&mut wire, json!({})).await.expect_err("it has ended");
        assert_eq!(
            (&error["data"]["code"], &error["data"]["provider"]),
            (&json!("E_AUTH"), &json!("codex")),
            "{error}"
        );
        assert!(error["message"].as_str().is_some_and(|message| message.contains("has ended")), "{error}");
        assert_eq!(error["data"]["hint"], "run `open-think login codex`");
    }
    assert_eq!(issuer.count(REFRESH), 3, "what has ended is not asked for again");
    issuer.take_only(4);
    sign_in(&mut wire, &issuer).await;
    say(&mut wire, json!({})).await.expect("an answer");

    let gone = wire.ask("oauth.codex.logout", json!({})).await.expect("an end");
    assert_eq!(gone, json!({ "signedOut": true, "account": "acct-1", "email": "quince@a.example" }));
    assert!(!file(&home).exists());
    assert_eq!(issuer.count(&format!("\"token\":\"{}\"", refresh(4))), 1);
    assert_eq!(codex_row(&mut wire).await["configured"], false);
    let log = finish(wire, &home).await;
    assert!(log.contains("the sign-in to ChatGPT has ended"), "the log is that of the run");
}

/// Ends the daemon, which has shown no secret anywhere, and gives its log.
async fn finish(mut wire: Wire, home: &Home) -> String {
    for frame in wire.rest().await {
        check_clean("a frame", &frame.to_string());
    }
    let (status, said) = wire.exit().await;
    assert!(status.success() && said.is_empty(), "{said}");
    check_files(home.path());
    std::fs::read_to_string(home.path().join("open-think/open-think.log")).expect("a log")
}

#[tokio::test]
async fn a_sign_in_may_come_to_nothing() {
    for (mood, expected) in [(Mood::Denied, "denied"), (Mood::Expired, "expired")] {
        let (home, issuer) = start().await;
        let mut wire = home.spawn(Framing::Lines);
        let code = begin(&mut wire).await;
        issuer.set(mood);
        let told = ended(&mut wire, &code).await;
        assert_eq!(told["status"], expected, "{told}");
        assert!(told["message"].is_string() && told["login"].is_null(), "{told}");
        let before = issuer.count(ASKED);
        assert_eq!(poll(&mut wire, &code).await["status"], expected);
        assert_eq!(issuer.count(ASKED), before, "an end is final");
        assert_eq!(poll(&mut wire, "of-nobody").await["status"], "expired");
        assert!(!file(&home).exists());
    }
}

#[tokio::test]
async fn what_is_granted_is_kept_though_nobody_waits_for_it() {
    let (home, issuer) = start().await;
    let mut wire = home.spawn(Framing::Lines);
    let code = begin(&mut wire).await;
    issuer.set(Mood::Approved);
    issuer.hold().await;
    let mut ids = Vec::new();
    while issuer.count(CODE) == 0 {
        ids.push(wire.send("oauth.codex.devicePoll", json!({ "deviceCode": code })).await);
        wire.ask("daemon.status", json!({})).await.expect("it reads on");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut cancelled = 0;
    for id in ids {
        wire.notify("$/cancelRequest", json!({ "id": id })).await;
        cancelled += usize::from(wire.answer(id).await.is_err_and(|error| error["code"] == -32800));
    }
    assert_eq!(cancelled, 1, "one of them was asking");
    assert_eq!(poll(&mut wire, &code).await["status"], "pending", "one question at a time");
    issuer.release();
    assert_eq!(ended(&mut wire, &code).await["status"], "complete");
    assert_eq!(issuer.count(CODE), 1, "the code was exchanged once");
}

#[tokio::test]
async fn eight_sign_ins_go_on_at_once_and_one_that_is_given_up_makes_room() {
    let (home, _issuer) = start().await;
    let mut wire = home.spawn(Framing::Lines);
    let mut codes = Vec::new();
    for _ in 0..8 {
        codes.push(begin(&mut wire).await);
    }
    let error = wire.ask("oauth.codex.deviceStart", json!({})).await.expect_err("no room");
    assert_eq!((&error["code"], &error["data"]["code"]), (&json!(-32001), &json!("E_OVERLOADED")), "{error}");
    let params = json!({ "deviceCode": codes[0] });
    let cancel = async |wire: &mut Wire| wire.ask("oauth.codex.deviceCancel", params.clone()).await;
    assert_eq!(cancel(&mut wire).await, Ok(json!({ "cancelled": true })));
    assert_eq!(cancel(&mut wire).await, Ok(json!({ "cancelled": false })));
    assert_eq!(poll(&mut wire, &codes[0]).await["status"], "expired");
    begin(&mut wire).await;
}

#[tokio::test]
async fn two_daemons_refresh_once() {
    let (home, issuer) = start().await;
    let mut first = home.spawn(Framing::Lines);
    sign_in(&mut first, &issuer).await;
    let mut second = home.spawn(Framing::Lines);
    say(&mut second, json!({ "sessionName": "second" })).await.expect("an answer");
    age(&home, -60);
    issuer.hold().await;
    let mut ids = Vec::new();
    for (number, wire) in [&mut first, &mut second].into_iter().enumerate() {
        for turn in 0..3 {
            let params = json!({ "sessionName": format!("{number} {turn}"), "mode": "auto", "content": "hello" });
            ids.push((number, wire.send("conductor.message", params).await));
        }
        wire.ask("daemon.status", json!({})).await.expect("it reads on");
    }
    issuer.release();
    for (number, id) in ids {
        let wire = if number == 0 { &mut first } else { &mut second };
        assert_eq!(wire.answer(id).await.expect("an answer")["providerUsed"], "codex");
    }
    assert_eq!((issuer.count(REFRESH), &kept(&home)["refresh_token"]), (1, &json!(refresh(2))));
}

#[tokio::test]
async fn a_daemon_that_serves_refreshes_ahead_of_need_and_finishes_that_at_its_end() {
    let (home, issuer) = start().await;
    let mut wire = home.spawn(Framing::Lines);
    sign_in(&mut wire, &issuer).await;
    drop(wire);
    age(&home, 120);
    issuer.hold().await;
    let mut wire = home.spawn(Framing::Lines);
    while issuer.count(REFRESH) == 0 {
        wire.ask("daemon.status", json!({})).await.expect("a status");
    }
    wire.end_input().await;
    issuer.release();
    assert!(wire.exit().await.0.success());
    assert_eq!((issuer.count(REFRESH), &kept(&home)["refresh_token"]), (1, &json!(refresh(2))));
}

/// The command, as somebody runs it whose output is no terminal.
fn command(home: &Home, args: &[&str]) -> tokio::process::Command {
    let mut command = tokio::process::Command::new(PROGRAM);
    command.env_clear().envs(home.environment()).args(args).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

async fn run(home: &Home, args: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command(home, args).output().await.expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    let (stdout, stderr) = (text(stdout), text(stderr));
    check_clean("standard output", &stdout);
    check_clean("standard error", &stderr);
    (status.code(), stdout, stderr)
}

#[tokio::test]
async fn the_command_shows_the_code_and_says_what_came_of_it() {
    let (home, issuer) = start().await;
    issuer.set(Mood::Approved);
    let (code, stdout, stderr) = run(&home, &["login", "codex"]).await;
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    let masked = stdout.replace(&issuer.url, "ISSUER").replace(&home.path().display().to_string(), "HOME");
    insta::assert_snapshot!(masked, @r"
    Open this address: ISSUER/codex/device
    There, type in this code: ABCD-12345
    It holds for 15 minutes.
    Signed in as quince@a.example, with the plan pro.
    The tokens are in HOME/open-think/codex-login.json, which only you can read.
    They hold until Tue, 02 Oct 2096 07:06:40 GMT, and are refreshed before.
    ");
    let (code, stdout, _) = run(&home, &["doctor"]).await;
    let finding = "ChatGPT is asked for acct-1 with the plan pro; the sign-in is the daemon's own, refreshed by it";
    assert!(code == Some(0) && stdout.contains(finding), "{stdout}");
    let (_, stdout, _) = run(&home, &["ask", "--json", "hello"]).await;
    assert!(stdout.contains("\"providerUsed\":\"codex\""), "{stdout}");
    let (code, stdout, _) = run(&home, &["logout", "codex"]).await;
    assert_eq!((code, stdout.as_str()), (Some(0), "The sign-in of quince@a.example is deleted.\n"));
    let (code, stdout, _) = run(&home, &["logout", "codex"]).await;
    assert_eq!((code, stdout.as_str()), (Some(0), "There was no sign-in of the daemon's own.\n"));

    let (code, stdout, stderr) = run(&home, &["login", "codex", "--json"]).await;
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    let documents: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((&documents[0]["userCode"], &documents[1]["status"]), (&json!("ABCD-12345"), &json!("complete")));
    check_files(home.path());
}

#[tokio::test]
async fn the_command_fails_in_words() {
    let (home, issuer) = start().await;
    issuer.set(Mood::Denied);
    let (code, _, stderr) = run(&home, &["login", "codex"]).await;
    assert_eq!((code, stderr.as_str()), (Some(1), "open-think: the sign-in was refused in the browser\n"));
    issuer.set(Mood::Expired);
    let (code, _, stderr) = run(&home, &["login", "codex"]).await;
    let said = "open-think: the code has expired, or was never given out\nhint: run the command again\n";
    assert_eq!((code, stderr.as_str()), (Some(1), said));
    issuer.set(Mood::Down);
    let (code, stdout, stderr) = run(&home, &["login", "codex"]).await;
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(stderr.starts_with("open-think: the sign-in answered 503"), "{stderr}");
    let elsewhere = Home::new();
    let (code, stdout, stderr) = run(&elsewhere, &["login", "codex"]).await;
    assert_eq!((code, stdout.as_str()), (Some(2), ""));
    assert!(stderr.contains("no OAuth client") && stderr.contains("hint: Set CODEX_OAUTH_CLIENT_ID"), "{stderr}");
    let (code, stdout, stderr) = run(&elsewhere, &["login", "codex", "--json"]).await;
    assert_eq!((code, stderr.as_str()), (Some(2), ""));
    assert!(stdout.contains("\"status\":\"pending_configuration\""), "{stdout}");
    let refused = home.set("ALLOWED_HOSTS", "example.com");
    let (code, _, stderr) = run(&refused, &["login", "codex"]).await;
    assert_eq!(code, Some(1));
    assert!(stderr.contains("127.0.0.1") && stderr.contains("ALLOWED_HOSTS"), "{stderr}");
}

#[tokio::test]
async fn without_a_client_of_its_own_the_app_server_signs_in() {
    let (url, asked) = serve_sign_ins(true).await;
    let home = Home::new().set("CODEX_APP_SERVER_URL", &url);
    let (code, stdout, stderr) = run(&home, &["login", "codex"]).await;
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    insta::assert_snapshot!(stdout, @r"
    Open this address: https://auth.example/codex/device
    There, type in this code: WXYZ-12345
    It holds for 15 minutes.
    Signed in as plum@a.example, with the plan plus.
    The Codex app-server keeps the tokens.
    ");
    assert!(!file(&home).exists());
    let (url, _) = serve_sign_ins(false).await;
    let home = Home::new().set("CODEX_APP_SERVER_URL", &url);
    let mut wire = home.spawn(Framing::Lines);
    let begun = wire.ask("oauth.codex.deviceStart", json!({})).await.expect("a code");
    let told = ended(&mut wire, begun["deviceCode"].as_str().expect("a code")).await;
    let why = "the Codex app-server did not sign in: Login was not completed";
    assert_eq!(told, json!({ "status": "failed", "message": why }));
    assert!(asked.lock().expect("no panic").iter().any(|method| method == "account/read"));
    let shim = Home::new().set("CODEX_APP_SERVER_URL", "http://127.0.0.1:9");
    let (code, _, stderr) = run(&shim, &["login", "codex"]).await;
    assert!(code == Some(1) && stderr.contains("hint: run `codex login` where it runs"), "{stderr}");
}

#[tokio::test]
async fn an_interrupt_gives_the_sign_in_up() {
    let (home, _issuer) = start().await;
    let mut process = command(&home, &["login", "codex"]).spawn().expect("it starts");
    let mut lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
    while !lines.next_line().await.expect("text").expect("it shows the code").starts_with("It holds") {}
    let pid = i32::try_from(process.id().expect("it lives")).expect("a process id");
    kill(Pid::from_raw(pid), Signal::SIGINT).expect("it lives");
    let output = process.wait_with_output().await.expect("it ends");
    assert_eq!(output.status.code(), Some(130));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "The sign-in was given up.\n");
    assert!(!file(&home).exists());
}
