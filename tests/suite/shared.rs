//! The shared daemon on its socket: who may come, what clients see of one another, how it ends.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::process::{Output, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getuid};
use open_think::daemon::{Address, Record};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::home::{Home, PROGRAM};
use crate::skipped::skipped;
use crate::wire::Framing;

/// The program as its user runs it, from when it is ready.
pub async fn serve(home: &Home) -> Child {
    let mut command = home.command();
    let process = command.arg("serve").stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    while Record::read(&home.address()).is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    process
}

pub async fn ended(mut process: Child) -> Option<i32> {
    timeout(Duration::from_secs(20), process.wait()).await.expect("it ends in time").expect("a status").code()
}

fn pid(process: &Child) -> Pid {
    Pid::from_raw(i32::try_from(process.id().expect("it lives")).expect("a process id"))
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn clients_of_one_daemon_hear_of_one_session() {
    let home = Home::new();
    home.serve().await;
    let (mut one, mut other) = (home.connect(Framing::Lines).await, home.connect(Framing::Headers).await);
    one.ask("conductor.subscribe", json!({"sessionName": "s"})).await.expect("a subscription");
    let message = json!({"sessionName": "s", "mode": "auto", "content": "call read-note {\"name\":\"quince\"}"});
    other.ask("conductor.message", message).await.expect("a result");
    one.until_event("loop-done").await;
    crate::clients::check_numbers(&one.events("s"));
    assert_eq!(one.ask("daemon.status", json!({})).await.expect("a status")["clients"], 2);
}

#[tokio::test]
async fn a_second_daemon_is_refused_and_told_who_serves() {
    let home = Home::new();
    let first = serve(&home).await;
    let second = home.command().arg("serve").output().await.expect("it ends");
    assert_eq!(second.status.code(), Some(1));
    let (said, pid) = (said(&second), pid(&first));
    assert!(said.contains(&format!("process {pid}")) && said.contains("open-think stop"), "{said}");
    assert!(home.connect(Framing::Lines).await.ask("daemon.status", json!({})).await.is_ok());
}

#[tokio::test]
async fn one_at_a_path_of_its_own_is_ended_by_its_process() {
    let home = Home::new();
    let address = Address::at(&home.path().join("own.sock")).expect("short");
    let listen = format!("unix://{}", address.socket().display());
    let serve = || {
        let mut command = home.command();
        command.args(["serve", "--listen", &listen]).stdout(Stdio::null()).stderr(Stdio::piped());
        command.spawn().expect("it starts")
    };
    let first = serve();
    while Record::read(&address).is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (second, pid) = (serve().wait_with_output().await.expect("it ends"), pid(&first));
    let said = said(&second);
    assert!(said.contains(&format!("kill {pid} ends it")) && !said.contains("open-think stop"), "{said}");
    kill(pid, Signal::SIGTERM).expect("it lives");
    assert_eq!(ended(first).await, Some(0));
}

#[tokio::test]
async fn what_a_killed_daemon_leaves_behind_is_in_nobodys_way() {
    let home = Home::new();
    let mut first = serve(&home).await;
    first.kill().await.expect("it can be killed");
    assert!(home.address().socket().exists() && StdUnixStream::connect(home.address().socket()).is_err());
    let mut second = home.command().arg("serve").spawn().expect("it starts");
    while Record::read(&home.address()).map(|record| record.pid) != second.id() {
        assert!(second.try_wait().expect("a status").is_none(), "it did not start");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(StdUnixStream::connect(home.address().socket()).is_ok());
}

#[tokio::test]
async fn one_that_nobody_needs_ends_and_leaves_nothing() {
    let home = Home::with("[daemon]\nidle_timeout_ms = 300\n");
    let process = serve(&home).await;
    let mut wire = home.connect(Framing::Lines).await;
    wire.ask("daemon.status", json!({})).await.expect("a status");
    drop(wire);
    assert_eq!(ended(process).await, Some(0));
    let address = home.address();
    for path in [address.socket().to_owned(), address.lock(), address.record()] {
        assert!(!path.exists(), "{}", path.display());
    }
}

#[tokio::test]
async fn one_that_drains_gives_its_address_back_and_takes_nothing_new() {
    let home = Home::with("[daemon]\ndrain_timeout_ms = 700\n");
    let process = serve(&home).await;
    let mut wire = home.connect(Framing::Lines).await;
    let nap = wire.send("conductor.message", json!({"mode": "auto", "content": "call take-a-nap {}"})).await;
    while home.naps().is_empty() {
        wire.ask("daemon.status", json!({})).await.expect("a status");
    }
    let busy = wire.ask("daemon.stop", json!({"when": "idle"})).await.expect("an answer");
    assert_eq!(busy, json!({"stopping": false, "reason": "something runs"}));
    kill(pid(&process), Signal::SIGTERM).expect("it lives");
    while home.address().socket().exists() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let refused = wire.ask("sessions.list", json!({})).await.expect_err("nothing new");
    assert_eq!((&refused["code"], &refused["data"]["retryable"]), (&json!(-32802), &json!(true)));
    // Another one serves meanwhile.
    let other = serve(&home).await;
    assert_eq!(wire.answer(nap).await.expect_err("its time is over")["code"], -32802);
    assert_eq!(wire.read().await, None);
    assert_eq!(ended(process).await, Some(0));
    crate::program::check_gone(home.naps()[0]);
    let mut next = home.connect(Framing::Lines).await;
    assert_eq!(next.ask("daemon.stop", json!({"when": "now"})).await.expect("an answer"), json!({"stopping": true}));
    assert_eq!(ended(other).await, Some(0));
}

#[tokio::test]
async fn one_that_drains_lets_those_go_who_wait_for_nothing() {
    let home = Home::with("[daemon]\ndrain_timeout_ms = 700\n");
    let process = serve(&home).await;
    let [mut asker, mut idle, mut watcher] =
        [home.connect(Framing::Lines).await, home.connect(Framing::Lines).await, home.connect(Framing::Lines).await];
    idle.ask("daemon.status", json!({})).await.expect("a status");
    watcher.ask("conductor.subscribe", json!({"sessionName": "s"})).await.expect("a subscription");
    let message = json!({"sessionName": "s", "mode": "auto", "content": "call take-a-nap {}"});
    let nap = asker.send("conductor.message", message).await;
    while home.naps().is_empty() {
        asker.ask("daemon.status", json!({})).await.expect("a status");
    }
    kill(pid(&process), Signal::SIGTERM).expect("it lives");
    assert_eq!(idle.read().await, None);
    // Whose turn it is, and who watches it, are there to its end.
    watcher.ask("daemon.status", json!({})).await.expect("a status");
    assert_eq!(asker.answer(nap).await.expect_err("its time is over")["code"], -32802);
    assert_eq!(ended(process).await, Some(0));
}

#[tokio::test]
async fn only_a_shared_daemon_can_be_stopped() {
    let home = Home::new();
    let mut wire = home.spawn(Framing::Lines);
    let answer = wire.ask("daemon.stop", json!({})).await.expect("an answer");
    assert_eq!(answer["stopping"], false);
}

#[tokio::test]
async fn other_protocols_are_hung_up_on_and_nothing_is_done() {
    let home = Home::new();
    home.serve().await;
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"skills.invoke","params":{"skill":"write-note","input":{"text":"x"},"confirm":true}}"#;
    let post = format!("POST /a:b HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}\n", body.len());
    for input in [post.as_str(), "GET / HTTP/1.1\r\n\r\n", "\u{16}\u{3}\u{1}"] {
        let mut stream = UnixStream::connect(home.address().socket()).await.expect("it listens");
        let _ = stream.write_all(input.as_bytes()).await;
        let mut said = Vec::new();
        let _ = timeout(Duration::from_secs(20), stream.read_to_end(&mut said)).await.expect("it hangs up");
        assert_eq!(said, [] as [u8; 0], "{input}");
    }
    assert_eq!(home.notes(), [] as [Value; 0]);
}

#[tokio::test]
async fn another_user_is_refused() {
    if !getuid().is_root() {
        return skipped("only root may act as another user");
    }
    // It connects by the descriptor of a directory that it may look into, and to a socket that it may write to.
    let directory = tempfile::tempdir().expect("a directory");
    let socket = directory.path().join("a.sock");
    let home = Home::new();
    let listen = format!("unix://{}", socket.display());
    let mut command = home.command();
    let _process = command.args(["serve", "--listen", &listen]).stderr(Stdio::null()).spawn().expect("it starts");
    while StdUnixStream::connect(&socket).is_err() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let permit = |path: &std::path::Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode));
    permit(directory.path(), 0o755).and_then(|()| permit(&socket, 0o666)).expect("permissions");
    let probe = r#"$SIG{PIPE} = "IGNORE"; socket(S, 1, 1, 0); connect(S, pack("Sa*", 1, $ARGV[0]."\0")) or die "no connection";
        syswrite(S, qq({"id":1,"method":"sessions.list"}\n)); shutdown(S, 1); print "heard:", <S>;"#;
    let ask = |uid: u32| Command::new("perl").args(["-e", probe]).arg(&socket).uid(uid).output();
    let Ok(own) = ask(0).await else { return skipped("there is no perl") };
    assert!(String::from_utf8_lossy(&own.stdout).contains("sessions"), "{own:?}");
    let other = ask(65534).await.expect("it ends");
    assert_eq!(String::from_utf8_lossy(&other.stdout), "heard:", "{other:?}");
}

#[tokio::test]
async fn a_link_in_place_of_the_runtime_directory_is_refused() {
    if !getuid().is_root() {
        return skipped("only root may put another directory in the place of /tmp");
    }
    let home = Home::new();
    let elsewhere = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let base = elsewhere.path();
    symlink(base, base.join("open-think-0")).expect("a link");
    // Where it is built may be hidden.
    std::fs::hard_link(PROGRAM, base.join("program")).expect("a link");
    let script = format!(
        "mkdir -p /run/user && mount -t tmpfs tmpfs /run/user && mount --bind '{}' /tmp && exec \"$0\" \"$@\"",
        base.display()
    );
    for (args, code) in [(["serve"], 1), (["--stdio"], 69)] {
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", &script, "/tmp/program"]).args(args).stdin(Stdio::null());
        command.envs(home.environment()).env("HOME", base);
        let Ok(output) = command.output().await else { return skipped("there is no unshare") };
        if output.status.code() == Some(32) {
            return skipped("nothing may be mounted here");
        }
        let said = said(&output);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains("/tmp/open-think-0 is no directory of its own"), "{said}");
    }
}

#[tokio::test]
async fn a_path_that_the_system_does_not_take_is_refused_with_the_limit() {
    let home = Home::new();
    let long = home.path().join("x".repeat(100)).join("a.sock");
    let output = home.command().args(["serve", "--listen", &format!("unix://{}", long.display())]).output().await;
    let output = output.expect("it ends");
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("may have 92"), "{}", said(&output));
    let output = home.command().args(["serve", "--listen", "unix://relative"]).output().await.expect("it ends");
    assert_eq!(output.status.code(), Some(2));
}
