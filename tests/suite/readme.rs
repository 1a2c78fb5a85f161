//! What the README says is what is run: its commands, its conversation, its configuration, its table of plugins.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use open_think::config::{Config, SETTINGS, Sources};
use serde_json::Value;

use crate::program::{Home, PROGRAM};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn read(path: &str) -> String {
    std::fs::read_to_string(format!("{ROOT}/{path}")).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The lines of all fenced blocks of a language.
fn blocks(language: &str) -> Vec<Vec<String>> {
    let readme = read("README.md");
    let mut blocks = Vec::new();
    let mut lines = readme.lines();
    while let Some(line) = lines.next() {
        if line == format!("```{language}") {
            blocks.push(lines.by_ref().take_while(|line| *line != "```").map(str::to_owned).collect());
        }
    }
    assert!(!blocks.is_empty(), "README.md has no block of {language}");
    blocks
}

#[test]
fn the_gate_runs_the_tests_with_the_command_that_the_readme_gives() {
    let gate = read(".ci/run");
    let command = gate.lines().find_map(|line| line.strip_prefix("test_command=\"")).expect("it names the command");
    let command = command.trim_end_matches('"');
    let given = read("README.md").lines().any(|line| line.trim() == command);
    assert!(given, "README.md has no line '{command}': change it, or test_command in .ci/run");
}

#[test]
fn every_command_of_the_readme_works() {
    let home = Home::new();
    let bin = home.path().join("bin");
    std::fs::create_dir(&bin).expect("a directory");
    std::os::unix::fs::symlink(PROGRAM, bin.join("open-think")).expect("a link");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    for line in blocks("sh").concat() {
        // The binary that the tests were built with stands in for the release build.
        let line = line.replace("cargo run --release --", "open-think");
        assert!(line.contains("open-think"), "what does {line:?} show?");
        let run = home.ended(home.command("sh").env("PATH", &path).args(["-c", &line]).output().expect("a shell"));
        assert_eq!(run.code, 0, "{line}\n{}{}", run.stdout, run.stderr);
        assert!(!format!("{}{}", run.stdout, run.stderr).is_empty(), "{line} says nothing");
    }
}

#[test]
fn the_conversation_of_the_readme_is_the_one_that_is_held() {
    let home = Home::new();
    let mut command = home.command(PROGRAM);
    let mut process = command.arg("--stdio").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut stdin = process.stdin.take().expect("it is piped");
    let mut answers = BufReader::new(process.stdout.take().expect("it is piped")).lines().map_while(Result::ok);
    for line in blocks("text").concat() {
        if let Some(said) = line.strip_prefix("→ ") {
            writeln!(stdin, "{said}").expect("the daemon listens");
        } else if let Some(expected) = line.strip_prefix("← ") {
            let shown: Value = serde_json::from_str(expected).unwrap_or_else(|error| panic!("{error}: {expected}"));
            // They come in this order, with others between them.
            let heard = answers.any(|answer| holds(&serde_json::from_str(&answer).expect("JSON"), &shown));
            assert!(heard, "never answered: {expected}");
        }
    }
    drop(stdin);
    assert!(process.wait().expect("it ends").success());
}

/// Whether everything that is shown is in the answer.
fn holds(answer: &Value, shown: &Value) -> bool {
    match (answer, shown) {
        (Value::Object(answer), Value::Object(shown)) => {
            shown.iter().all(|(name, value)| answer.get(name).is_some_and(|found| holds(found, value)))
        }
        (Value::Array(answer), Value::Array(shown)) => {
            answer.len() == shown.len() && answer.iter().zip(shown).all(|(answer, shown)| holds(answer, shown))
        }
        (answer, shown) => answer == shown,
    }
}

#[test]
fn the_configuration_of_the_readme_is_good() {
    for block in blocks("toml") {
        let home = Home::with_config(&block.join("\n"));
        let run = home.run(&["config", "check"]);
        assert_eq!(run.code, 0, "{}", run.stderr);
    }
}

#[test]
fn the_table_names_every_plugin_setting_and_skill() {
    let readme = read("README.md");
    // Enough to configure all of them, so that all offer their skills.
    let environment = SETTINGS.iter().map(|setting| match setting.name {
        name if name.ends_with("_URL") || name.ends_with("_ENDPOINT") || name.ends_with("_ISSUER") => {
            (name, "http://127.0.0.1:9/v1")
        }
        "ENABLED_PLUGINS" => (setting.name, ""),
        name if name.ends_with("_USD") || name.ends_with("_MS") => (name, "1"),
        name => (name, "quince"),
    });
    let environment = environment.filter(|(_, value)| !value.is_empty()).chain([("HOME", "/nowhere")]);
    let environment = environment.filter(|(name, _)| *name != "OPEN_THINK_CONFIG");
    let config = Config::load(Sources::of_environment(environment)).expect("a configuration");
    let loaded = open_think::plugins::load(&config, None).expect("plugins");
    let plugins = loaded.plugins.iter();
    let ids = plugins.clone().map(|plugin| plugin.id.to_owned());
    let skills = plugins.flat_map(|plugin| &plugin.skills).map(|skill| skill.spec().id.clone());
    let settings = SETTINGS.iter().map(|setting| setting.name.to_owned());
    for name in ids.chain(skills).chain(settings) {
        assert!(readme.contains(&format!("`{name}`")), "README.md does not name {name}: add it to the table");
    }
}

#[test]
fn the_links_lead_somewhere() {
    let readme = read("README.md");
    for target in readme.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        let there = target.starts_with("https://") || std::path::Path::new(ROOT).join(target).exists();
        assert!(there, "README.md links to {target}");
    }
}

#[test]
fn the_editor_that_is_shown_gets_its_answer_in_its_own_framing() {
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":{}}}"#;
    let frame = format!("Content-Length: {}\r\n\r\n{body}", body.len());
    let run = Home::new().run_with_input(&["--stdio"], &frame);
    assert!(run.stdout.starts_with("Content-Length: "), "{}", run.stdout);
}
