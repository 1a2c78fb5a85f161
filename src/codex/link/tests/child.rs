//! Children that are no app-servers: what is said of them, and that nothing of them stays.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::sys::signal::kill;
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::{Ear, raw};
use crate::codex::link::{FaultKind, Link, Settings, State};
use crate::config::{Config, Environment};
use crate::policy::{HostPolicy, Redactor};

struct Bench {
    directory: TempDir,
    link: Link,
}

impl Bench {
    /// With a script in place of the Codex CLI.
    fn new(script: &str) -> Self {
        let directory = TempDir::new().unwrap();
        let bin = directory.path().join("codex");
        fs::write(&bin, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&bin, fs::Permissions::from_mode(0o755)).unwrap();
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let variables = [
            ("PATH", format!("{}:/usr/bin:/bin", text(directory.path()))),
            ("XDG_RUNTIME_DIR", text(directory.path())),
            ("OPENAI_API_KEY", "sk-hidden-1".to_owned()),
            ("MY_KEY", "my-key-of-mine".to_owned()),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.into()));
        let mut config = Config { environment: Environment::new(variables.into()), ..Config::default() };
        config.codex.app_server.spawn = true;
        config.codex.app_server.env = vec!["MY_KEY".to_owned()];
        let settings = Settings::from_config(&config, &HostPolicy::default(), Redactor::default()).unwrap();
        Self { directory, link: Link::open(settings, Arc::new(Ear(mpsc::channel(64).0))) }
    }

    async fn error(&self) -> String {
        self.link.request("m", &raw("{}"), None).await.unwrap_err().to_string()
    }

    fn sockets(&self) -> usize {
        fs::read_dir(self.directory.path().join("open-think")).map_or(0, Iterator::count)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

async fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        tokio::task::yield_now().await;
    }
}

fn is_alive(pid: i32) -> bool {
    // One that has ended stays in the table until its parent looks.
    let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    kill(Pid::from_raw(pid), None).is_ok() && !state.contains(") Z ")
}

#[tokio::test]
async fn one_that_is_too_old_to_take_orders_says_so_and_is_not_started_again() {
    let bench = Bench::new(
        r#"if [ "$1" = --version ]; then echo 'codex-cli 0.99.0'; exit; fi
        echo "error: unexpected argument '--listen' found" >&2; exit 2"#,
    );
    let (error, bin) = (bench.error().await, bench.path("codex"));
    assert_eq!(error, format!("the Codex CLI at {} is version 0.99.0, and at least 0.169.0 is needed", bin.display()));
    let status = bench.link.status();
    let fault = status.fault.unwrap();
    assert_eq!((status.state, fault.kind), (State::Refused, FaultKind::WrongVersion));
    assert!(fault.hint.as_ref().unwrap().contains("npm install -g @openai/codex@latest"));
}

#[tokio::test]
async fn one_that_ends_at_once_is_quoted_without_secrets() {
    let bench = Bench::new("echo 'error: no config for my-key-of-mine' >&2; echo '  0: <unknown>' >&2; exit 3");
    let error = bench.error().await;
    assert_eq!(error, "the Codex app-server that the daemon had started ended with code 3: error: no config for ***");
    let status = bench.link.status();
    assert_eq!((status.state, status.fault.unwrap().kind, status.pid), (State::Backoff, FaultKind::ChildFailed, None));
    bench.link.close().await;
    assert_eq!(bench.sockets(), 0);
}

#[tokio::test]
async fn one_that_cannot_be_run_is_not_the_same_as_none() {
    let bench = Bench::new("exit 0");
    fs::write(bench.path("codex"), "#!/nowhere/node\n").unwrap();
    assert!(bench.error().await.contains("could not be started"));
    fs::remove_file(bench.path("codex")).unwrap();
    bench.link.changes().wait_for(|state| *state == State::Refused).await.unwrap();
    assert_eq!(bench.link.status().fault.unwrap().kind, FaultKind::NotInstalled);
}

#[tokio::test]
async fn it_is_told_where_to_listen_and_sees_no_secret_that_was_not_named() {
    let bench = Bench::new(
        r#"[ "$1" = --version ] && exit
        echo "$@" > "$XDG_RUNTIME_DIR/said"; env >> "$XDG_RUNTIME_DIR/said"; exit 1"#,
    );
    bench.error().await;
    let said = fs::read_to_string(bench.path("said")).unwrap();
    let socket = format!("app-server --listen unix://{}/open-think/codex-", bench.directory.path().display());
    assert!(said.starts_with(&socket), "{said}");
    assert!(said.contains("MY_KEY=my-key-of-mine") && !said.contains("sk-hidden-1"), "{said}");
}

/// It listens to nobody and to no signal, and so does its own child.
#[tokio::test(start_paused = true)]
async fn one_that_never_listens_is_ended_with_all_that_it_started() {
    let bench =
        Bench::new("trap '' TERM; sleep 300 & echo $$ $! > \"$XDG_RUNTIME_DIR/pids\"; while :; do sleep 300; done");
    bench.link.wake();
    let pids = || fs::read_to_string(bench.path("pids")).unwrap_or_default();
    until(|| pids().ends_with('\n')).await;
    let pids: Vec<i32> = pids().split_whitespace().map(|pid| pid.parse().unwrap()).collect();
    assert!(pids.iter().all(|pid| is_alive(*pid)));
    bench.link.close().await;
    until(|| bench.sockets() == 0).await;
    until(|| pids.iter().all(|pid| !is_alive(*pid))).await;
}
