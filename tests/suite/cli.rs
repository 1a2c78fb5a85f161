//! The commands, as a person or a script meets them.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::program::{Home, PROGRAM, Run, check_gone, masked};

/// One skill that is safe, one that is not, one that takes long.
const SKILLS: &str = r#"
[[skill]]
id = "read-note"
description = "Gives its input back."
dangerous = false
command = ["/bin/cat"]

[[skill]]
id = "write-note"
description = "Keeps its input in a file."
input_schema = { properties = { text = { type = "string" } }, required = ["text"] }
command = ["/usr/bin/tee", "-a", "HOME/notes"]

[[skill]]
id = "take-a-nap"
description = "Takes a minute."
dangerous = false
command = ["/bin/sleep", "60"]
timeout_ms = 90000
"#;

const HOLD: &str = r#"call write-note {"text":"quince"}"#;

/// Ends with `code`, says all of `parts`, and nothing of them where `stdout` should be silent.
#[track_caller]
fn check(run: &Run, code: i32, stdout: &[&str], stderr: &[&str]) {
    let Run { code: ended, stdout: out, stderr: err } = run;
    assert_eq!(*ended, code, "stdout: {out}\nstderr: {err}");
    for part in stdout {
        assert!(out.contains(part), "{part:?} is not in stdout: {out}");
    }
    for part in stderr {
        assert!(err.contains(part), "{part:?} is not in stderr: {err}");
    }
    assert!(!stdout.is_empty() || out.is_empty(), "stdout: {out}");
    assert!(!stderr.is_empty() || err.is_empty(), "stderr: {err}");
}

#[track_caller]
fn json(run: &Run) -> Value {
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}\n{}", run.stdout, run.stderr))
}

fn action(run: &Run) -> String {
    let start = run.stderr.find("act_").unwrap_or_else(|| panic!("no action: {}", run.stderr));
    run.stderr[start..].split_whitespace().next().expect("an id").to_owned()
}

#[test]
fn a_fresh_machine_answers_with_what_it_found() {
    let run = Home::new().run(&["ask", "check runtime health"]);
    let calls = ["→ admin-health-check {}", "✓ admin-health-check"];
    check(&run, 0, &["healthy: true", "No model is configured"], &calls);
}

#[test]
fn a_plan_lists_its_actions_and_how_to_run_them() {
    let home = Home::new();
    let run = home.run(&["ask", "--mode", "propose", "check", "runtime", "health"]);
    check(&run, 0, &["Suggested actions:"], &[]);
    let tail = masked(run.stdout.split("Suggested actions:").nth(1).expect("a list"));
    insta::assert_snapshot!(tail, @r"
      act_ID admin-health-check {}
    To run:    open-think approve act_ID
    To refuse: open-think approve act_ID --deny
    ");
    let id = run.stdout.split_whitespace().find(|word| word.starts_with("act_")).expect("an id");
    check(&home.run(&["approve", id]), 0, &["healthy"], &["✓ admin-health-check"]);
}

#[test]
fn a_dangerous_skill_waits_for_its_approval() {
    let home = Home::with_config(SKILLS);
    let held = home.run(&["ask", HOLD]);
    check(&held, 3, &[], &["Held until you decide:", r#"write-note {"text":"quince"}"#, "open-think approve act_"]);
    let notes = home.path().join("notes");
    assert!(!notes.exists(), "it ran without anybody's word");
    let id = action(&held);
    check(&home.run(&["approve", &id]), 0, &["quince"], &["✓ write-note"]);
    assert_eq!(std::fs::read_to_string(notes).expect("notes"), "{\"text\":\"quince\"}\n");
    check(&home.run(&["approve", &id]), 2, &[], &["was approved before"]);
}

#[test]
fn a_refused_skill_never_runs_and_the_session_is_named_in_the_advice() {
    let home = Home::with_config(SKILLS);
    let held = home.run(&["ask", "--session", "my notes", HOLD]);
    check(&held, 3, &[], &["open-think approve --session 'my notes' act_"]);
    let id = action(&held);
    check(&home.run(&["approve", &id]), 2, &[], &["has no action"]);
    assert_eq!(home.run(&["approve", "--session", "my notes", &id, "--deny"]).code, 0);
    assert!(!home.path().join("notes").exists());
}

#[test]
fn an_action_can_be_run_with_another_input_and_by_a_script() {
    let home = Home::with_config(SKILLS);
    let held = home.run(&["ask", "--json", HOLD]);
    check(&held, 3, &["dangerous-skill"], &[]);
    let id = json(&held)["suggestedActions"][0]["id"].as_str().expect("an id").to_owned();
    let run = home.run_with_input(&["approve", &id, "--input", "-", "--json"], r#"{"text":"medlar"}"#);
    assert_eq!(json(&run)["trace"][0]["input"], serde_json::json!({"text": "medlar"}));
    assert_eq!(run.stderr, "");
}

#[test]
fn the_result_is_one_document_on_one_line() {
    let run = Home::new().run(&["ask", "--json", "check runtime health"]);
    check(&run, 0, &["end-turn"], &[]);
    assert_eq!(run.stdout.lines().count(), 1);
    assert_eq!(json(&run)["trace"][0]["skill"], "admin-health-check");
}

#[test]
fn what_is_piped_in_is_said() {
    let home = Home::with_config(SKILLS);
    let order = r#"call read-note {"name":"quince"}"#;
    for args in [&["ask"][..], &["ask", "-"], &["ask", "--mode", "auto", "-"]] {
        check(&home.run_with_input(args, order), 0, &["quince"], &["→ read-note"]);
    }
    check(&home.run_with_input(&["ask", "and", "-"], order), 0, &["quince"], &["→ read-note"]);
    check(&home.run_with_input(&["ask", "what is this?"], order), 0, &["quince"], &["→ read-note"]);
    let said = home.run(&["rpc", "sessions.messages", r#"{"sessionName":"conductor:default"}"#]);
    let messages = json(&said)["messages"].clone();
    let user = messages.as_array().expect("messages").iter().rfind(|message| message["role"] == "user");
    assert_eq!(user.expect("a message")["content"], format!("what is this?\n\n{order}"));
}

#[test]
fn a_pipe_that_nobody_writes_to_is_not_waited_for() {
    let home = Home::new();
    let mut command = home.command(PROGRAM);
    command.args(["ask", "check runtime health"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().expect("it starts");
    let open = process.stdin.take();
    let run = home.ended(process.wait_with_output().expect("it ends"));
    drop(open);
    check(&run, 0, &["healthy"], &["Nothing came on standard input"]);
}

#[test]
fn input_that_cannot_be_used_ends_with_2_and_says_what_is_right() {
    let home = Home::new();
    let empty = "there is nothing to say";
    for args in [&["ask"][..], &["ask", ""], &["ask", "  "], &["ask", "-"]] {
        check(&home.run(args), 2, &[], &[empty, "hint: As in"]);
    }
    let cases: &[(&[&str], &str)] = &[
        (&["sesions"], "'sessions'"),
        (&["ask", "--mode", "atuo", "x"], "auto"),
        (&["ask", "--max-iterations", "13", "x"], "1..=12"),
        (&["--colour", "never"], "--color"),
        (&["--color", "never"], "no command was given"),
        (&["approve"], "ACTION_ID"),
        (&["invoke", "admin-helth-check"], "Did you mean admin-health-check?"),
        (&["invoke", "admin-suggest-plugins"], "goal"),
        (&["invoke", "admin-suggest-plugins", "{"], "this is not JSON"),
        (&["invoke", "admin-suggest-plugins", "[]"], "must be a JSON object"),
        (&["invoke", "admin-suggest-plugins", "-i", "goal"], "NAME=VALUE"),
        (&["rpc", "skills.list", "[]"], "must be a JSON object"),
        (&["--set", "ANTHROPIC_API_KE=x", "skills"], "ANTHROPIC_API_KEY"),
        (&["--set", "ANTHROPIC_API_KEY", "skills"], "NAME=VALUE"),
        (&["--set", "anthropic_api_key=sk-quince", "skills"], "Run open-think secret put ANTHROPIC_API_KEY"),
        (&["--set", "OPENAI_API_KEY=sk-quince", "--stdio"], "other users can read the command line"),
        (&["--set", "ANTHROPIC_API_KEY=file:key", "skills"], "by an absolute path"),
        (&["--set", "ENABLED_PLUGINS=bogus", "skills"], "ENABLED_PLUGINS names 'bogus'"),
        (&["--config", "HOME/none.toml", "skills"], "cannot be read"),
        (&["sessions", "show", "none"], "there is no session 'none'"),
        (&["sessions", "delete", "none"], "--yes"),
        (&["sessions", "delete", "none", "--yes"], "there is no session 'none'"),
        (&["completions", "tcsh"], "bash"),
    ];
    for (args, part) in cases {
        check(&home.run(args), 2, &[], &[part]);
    }
}

#[test]
fn a_provider_that_is_not_set_up_is_refused_with_the_way_to_set_it_up() {
    let run = Home::new().run(&["ask", "--provider", "anthropic", "hello"]);
    check(&run, 1, &[], &["open-think: ", "anthropic", "hint: set ANTHROPIC_API_KEY"]);
}

#[test]
fn a_wrong_key_in_the_file_names_the_nearest() {
    let home = Home::with_config("anthropic_api_ky = \"sk-quince\"\n");
    let parts = ["config.toml:1", "unknown key anthropic_api_ky", "anthropic_api_key"];
    check(&home.run(&["ask", "hello"]), 2, &[], &parts);
    check(&home.run(&["config", "check"]), 2, &[], &parts);
    check(&home.run(&["doctor"]), 1, &["fail  configuration: ", "anthropic_api_key"], &[]);
}

#[test]
fn a_state_directory_that_cannot_be_written_is_said_plainly() {
    let home = Home::new();
    std::fs::write(home.path().join("file"), "").expect("a file");
    let inside = home.path().join("file/state").display().to_string();
    let mut places = vec![inside.as_str()];
    // A place where even the superuser may not write.
    if cfg!(target_os = "linux") {
        places.push("/proc/self/open-think");
    }
    for place in places {
        let run = home.run(&["--state-dir", place, "ask", "check runtime health"]);
        check(&run, 1, &[], &["sessions file", "state directory"]);
        check(&home.run(&["--state-dir", place, "doctor"]), 1, &["fail  state: "], &[]);
    }
}

#[test]
fn skills_run_by_hand() {
    let home = Home::with_config(SKILLS);
    check(&home.run(&["invoke", "read-note", "-i", "n=1", "-i", "t=a b"]), 0, &[r#"{"n":1,"t":"a b"}"#], &[]);
    check(&home.run_with_input(&["invoke", "read-note", "-"], "{\"a\":[1]}"), 0, &[r#"{"a":[1]}"#], &[]);
    check(&home.run(&["invoke", "write-note", "-i", "text=7"]), 2, &[], &["is dangerous", "--confirm"]);
    check(&home.run(&["invoke", "write-note", "--confirm", "-i", "text=7"]), 0, &[r#"{"text":"7"}"#], &[]);
    check(&home.run(&["skills"]), 0, &["write-note", "dangerous", "Keeps its input in a file."], &[]);
    check(&home.run(&["skills", "write-note"]), 0, &["write-note [dangerous]", "\"required\""], &[]);
    assert_eq!(json(&home.run(&["skills", "write-note", "--json"]))["dangerous"], true);
    assert!(json(&home.run(&["skills", "--json"]))["skills"].is_array());
}

#[test]
fn any_method_can_be_called() {
    let home = Home::new();
    assert!(json(&home.run(&["rpc", "daemon.status"]))["version"].is_string());
    let run = home.run(&["rpc", "skills.lst"]);
    check(&run, 1, &[], &["-32601"]);
    let error: Value = serde_json::from_str(&run.stderr).expect("an error object");
    assert_eq!(error["data"]["didYouMean"][0], "skills.list");
}

#[test]
fn sessions_are_listed_shown_and_deleted() {
    let home = Home::with_config(SKILLS);
    check(&home.run(&["sessions"]), 0, &[], &["There are no sessions yet"]);
    assert_eq!(home.run(&["ask", "--session", "garden", HOLD]).code, 3);
    let list = home.run(&["sessions"]);
    insta::assert_snapshot!(list.stdout, @r"
    used      messages  held  session
    just now  2         1     garden
    ");
    let shown = home.run(&["sessions", "show", "garden"]);
    insta::assert_snapshot!(masked(&shown.stdout), @r#"
    user · just now
    call write-note {"text":"quince"}

    assistant · offline · just now
    → write-note {"text":"quince"}

    held: act_ID write-note {"text":"quince"}
    "#);
    assert_eq!(json(&home.run(&["sessions", "list", "--json"]))["sessions"][0]["sessionName"], "garden");
    let messages = json(&home.run(&["sessions", "show", "garden", "--limit", "1", "--json"]));
    assert_eq!(messages["messages"].as_array().map(Vec::len), Some(1));
    check(&home.run(&["sessions", "delete", "garden", "--yes"]), 0, &[], &["is deleted"]);
    check(&home.run(&["sessions"]), 0, &[], &["There are no sessions yet"]);
}

#[test]
fn the_doctor_says_what_is_missing() {
    let home = Home::new();
    let run = home.run(&["doctor"]);
    // A model server that happens to run on this machine is told of as well, in two lines, and its keyring in one or two; where the daemon would be depends on it too.
    let mut lines = run.stdout.lines();
    let mut told = Vec::new();
    while let Some(line) = lines.next() {
        match ["  local: ", "  secrets: ", "  daemon: none"].iter().any(|area| line.contains(area)) {
            true if line.starts_with("ok") || line.contains("  daemon: ") => {}
            true => drop(lines.next()),
            false => told.push(line),
        }
    }
    insta::assert_snapshot!(told.join("\n"));
    let report = json(&home.run(&["doctor", "--json"]));
    assert_eq!(report["ok"], true);
    let asked = home.run(&["--set", "ENABLED_PLUGINS=anthropic,offline", "doctor"]);
    check(&asked, 0, &["warn  plugin: anthropic lacks ANTHROPIC_API_KEY"], &[]);
    let warned = Home::with_config("daily_spend_cap_usd = 1").run(&["doctor"]).stdout;
    assert_eq!(warned.matches("[[price]]").count(), 1, "a warning is told once: {warned}");
    let damaged = Home::new();
    std::fs::create_dir_all(damaged.state_dir()).expect("a directory");
    std::fs::write(damaged.state_dir().join("sessions.db"), "no database").expect("a file");
    check(&damaged.run(&["doctor"]), 1, &["fail  sessions: ", "damaged"], &[]);
}

#[test]
fn the_log_is_shown_whatever_is_wrong_with_the_configuration() {
    let home = Home::with_config("nonsense");
    check(&home.run(&["logs"]), 0, &[], &["There is no log yet; it will be ", "open-think.log"]);
    let log = home.state_dir().join("open-think.log");
    std::fs::create_dir_all(home.state_dir()).expect("a directory");
    let line = r#"{"timestamp":"2026-03-31T10:11:12.1Z","level":"ERROR","message":"it failed","target":"t","pid":7}"#;
    std::fs::write(&log, format!("first\n{line}\n")).expect("a log");
    assert_eq!(home.run(&["logs", "-n", "1"]).stdout, "2026-03-31 10:11:12 ERROR it failed pid=7\n");
    assert_eq!(home.run(&["logs", "--json"]).stdout, format!("first\n{line}\n"));
}

#[test]
fn keys_are_never_shown() {
    const KEY: &str = "sk-quince-7b1f";
    let home =
        Home::with_config(&format!("openai_compatible_key = \"{KEY}\"\nopenai_compatible_url = \"http://[::1]:9/v1\""));
    let commands: [&[&str]; 7] = [
        &["config", "show"],
        &["config", "show", "--json"],
        &["doctor"],
        &["status"],
        &["providers", "--json"],
        &["invoke", "admin-introspect"],
        &["ask", "--provider", "anthropic", "--max-iterations", "1", "hello"],
    ];
    for args in commands {
        let mut command = home.command(PROGRAM);
        command.env("ANTHROPIC_API_KEY", KEY).env("ANTHROPIC_BASE_URL", "http://127.0.0.1:9").args(args);
        let run = home.ended(command.output().expect("it starts"));
        assert!(!format!("{}{}", run.stdout, run.stderr).contains(KEY), "{args:?}");
    }
    let log = std::fs::read_to_string(home.state_dir().join("open-think.log")).expect("a log");
    assert!(!log.contains(KEY));
}

#[test]
fn the_configuration_in_force_is_shown_with_where_it_comes_from() {
    let home = Home::with_config("model_default = \"from-file\"\nenabled_plugins = [\"offline\"]\n");
    let mut command = home.command(PROGRAM);
    command.env("MODEL_DEFAULT", "from-environment").args(["--log", "debug", "config", "show", "--json"]);
    let rows = json(&home.ended(command.output().expect("it starts")));
    let row =
        |name: &str| rows.as_array().expect("rows").iter().find(|row| row["name"] == name).expect("a row").clone();
    let cases = [
        ("MODEL_DEFAULT", "environment", "from-environment"),
        ("ENABLED_PLUGINS", "file", "offline"),
        ("OPEN_THINK_LOG", "flag", "debug"),
        ("ANTHROPIC_BASE_URL", "default", "https://api.anthropic.com"),
        ("OPEN_THINK_CONFIG", "default", "HOME/.config/open-think/config.toml"),
    ];
    for (name, from, value) in cases {
        let row = row(name);
        assert_eq!((row["from"].as_str(), row["value"].as_str()), (Some(from), Some(value)), "{name}");
    }
    check(&home.run(&["config", "path"]), 0, &["HOME/.config/open-think/config.toml\n"], &[]);
    check(&home.run(&["config", "check"]), 0, &["is good"], &[]);
}

#[test]
fn what_is_spoken_is_printed_without_a_home() {
    let home = Home::new();
    let run = |args: &[&str]| home.ended(home.command(PROGRAM).env_clear().args(args).output().expect("it starts"));
    assert!(json(&run(&["schema"]))["$defs"]["TurnResult"].is_object());
    assert_eq!(json(&run(&["schema", "--format", "openrpc"]))["openrpc"], "1.3.2");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        check(&run(&["completions", shell]), 0, &["open-think"], &[]);
    }
    check(&run(&["ask", "hello"]), 2, &[], &["HOME", "OPEN_THINK_STATE_DIR"]);
}

#[test]
fn help_reads_well() {
    let home = Home::new();
    let commands = [
        "ask",
        "approve",
        "sessions",
        "skills",
        "invoke",
        "providers",
        "login",
        "logout",
        "doctor",
        "config",
        "secret",
        "service",
        "rpc",
        "schema",
    ];
    insta::assert_snapshot!("help", home.run(&["--help"]).stdout);
    assert_eq!(home.run(&[]).code, 2);
    for command in commands {
        let run = home.run(&[command, "--help"]);
        assert_eq!(run.code, 0);
        // What stands everywhere is in the first snapshot.
        let own = run.stdout.split("Everywhere:").next().unwrap_or_default();
        insta::assert_snapshot!(format!("help_{command}"), own.trim_end());
    }
}

#[test]
fn colours_are_used_only_where_they_are_wanted() {
    let home = Home::new();
    let coloured = |args: &[&str]| home.run(args).stdout.contains('\u{1b}');
    assert!(!coloured(&["skills"]), "a pipe");
    assert!(coloured(&["--color", "always", "skills"]));
    assert!(!coloured(&["--color", "never", "skills"]));
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let home = Home::new();
    let mut command = home.command(PROGRAM);
    command.arg("schema").stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().expect("it starts");
    drop(process.stdout.take());
    let run = home.ended(process.wait_with_output().expect("it ends"));
    check(&run, 0, &[], &[]);
}

#[test]
fn an_interrupt_stops_the_turn_and_keeps_the_session() {
    let home = Home::with_config(SKILLS);
    let mut command = home.command(PROGRAM);
    command.args(["ask", "call take-a-nap"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().expect("it starts");
    let mut lines = BufReader::new(process.stderr.take().expect("it is piped")).lines();
    let started = lines.by_ref().map_while(Result::ok).any(|line| line.contains("→ take-a-nap"));
    assert!(started, "the skill never ran");
    let pid = i32::try_from(process.id()).expect("a process id");
    kill(Pid::from_raw(pid), Signal::SIGINT).expect("it lives");
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    assert_eq!(process.wait().expect("it ends").code(), Some(130), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains("Interrupted")), "{rest:?}");
    check(&home.run(&["sessions"]), 0, &["conductor:default"], &[]);
}

#[test]
fn a_signal_ends_a_command_with_the_programs_of_its_skills() {
    let skill = "HOME/nap";
    let config = format!("{SKILLS}\n[[skill]]\nid = \"nap\"\ndescription = \"Naps.\"\ndangerous = false\n");
    let config = format!("{config}command = [\"/bin/sh\", \"-c\", \"echo $$ > {skill}; exec sleep 60\"]");
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGHUP, 129), (Signal::SIGINT, 130)] {
        for command in [["ask", "--mode=auto", "call nap"].as_slice(), &["invoke", "nap"]] {
            if command[0] == "ask" && signal == Signal::SIGINT {
                continue;
            }
            let home = Home::with_config(&config);
            let mut program = home.command(PROGRAM);
            let mut process =
                program.args(command).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
            let nap = loop {
                let text = std::fs::read_to_string(home.path().join("nap")).unwrap_or_default();
                if let Ok(pid) = text.trim().parse::<i32>() {
                    break pid;
                }
                std::thread::sleep(std::time::Duration::from_millis(5));
            };
            let pid = i32::try_from(process.id()).expect("a process id");
            kill(Pid::from_raw(pid), signal).expect("it lives");
            assert_eq!(process.wait().expect("it ends").code(), Some(code), "{command:?}");
            check_gone(nap);
        }
    }
}
