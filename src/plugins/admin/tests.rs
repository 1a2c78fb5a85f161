//! The skills as a client gets them, with plugins that stand for real ones.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::config::{CommandSkill, Config, SETTINGS, Secret, Spend};
use crate::model::{ClientPlace, Day, Fold, Ledger, LedgerError, LedgerRow, Message, Request, Role, Tally};
use crate::plugins::{Meter, Plugin, Readiness, command, offline};

fn build(config: &Config, plugins: &[Plugin]) -> Plugin {
    super::build(config, plugins, &Meter::new(&config.spend, None, Default::default()))
}

fn vendor(id: &'static str, host: &str) -> Plugin {
    let offline = offline::build(&Config::default(), &[]);
    let hosts = vec![host.parse().unwrap()];
    Plugin { id, description: "A vendor.", enabled: true, hosts, ..offline }
}

fn missing(id: &'static str) -> Plugin {
    let readiness = Readiness::Missing { missing: vec!["A_KEY"], hint: "Set A_KEY.".to_owned() };
    Plugin { enabled: false, provider: None, hosts: Vec::new(), readiness, ..vendor(id, "localhost") }
}

async fn run(config: &Config, plugins: &[Plugin], skill: &str, input: Value) -> Value {
    let plugin = build(config, plugins);
    let skill = plugin.skills.iter().find(|known| known.spec().id == skill).expect("a skill");
    skill.run(input, &ClientPlace::default()).await.unwrap()
}

async fn health(config: Config, plugins: &[Plugin]) -> Value {
    let dir = TempDir::new().unwrap();
    let config = Config { state_dir: dir.path().to_owned(), ..config };
    run(&config, plugins, "admin-health-check", json!({})).await
}

fn names(list: &[&str]) -> Option<Vec<String>> {
    Some(list.iter().map(|name| (*name).to_owned()).collect())
}

#[tokio::test]
async fn a_fresh_machine_is_healthy_and_told_about_models() {
    let config = Config::default();
    let report = health(config.clone(), &[missing("anthropic"), command::build(&config, &Default::default())]).await;
    insta::assert_json_snapshot!(report, @r#"
    {
      "healthy": true,
      "plugins": 4,
      "enabled": [
        "offline",
        "admin"
      ],
      "issues": [
        {
          "severity": "info",
          "problem": "No model is configured; requests are answered offline, from the skill catalogue.",
          "fix": "Set ANTHROPIC_API_KEY, OPENAI_API_KEY, or OPENAI_COMPATIBLE_URL for a local server; `open-think providers` lists every way."
        }
      ]
    }
    "#);
}

#[tokio::test]
async fn faults_of_the_configuration_are_listed_with_their_fix() {
    let program = CommandSkill {
        id: "deploy".to_owned(),
        description: "Deploy.".to_owned(),
        input_schema: json!({"type": "object"}),
        dangerous: true,
        command: vec!["/no/such/program".to_owned()],
        timeout: Duration::from_secs(1),
        output_limit: 1,
        pass_env: Vec::new(),
        tags: Vec::new(),
    };
    let config = Config {
        enabled_plugins: names(&["anthropic", "codx", "cloudflare"]),
        allowed_hosts: names(&["*.example.com"]),
        skills: vec![program],
        warnings: vec!["The file may be read by others.".to_owned()],
        ..Config::default()
    };
    let report = health(config, &[vendor("anthropic", "api.anthropic.com"), missing("cloudflare")]).await;
    let issues = report["issues"].as_array().unwrap();
    let lines = issues.iter().map(|issue| {
        let text = |key: &str| issue[key].as_str().unwrap_or("-").to_owned();
        format!("{} {}: {} {}", text("severity"), text("plugin"), text("problem"), text("fix"))
    });
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @r"
    warning -: ENABLED_PLUGINS names 'codx', which is no plugin. The plugins are anthropic, cloudflare, offline, admin.
    warning cloudflare: cloudflare is enabled but lacks A_KEY. Set A_KEY.
    warning anthropic: anthropic needs the host api.anthropic.com, which ALLOWED_HOSTS does not name. Add api.anthropic.com to ALLOWED_HOSTS, or unset it.
    warning command: The skill deploy starts '/no/such/program', which is not there. Correct `command` of the skill deploy in the configuration file, or install the program.
    warning -: The file may be read by others. Change the configuration accordingly.
    ");
    assert_eq!(report["healthy"], true);
}

#[tokio::test]
async fn a_runtime_that_cannot_answer_or_keep_is_unhealthy() {
    let mute = Config { enabled_plugins: names(&["admin"]), ..Config::default() };
    assert_eq!(health(mute, &[]).await["healthy"], false);
    let file = tempfile::NamedTempFile::new().unwrap();
    let homeless = Config { state_dir: file.path().join("state"), ..Config::default() };
    assert_eq!(run(&homeless, &[], "admin-health-check", json!({})).await["healthy"], false);
}

/// A ledger on a disk that is broken.
struct Damaged;

#[async_trait]
impl Ledger for Damaged {
    async fn add(&self, _: Vec<LedgerRow>) -> Result<(), LedgerError> {
        Err(LedgerError("it is damaged".to_owned()))
    }

    async fn rows(&self, _: Day, _: Day) -> Result<Vec<LedgerRow>, LedgerError> {
        Err(LedgerError("it is damaged".to_owned()))
    }

    async fn sums(&self) -> Result<BTreeMap<String, Tally>, LedgerError> {
        Err(LedgerError("it is damaged".to_owned()))
    }
}

#[tokio::test]
async fn spending_that_cannot_be_counted_is_unhealthy() {
    for (cap, problem) in [(None, "What is spent can neither be read"), (Some(1), "no model is called")] {
        let dir = TempDir::new().unwrap();
        let spend = Spend { daily_cap_nano_usd: cap, ..Spend::default() };
        let config = Config { state_dir: dir.path().to_owned(), spend, ..Config::default() };
        let meter = Meter::new(&config.spend, Some(Arc::new(Damaged)), Default::default());
        let plugin = super::build(&config, &[], &meter);
        let report = plugin.skills[1].run(json!({}), &ClientPlace::default()).await.unwrap();
        assert_eq!(report["healthy"], false, "{report}");
        let problems: Vec<_> = report["issues"].as_array().unwrap().iter().map(|issue| &issue["problem"]).collect();
        assert!(problems.iter().any(|text| text.as_str().unwrap().contains(problem)), "{problems:?}");
    }
}

#[tokio::test]
async fn the_setup_is_shown_without_secrets() {
    let mut config = Config {
        file: PathBuf::from("/home/u/config.toml"),
        state_dir: PathBuf::from("/home/u/state"),
        model_default: Some("m".to_owned()),
        ..Config::default()
    };
    config.anthropic.api_key = Some(Secret::new("sk-hidden"));
    let plugins = [vendor("anthropic", "api.anthropic.com"), missing("cloudflare")];
    let shown = run(&config, &plugins, "admin-introspect", json!({})).await;
    assert!(!shown.to_string().contains("sk-hidden"));
    insta::assert_json_snapshot!(shown, @r#"
    {
      "plugins": [
        {
          "id": "anthropic",
          "description": "A vendor.",
          "enabled": true,
          "configured": true,
          "skills": []
        },
        {
          "id": "cloudflare",
          "description": "A vendor.",
          "enabled": false,
          "configured": false,
          "skills": [],
          "missing": [
            "A_KEY"
          ],
          "hint": "Set A_KEY."
        },
        {
          "id": "offline",
          "description": "Finds and runs skills by the words of a request, without a model.",
          "enabled": true,
          "configured": true,
          "skills": []
        },
        {
          "id": "admin",
          "description": "Says what this runtime is set up with, whether it is well, what would help, and what it has spent.",
          "enabled": true,
          "configured": true,
          "skills": [
            "admin-introspect",
            "admin-health-check",
            "admin-suggest-plugins",
            "admin-env-template",
            "cost-today",
            "cost-range",
            "cost-cap"
          ]
        }
      ],
      "config": {
        "file": "/home/u/config.toml",
        "stateDir": "/home/u/state",
        "allowedHosts": [
          "api.anthropic.com"
        ],
        "maxRetries": 2,
        "confirmDangerous": true,
        "log": "info",
        "modelDefault": "m"
      }
    }
    "#);
}

#[tokio::test]
async fn goals_lead_to_plugins() {
    let plugins = ["cloudflare", "anthropic", "openai-compatible", "codex", "command"].map(missing);
    let mut lines = Vec::new();
    let goals =
        ["dns", "a local model", "chat with Claude about my code", "run a backup script", "xyzzy", "said aisle"];
    for goal in goals.into_iter().chain(["my ChatGPT subscription", "what was spent"]) {
        let found = run(&Config::default(), &plugins, "admin-suggest-plugins", json!({"goal": goal})).await;
        let suggested = found["suggestions"].as_array().unwrap().iter().map(|row| row["plugin"].as_str().unwrap());
        lines.push(format!("{goal}: {}", suggested.collect::<Vec<_>>().join(", ")));
    }
    insta::assert_snapshot!(lines.join("\n"), @r"
    dns: cloudflare
    a local model: openai-compatible, anthropic
    chat with Claude about my code: anthropic, openai-compatible, codex
    run a backup script: command
    xyzzy: anthropic, openai-compatible, command
    said aisle: anthropic, openai-compatible, command
    my ChatGPT subscription: codex, anthropic, openai-compatible
    what was spent: admin
    ");
    let dns = run(&Config::default(), &plugins, "admin-suggest-plugins", json!({"goal": "dns"})).await;
    insta::assert_json_snapshot!(dns, @r#"
    {
      "goal": "dns",
      "suggestions": [
        {
          "plugin": "cloudflare",
          "why": "Reads the zones and DNS records of a Cloudflare account.",
          "needs": [
            "CLOUDFLARE_API_TOKEN"
          ],
          "configured": false
        }
      ]
    }
    "#);
}

#[tokio::test]
async fn the_template_names_every_setting_once() {
    let template = run(&Config::default(), &[], "admin-env-template", json!({})).await;
    let dotenv = template["dotenv"].as_str().unwrap();
    for setting in SETTINGS {
        assert_eq!(dotenv.matches(&format!("\n# {}=", setting.name)).count(), 1, "{}", setting.name);
    }
    assert!(dotenv.lines().all(|line| line.is_empty() || line.starts_with("# ")));
    insta::assert_snapshot!(dotenv.lines().take(9).collect::<Vec<_>>().join("\n"), @r"
    # Settings of open-think. To set one, take away its # and give it a value.

    # Plugins that may be used, separated by commas; honoured exactly when set. Unset: every configured plugin.
    # ENABLED_PLUGINS=

    # Hosts that may be called (name, *.name, name:port), separated by commas; honoured exactly when set. Unset: what the enabled plugins need.
    # ALLOWED_HOSTS=

    # The model that is asked when neither the request nor the plugin names one.
    ");
}

#[test]
fn its_skills_are_safe_and_check_their_input() {
    let plugin = build(&Config::default(), &[]);
    assert!(plugin.skills.iter().all(|skill| !skill.spec().dangerous));
    let suggest = &plugin.skills[2];
    assert!(suggest.check(&json!({"goal": "dns"})).is_ok());
    for wrong in [json!({}), json!({"goal": ""}), json!({"goal": 1}), json!({"goal": "a", "b": 1})] {
        assert!(suggest.check(&wrong).is_err(), "{wrong}");
    }
}

/// What people ask a fresh machine, and the skill that the offline provider proposes first.
#[tokio::test]
async fn the_descriptions_are_found_by_the_words_people_use() {
    let expected = [
        ("check runtime health", "admin-health-check"),
        ("is everything healthy?", "admin-health-check"),
        ("what is wrong, diagnose problems", "admin-health-check"),
        ("which plugins should I use for dns?", "admin-suggest-plugins"),
        ("recommend a setup for local models", "admin-suggest-plugins"),
        ("show me my configuration", "admin-introspect"),
        ("what skills are there?", "admin-introspect"),
        ("list plugins", "admin-introspect"),
        ("give me a template of the environment variables", "admin-env-template"),
        ("write a .env file: dotenv", "admin-env-template"),
        ("what did I spend today?", "cost-today"),
        ("is the budget used up?", "cost-cap"),
    ];
    let config = Config::default();
    let provider = offline::build(&config, &[build(&config, &[])]).provider.unwrap();
    for (text, skill) in expected {
        let request = Request { messages: vec![Message::text(Role::User, text)], ..Request::default() };
        let deltas = futures_util::TryStreamExt::try_collect::<Vec<_>>(provider.stream(request).await.unwrap()).await;
        let mut fold = Fold::default();
        deltas.unwrap().iter().for_each(|delta| fold.push(delta));
        let said = fold.finish().0.message.plain_text();
        let first = said.split("{\"skill\":\"").nth(1).and_then(|rest| rest.split('"').next());
        assert_eq!(first, Some(skill), "{text}\n{said}");
    }
}
