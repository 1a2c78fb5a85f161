use serde_json::{Value, json};

use super::{ID, build, endpoints};
use crate::config::{self, Config, Secret};
use crate::model::ClientPlace;
use crate::plugins::{Plugin, Readiness};
use crate::providers::loopback::{Answer, Loopback, http};
use crate::skills::{Skill, SkillError};

const ANSWER: &str = r#"{"choices":[{"index":0,"message":{"content":"Hi"},"finish_reason":"stop"}]}"#;
const OVERLOADED: &str = r#"{"error":{"message":"come again"}}"#;

fn configured(change: impl FnOnce(&mut Config)) -> Config {
    let mut config = Config::default();
    config.ai_gateway.id = Some("gw".to_owned());
    config.cloudflare.account_id = Some("acct".to_owned());
    change(&mut config);
    config
}

fn plugin(server: &Loopback, change: impl FnOnce(&mut Config)) -> Plugin {
    let config = configured(|config| {
        config.ai_gateway.base_url = server.url.clone();
        config.cloudflare.api_base_url = server.url.join("client/v4").unwrap();
        config.http.max_retries = 0;
        change(config);
    });
    build(&config, &http(&[server], config.http.clone()))
}

fn skill<'a>(plugin: &'a Plugin, id: &str) -> &'a Skill {
    plugin.skills.iter().find(|skill| skill.spec().id == id).expect("the plugin has the skill")
}

async fn run(plugin: &Plugin, id: &str, input: Value) -> Result<Value, SkillError> {
    skill(plugin, id).run(input, &ClientPlace::default()).await
}

fn question(rest: Value) -> Value {
    let mut input = json!({ "messages": [{ "role": "user", "content": "Hi" }] });
    input.as_object_mut().unwrap().extend(rest.as_object().cloned().unwrap());
    input
}

#[tokio::test]
async fn what_is_missing_or_cannot_be_is_named() {
    let check = |config: &Config, expected: &[&str], says: &str| {
        let plugin = build(config, &http(&[], config::Http::default()));
        let Readiness::Missing { missing, hint } = plugin.readiness else { panic!("it is configured") };
        assert_eq!(missing, expected);
        assert!(hint.contains(says), "{hint}");
        assert!(plugin.provider.is_none() && !plugin.enabled && endpoints(config).is_empty());
    };
    check(&Config::default(), &["AI_GATEWAY_ID", "CLOUDFLARE_ACCOUNT_ID"], "set AI_GATEWAY_ID");
    check(&configured(|config| config.ai_gateway.id = None), &["AI_GATEWAY_ID"], "set AI_GATEWAY_ID");
    let astray = configured(|config| config.cloudflare.account_id = Some("../../user".to_owned()));
    check(&astray, &["CLOUDFLARE_ACCOUNT_ID"], "letters, digits");
    let plugin = build(&Config::default(), &http(&[], config::Http::default()));
    let expected = ["cf-gateway-chat", "cf-gateway-chat-fallbacks", "cf-gateway-list-providers", "cf-gateway-status"];
    assert_eq!(plugin.skills.iter().map(|skill| skill.spec().id.as_str()).collect::<Vec<_>>(), expected);
    for id in &expected[..2] {
        let input = question(json!({ "models": ["openai/m"] }));
        let input = if id.ends_with("chat") { question(json!({})) } else { input };
        let error = run(&plugin, id, input).await.unwrap_err();
        assert_eq!(error.message, "cf-ai-gateway is not configured");
    }
}

#[test]
fn it_needs_its_two_names_and_reaches_two_hosts() {
    let hosts = |config: &Config| endpoints(config).iter().map(ToString::to_string).collect::<Vec<_>>();
    let open = configured(|_| ());
    assert_eq!(hosts(&open), ["gateway.ai.cloudflare.com:443"]);
    let with_token = configured(|config| config.cloudflare.api_token = Some(Secret::new("cf-token")));
    assert_eq!(hosts(&with_token), ["api.cloudflare.com:443", "gateway.ai.cloudflare.com:443"]);
    let plugin = build(&open, &http(&[], config::Http::default()));
    assert_eq!((plugin.readiness, plugin.enabled), (Readiness::Configured, true));
    for spelling in ["anthropic", "grok", "xai", "google", "@cf", "dynamic", "aws-bedrock", "custom-"] {
        assert!(plugin.vendors.contains(&spelling), "{spelling}");
    }
}

#[test]
fn the_default_of_all_plugins_counts_only_with_a_vendor() {
    let model = |own: Option<&str>, of_all: Option<&str>| {
        let config = configured(|config| {
            config.ai_gateway.default_model = own.map(str::to_owned);
            config.model_default = of_all.map(str::to_owned);
        });
        let provider = build(&config, &http(&[], config::Http::default())).provider.unwrap();
        provider.default_model().map(str::to_owned)
    };
    assert_eq!(model(None, Some("gpt-4.1-mini")), None);
    assert_eq!(model(None, Some("openai/gpt-5")).as_deref(), Some("openai/gpt-5"));
    assert_eq!(model(Some("groq/llama"), Some("openai/gpt-5")).as_deref(), Some("groq/llama"));
}

#[tokio::test]
async fn a_chat_says_which_way_it_took() {
    let server = Loopback::start(vec![Answer::json(200, "cf-aig-log-id: 01J\r\n", ANSWER)]).await;
    let plugin = plugin(&server, |config| config.cloudflare.api_token = Some(Secret::new("cf-token")));
    let output = run(&plugin, "cf-gateway-chat", question(json!({ "model": "grok/grok-4" }))).await.unwrap();
    let told = [&output["text"], &output["provider"], &output["path"], &output["model"], &output["metadata"]["logId"]];
    assert_eq!(told.map(|value| value.as_str().unwrap()), ["Hi", ID, "run", "grok/grok-4", "01J"]);
    let forced = question(json!({ "model": "grok/grok-4", "forceCompat": true, "includeRaw": true }));
    let output = run(&plugin, "cf-gateway-chat", forced).await.unwrap();
    assert_eq!((&output["path"], &output["response"]["choices"][0]["index"]), (&json!("compat"), &json!(0)));
}

#[tokio::test]
async fn a_key_in_the_input_is_not_quoted_however_wrong_it_is() {
    let server = Loopback::start(vec![Answer::json(200, "", ANSWER)]).await;
    let plugin = plugin(&server, |_| ());
    for key in [json!({ "key": "sk-mine-1234" }), json!(["sk-mine-1234"]), json!("sk-mine-1234\nx")] {
        let input = question(json!({ "model": "openai/m", "providerApiKey": key }));
        let error = run(&plugin, "cf-gateway-chat", input).await.unwrap_err();
        assert!(error.message.contains("providerApiKey") && !format!("{error:?}").contains("sk-mine"), "{error:?}");
    }
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn fallbacks_are_asked_in_order_until_one_answers() {
    let busy = Answer::json(503, "", OVERLOADED);
    let server = Loopback::start(vec![busy, Answer::json(200, "", ANSWER)]).await;
    let models = json!(["elevenlabs/voice", "mistral/a", "grok/b", "openai/c"]);
    let plugin = plugin(&server, |_| ());
    let output = run(&plugin, "cf-gateway-chat-fallbacks", question(json!({ "models": models }))).await.unwrap();
    assert_eq!((&output["text"], &output["path"], &output["provider"]), (&json!("Hi"), &json!("compat"), &json!(ID)));
    assert_eq!(output["winner"], json!({ "model": "grok/b", "index": 2 }));
    let attempts = output["attempts"].as_array().unwrap();
    let facts = |row: &Value| (row["model"].as_str().unwrap().to_owned(), row["ok"] == true, row["status"].as_u64());
    let expected = [("elevenlabs/voice", false, None), ("mistral/a", false, Some(503)), ("grok/b", true, None)];
    let expected = expected.map(|(model, ok, status)| (model.to_owned(), ok, status));
    assert_eq!(attempts.iter().map(facts).collect::<Vec<_>>(), expected);
    assert_eq!((&attempts[0]["durationMs"], &attempts[0]["provider"]), (&json!(0), &json!(ID)));
    assert!(attempts[0]["error"].as_str().unwrap().contains("not a chat provider"));
    assert_eq!(attempts[2].get("error"), None);
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn when_all_fail_every_attempt_is_in_the_error() {
    let server = Loopback::start(vec![Answer::json(503, "", OVERLOADED)]).await;
    let plugin = plugin(&server, |_| ());
    let models = question(json!({ "models": ["mistral/a", "gpt", "grok/b"] }));
    let error = run(&plugin, "cf-gateway-chat-fallbacks", models).await.unwrap_err();
    assert!(error.message.starts_with("none of the models answered (3 asked); the last one: "), "{error}");
    assert!(error.message.ends_with("come again") && error.retryable, "{error:?}");
    let statuses: Vec<_> = error.attempts.iter().map(|attempt| attempt.status).collect();
    assert_eq!(statuses, [Some(503), None, Some(503)]);
    assert!(error.attempts[1].duration.is_zero() && error.attempts.iter().all(|attempt| attempt.error.is_some()));
}

#[tokio::test]
async fn a_key_goes_to_the_vendor_of_the_first_model_and_to_no_other() {
    let server = Loopback::start(vec![Answer::json(503, "", OVERLOADED)]).await;
    let plugin = plugin(&server, |_| ());
    let models = json!(["OpenAI/a", "mistral/b", "openai/c", "custom-mine/d"]);
    let input = question(json!({ "models": models, "providerApiKey": "sk-mine-1234" }));
    assert_eq!(run(&plugin, "cf-gateway-chat-fallbacks", input).await.unwrap_err().attempts.len(), 4);
    let has_key: Vec<_> = server.asked().iter().map(|request| request.contains("sk-mine-1234")).collect();
    assert_eq!(has_key, [true, false, true, false]);
}

#[tokio::test]
async fn a_model_that_is_late_is_hung_up_on() {
    let slow = Answer::raw("HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\n\r\n: wait\n\n").then_hold();
    let mut server = Loopback::start(vec![slow, Answer::json(200, "", ANSWER)]).await;
    let plugin = plugin(&server, |_| ());
    let input = question(json!({ "models": ["mistral/a", "grok/b"], "perModelTimeoutMs": 300, "stream": true }));
    let output = run(&plugin, "cf-gateway-chat-fallbacks", input).await.unwrap();
    assert_eq!(output["winner"]["index"], 1);
    assert_eq!(output["attempts"][0]["ok"], false);
    server.hung_up().await;
}

#[tokio::test]
async fn the_input_of_fallbacks_is_checked() {
    let server = Loopback::start(vec![Answer::json(200, "", ANSWER)]).await;
    let plugin = plugin(&server, |_| ());
    let many = json!({ "models": vec!["openai/m"; 17] });
    let bad = [json!({}), json!({ "models": [] }), many, json!({ "models": ["openai/m"], "model": "openai/m" })];
    for rest in bad {
        assert!(run(&plugin, "cf-gateway-chat-fallbacks", question(rest)).await.is_err());
    }
    assert!(server.asked().is_empty());
    let properties = &skill(&plugin, "cf-gateway-chat-fallbacks").spec().input_schema["properties"];
    assert!(properties["forceCompat"]["description"].is_string() && properties.get("model").is_none());
}

#[tokio::test]
async fn the_vendors_are_listed() {
    let server = Loopback::start(vec![Answer::json(200, "", ANSWER)]).await;
    let listed = run(&plugin(&server, |_| ()), "cf-gateway-list-providers", json!({})).await.unwrap();
    let rows = listed["providers"].as_array().unwrap();
    let row = |id: &str| rows.iter().find(|row| row["id"] == id).unwrap();
    let names = ["slug", "compatPrefix", "author"].map(|name| row("xai")[name].as_str().unwrap());
    assert_eq!((names, &row("xai")["chat"]), (["grok", "grok", "xai"], &json!(true)));
    assert_eq!(row("elevenlabs")["chat"], false);
    assert_eq!(row("elevenlabs")["whyNot"], "what it offers through the gateway is speech");
    assert!(rows.len() >= 24);
}

#[tokio::test]
async fn the_status_tells_which_paths_are_open() {
    let list = Answer::json(200, "", r#"{"data":[{"id":"openai/gpt-5"}]}"#);
    let server = Loopback::start(vec![list]).await;
    let status = run(&plugin(&server, |_| ()), "cf-gateway-status", json!({})).await.unwrap();
    assert_eq!(
        (&status["configured"], &status["reachable"], &status["hasKey"]),
        (&json!(true), &json!(true), &json!(false))
    );
    assert_eq!((&status["gatewayId"], &status["provider"]), (&json!("gw"), &json!(ID)));
    let run_path = json!({ "usable": false, "whyNot": "CLOUDFLARE_API_TOKEN is not set" });
    assert_eq!(status["paths"], json!({ "run": run_path, "compat": { "usable": true } }));
    let narrow = plugin(&server, |config| {
        config.cloudflare.api_token = Some(Secret::new("cf-token"));
        config.allowed_hosts = Some(vec!["gateway.ai.cloudflare.com".to_owned()]);
    });
    let status = run(&narrow, "cf-gateway-status", json!({})).await.unwrap();
    let why = status["paths"]["run"]["whyNot"].as_str().unwrap();
    assert!(why.starts_with("ALLOWED_HOSTS does not name 127.0.0.1"), "{why}");
    assert!(!status.to_string().contains("cf-token"));
}
