//! The plugin as its settings leave it, and its skills against a server that plays a script.

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{build, endpoints};
use crate::config::{self, Config, Secret};
use crate::model::ClientPlace;
use crate::plugins::{Plugin, Readiness};
use crate::policy::HostPolicy;
use crate::providers::codex::token_of;
use crate::providers::loopback::{Answer, Loopback, http};
use crate::skills::{Skill, SkillError};

/// As far off as dates go that fit in a JWT of every reader.
const FAR: u64 = 4_000_000_000;
const LACK: &str = "nobody is signed in to ChatGPT: run `open-think login codex`";
const STREAM: &str = concat!(
    "data: {\"type\":\"codex.rate_limits\",\"rate_limits\":{\"primary\":{\"used_percent\":42}}}\n\n",
    "data: {\"type\":\"response.output_text.delta\",\"output_index\":0,\"delta\":\"Hello\"}\n\n",
    "data: {\"type\":\"response.completed\",\"response\":{\"model\":\"gpt-x-1\",\"output\":[]}}\n\n",
);

fn access_token() -> String {
    let own = json!({ "chatgpt_account_id": "acct-1", "chatgpt_plan_type": "pro" });
    token_of(&json!({ "exp": FAR, "https://api.openai.com/auth": own }))
}

fn home(content: &Value) -> TempDir {
    let home = TempDir::new().unwrap();
    std::fs::write(home.path().join("auth.json"), content.to_string()).unwrap();
    home
}

fn config() -> Config {
    Config::default()
}

fn at(server: &Loopback, mut config: Config) -> Plugin {
    config.codex.base_url = server.url.join("v1").unwrap();
    config.codex.backend_url = server.url.join("backend-api/codex").unwrap();
    build(&config, &http(&[server], config.http.clone()), &HostPolicy::default()).0
}

fn plugin(config: &Config) -> Plugin {
    build(config, &http(&[], config::Http::default()), &HostPolicy::default()).0
}

async fn run(plugin: &Plugin, skill: &str, input: Value) -> Result<Value, SkillError> {
    let is_it = |candidate: &&Skill| candidate.spec().id == skill;
    plugin.skills.iter().find(is_it).expect("the plugin has the skill").run(input, &ClientPlace::default()).await
}

fn hosts(config: &Config) -> Vec<String> {
    endpoints(config).iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn the_key_goes_before_tokens_and_tokens_before_the_file() {
    let file = home(&json!({ "tokens": { "access_token": access_token() } }));
    let mut config = config();
    assert!(hosts(&config).is_empty());
    config.codex.home = Some(file.path().to_owned());
    assert_eq!(hosts(&config), ["chatgpt.com:443"]);
    let setup = run(&plugin(&config), "codex-setup-instructions", json!({})).await.unwrap();
    assert_eq!((&setup["mode"], &setup["modes"][3]["inUse"]), (&json!("chatgpt-tokens"), &json!(true)));
    config.codex.access_token = Some(Secret::new("at-opaque"));
    assert_eq!(hosts(&config), ["chatgpt.com:443"]);
    config.codex.api_key = Some(Secret::new("sk-secret-1"));
    assert_eq!(hosts(&config), ["api.openai.com:443"]);
    let plugin = plugin(&config);
    assert_eq!(plugin.readiness, Readiness::Configured);
    let provider = plugin.provider.unwrap();
    assert_eq!((provider.default_model(), provider.endpoints().len()), (Some("gpt-5-codex"), 1));
}

#[tokio::test]
async fn the_daemons_own_sign_in_goes_before_that_of_the_codex_cli() {
    let (state, cli) = (TempDir::new().unwrap(), home(&json!({ "tokens": { "access_token": access_token() } })));
    let mut config = Config { state_dir: state.path().to_owned(), ..config() };
    config.codex.oauth_client_id = Some("app_1".to_owned());
    assert_eq!(hosts(&config), ["chatgpt.com:443", "auth.openai.com:443"]);
    let nobody = plugin(&config);
    assert!(nobody.enabled && nobody.readiness == Readiness::Configured, "it may be used once somebody signs in");
    let lack = nobody.readiness_now();
    assert_eq!((lack.lack().as_deref(), lack.hint()), (Some("a sign-in"), LACK));
    let status = run(&nobody, "codex-status", json!({})).await.unwrap();
    assert_eq!((&status["configured"], &status["error"]), (&json!(false), &json!(LACK)));
    let guides = run(&nobody, "codex-setup-instructions", json!({})).await.unwrap();
    assert_eq!((&guides["configured"], &guides["problem"]), (&json!(false), &json!(LACK)));
    let question = json!({ "messages": [{ "role": "user", "content": "Hi" }] });
    let error = run(&nobody, "codex-chat", question).await.unwrap_err();
    assert_eq!(error.hint.as_deref(), Some("run `open-think login codex`"));

    config.codex.home = Some(cli.path().to_owned());
    let plugin_of_cli = plugin(&config);
    assert_eq!(plugin_of_cli.readiness_now(), Readiness::Configured);
    let owner = async |plugin: &Plugin| run(plugin, "codex-status", json!({})).await.unwrap()["loginOwner"].take();
    assert_eq!(owner(&plugin_of_cli).await, "codex-cli");
    // Whatever stands there: one that cannot be used is said to be that, and not replaced.
    std::fs::write(state.path().join("codex-login.json"), "{}").unwrap();
    assert_eq!(owner(&plugin_of_cli).await, "daemon");
    config.codex.oauth_client_id = None;
    assert_eq!(owner(&plugin(&config)).await, "daemon");
    config.codex.access_token = Some(Secret::new(access_token()));
    assert_eq!(owner(&plugin(&config)).await, "settings");
    std::fs::remove_file(state.path().join("codex-login.json")).unwrap();
    config.codex.access_token = None;
    assert_eq!(hosts(&config), ["chatgpt.com:443"]);
}

#[tokio::test]
async fn a_file_with_only_a_key_is_as_good_as_the_key() {
    let file = home(&json!({ "auth_mode": "apikey", "OPENAI_API_KEY": "sk-of-file" }));
    let mut config = config();
    config.codex.home = Some(file.path().to_owned());
    assert_eq!(hosts(&config), ["api.openai.com:443"]);
    let server = Loopback::start(vec![Answer::json(401, "", r#"{"error":{"message":"bad key sk-of-file"}}"#)]).await;
    let plugin = at(&server, config);
    let error = run(&plugin, "codex-models", json!({})).await.unwrap_err();
    assert_eq!(error.message, "OpenAI answered 401: bad key ***");
    assert!(server.asked()[0].contains("authorization: Bearer sk-of-file\r\n"));
}

#[tokio::test]
async fn what_is_missing_is_said_in_every_place() {
    let nobody = TempDir::new().unwrap();
    let mut config = config();
    let Readiness::Missing { missing, hint } = plugin(&config).readiness else { panic!("nothing is set") };
    assert!(missing == ["OPENAI_API_KEY"] && hint.contains("CODEX_HOME"), "{hint}");
    config.codex.home = Some(nobody.path().to_owned());
    let plugin = plugin(&config);
    let Readiness::Missing { hint, .. } = &plugin.readiness else { panic!("nobody is signed in") };
    assert!(hint.contains("nobody is signed in") && hint.contains("codex login"), "{hint}");
    assert!(plugin.hosts.is_empty() && !plugin.enabled);
    let question = json!({ "messages": [{ "role": "user", "content": "Hi" }] });
    let error = run(&plugin, "codex-chat", question).await.unwrap_err();
    assert_eq!(error.hint.as_ref(), Some(hint));
    let status = run(&plugin, "codex-status", json!({})).await.unwrap();
    assert_eq!((&status["configured"], &status["mode"], &status["error"]), (&json!(false), &Value::Null, &json!(hint)));
    let setup = run(&plugin, "codex-setup-instructions", json!({ "mode": "chatgpt-tokens" })).await.unwrap();
    assert_eq!((setup["modes"].as_array().unwrap().len(), &setup["problem"]), (1, &json!(hint)));
    let settings = setup["modes"][0]["settings"].as_array().unwrap();
    let set: Vec<(&Value, &Value)> = settings.iter().map(|row| (&row["name"], &row["set"])).collect();
    assert_eq!(set[0], (&json!("CODEX_HOME"), &json!(true)));
    assert_eq!(set[1], (&json!("CODEX_ACCESS_TOKEN"), &json!(false)));
    assert!(setup["text"].as_str().unwrap().contains("1. Install the Codex CLI"));
    assert!(run(&plugin, "codex-setup-instructions", json!({ "mode": "telepathy" })).await.is_err());
}

#[tokio::test]
async fn chat_and_status_of_a_subscription() {
    let models = Answer::json(200, "", r#"{"models":[{"slug":"gpt-x"}]}"#);
    let refusal = Answer::json(401, "", r#"{"detail":"Unauthorized"}"#);
    let events = Answer::whole(200, "content-type: text/event-stream\r\n", STREAM);
    let server = Loopback::start(vec![events, models.clone(), models, refusal]).await;
    let mut config = config();
    config.codex.access_token = Some(Secret::new(access_token()));
    let plugin = at(&server, config);
    let question = json!({ "messages": [{ "role": "user", "content": "Hi" }], "reasoningEffort": "low" });
    let answer = run(&plugin, "codex-chat", question).await.unwrap();
    let limits = json!({ "primary": { "usedPercent": 42 } });
    let expected = json!({
        "text": "Hello", "toolCalls": [], "usage": {}, "stopReason": "end-turn", "model": "gpt-x-1",
        "provider": "codex", "path": "chatgpt-tokens", "metadata": { "rateLimits": limits },
    });
    assert_eq!(answer, expected);
    assert!(server.asked()[0].contains(r#""reasoning":{"effort":"low","summary":"auto"}"#));
    let listed = run(&plugin, "codex-models", json!({})).await.unwrap();
    assert_eq!(listed, json!({ "models": [{ "id": "gpt-x", "name": null, "contextWindow": null }] }));
    let mut status = run(&plugin, "codex-status", json!({})).await.unwrap();
    status.as_object_mut().unwrap().remove("latencyMs").expect("a duration");
    let expected = json!({
        "provider": "codex", "mode": "chatgpt-tokens", "configured": true, "account": "acct-1", "plan": "pro",
        "modelDefault": "gpt-5-codex", "tokenExpiresAt": FAR, "loginOwner": "settings", "rateLimits": limits, "reachable": true,
        "baseUrl": server.url.join("backend-api/codex").unwrap(),
    });
    assert_eq!(status, expected);
    let status = run(&plugin, "codex-status", json!({})).await.unwrap();
    assert_eq!((&status["reachable"], &status["error"]), (&json!(true), &json!("ChatGPT answered 401: Unauthorized")));
    assert!(status["hint"].as_str().unwrap().contains("codex login"));
    assert!(!status.to_string().contains(&access_token()));
}
