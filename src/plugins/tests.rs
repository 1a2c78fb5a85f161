//! The plugins' skills against a server that plays a script.

use serde_json::{Value, json};

use super::{LinkState, Plugin, Readiness, anthropic, cloudflare, load, offline, openai_compatible, workers_ai};
use crate::config::{self, Config, Secret};
use crate::model::{ClientPlace, ErrorKind, Request};
use crate::providers::loopback::{Answer, Loopback, http};
use crate::skills::{Skill, SkillError};

async fn run(plugin: &Plugin, skill: &str, input: Value) -> Result<Value, SkillError> {
    let is_it = |candidate: &&Skill| candidate.spec().id == skill;
    plugin.skills.iter().find(is_it).expect("the plugin has the skill").run(input, &ClientPlace::default()).await
}

fn ids(plugin: &Plugin) -> Vec<&str> {
    plugin.skills.iter().map(|skill| skill.spec().id.as_str()).collect()
}

fn compatible(server: &Loopback) -> Plugin {
    let mut config = Config::default();
    config.openai_compatible.url = Some(server.url.clone());
    config.openai_compatible.key = Some(Secret::new("sk-secret-1"));
    openai_compatible::build(&config, &http(&[server], config.http.clone()))
}

fn cloudflare_at(server: &Loopback) -> Plugin {
    let mut config = Config::default();
    config.cloudflare.api_token = Some(Secret::new("sk-secret-1"));
    config.cloudflare.api_base_url = server.url.join("client/v4").unwrap();
    cloudflare::build(&config, &http(&[server], config.http.clone()))
}

#[tokio::test]
async fn what_is_not_configured_says_so_and_still_has_its_skills() {
    let config = Config::default();
    let http = http(&[], config::Http::default());
    let plugin = anthropic::build(&config, &http);
    assert_eq!(ids(&plugin), ["anthropic-chat", "anthropic-count-tokens", "anthropic-status"]);
    assert!(matches!(plugin.readiness, Readiness::Missing { ref missing, .. } if missing == &["ANTHROPIC_API_KEY"]));
    let status = run(&plugin, "anthropic-status", json!({})).await.unwrap();
    let expected = json!({
        "provider": "anthropic", "configured": false, "baseUrl": "https://api.anthropic.com/", "hasKey": false,
        "modelDefault": null,
    });
    assert_eq!(status, expected);
    let plugin = openai_compatible::build(&config, &http);
    assert_eq!(ids(&plugin), ["openai-compat-chat", "openai-compat-list-models", "openai-compat-status"]);
    let error = run(&plugin, "openai-compat-list-models", json!({})).await.unwrap_err();
    assert!(error.hint.unwrap().contains("OPENAI_COMPATIBLE_URL"));
    let plugin = cloudflare::build(&config, &http);
    assert_eq!(ids(&plugin), ["cf-verify", "cf-list-zones", "cf-list-dns-records"]);
    assert!(run(&plugin, "cf-verify", json!({})).await.unwrap_err().hint.unwrap().contains("CLOUDFLARE_API_TOKEN"));
}

#[tokio::test]
async fn anthropic_takes_a_token_where_no_key_is_set() {
    let refusal = r#"{"type":"error","error":{"type":"authentication_error","message":"no"}}"#;
    let server = Loopback::start(vec![Answer::json(401, "", refusal), Answer::json(401, "", refusal)]).await;
    let mut config = Config::default();
    config.anthropic.base_url = server.url.clone();
    config.anthropic.auth_token = Some(Secret::new("token-1"));
    assert_eq!(anthropic::endpoints(&config).len(), 1);
    assert!(config.secrets().any(|secret| secret.expose() == "token-1"));
    let input = json!({ "model": "m", "messages": [{ "role": "user", "content": "Hi" }] });
    let refused = async |config: &Config| {
        let plugin = anthropic::build(config, &http(&[&server], config.http.clone()));
        run(&plugin, "anthropic-chat", input.clone()).await.unwrap_err().hint.unwrap()
    };
    assert_eq!(refused(&config).await, "check ANTHROPIC_AUTH_TOKEN");
    config.anthropic.api_key = Some(Secret::new("key-1"));
    assert_eq!(refused(&config).await, "check ANTHROPIC_API_KEY");
    let asked = server.asked();
    let sent = |at: usize, header: &str| asked[at].contains(&format!("{header}\r\n"));
    assert!(sent(0, "authorization: Bearer token-1") && !asked[0].contains("x-api-key"), "{}", asked[0]);
    assert!(!asked[0].contains("anthropic-beta"), "{}", asked[0]);
    assert!(sent(1, "x-api-key: key-1") && !asked[1].contains("authorization"), "{}", asked[1]);
}

/// A plugin can forget neither the meter nor the cap: here nothing may be spent, and all that chats is refused.
#[tokio::test]
async fn every_way_to_a_model_is_held_to_the_cap() {
    let mut config = Config::default();
    config.spend.daily_cap_nano_usd = Some(0);
    let key = || Some(Secret::new("sk-secret-1"));
    config.anthropic.api_key = key();
    config.openai_compatible.url = Some("http://127.0.0.1:9/v1".parse().unwrap());
    config.cloudflare.api_token = key();
    config.cloudflare.account_id = Some("account".to_owned());
    config.ai_gateway.id = Some("gateway".to_owned());
    config.codex.api_key = key();
    let loaded = load(&config, None).unwrap();
    let mut refused = Vec::new();
    for plugin in loaded.plugins.iter().filter(|plugin| plugin.id != offline::ID) {
        if let Some(provider) = &plugin.provider {
            let error = provider.stream(Request::default()).await.err().expect("it is refused");
            assert_eq!(error.kind, ErrorKind::SpendCap, "{}: {error}", plugin.id);
            assert_eq!(plugin.health.standing().healthy, None, "{}: the cap says nothing of its health", plugin.id);
            refused.push(plugin.id);
        }
        for skill in plugin.skills.iter().filter(|skill| skill.spec().tags.iter().any(|tag| tag == "chat")) {
            let mut input = json!({ "messages": [{ "role": "user", "content": "q" }] });
            if skill.spec().input_schema["properties"].get("models").is_some() {
                input["models"] = json!(["openai/m", "anthropic/m"]);
            }
            let error = skill.run(input, &ClientPlace::default()).await.expect_err(&skill.spec().id);
            assert!(error.message.contains("the daily cap of $0.00 is reached"), "{}: {error}", skill.spec().id);
        }
    }
    assert!(refused.contains(&"anthropic") && refused.contains(&"openai-compatible"), "{refused:?}");
    assert_eq!(loaded.meter.today().await.unwrap().tally.calls, 0);
}

#[tokio::test]
async fn a_price_for_no_plugin_is_refused() {
    let mut config = Config::default();
    let (model, input, output) = ("*".to_owned(), 1, 1);
    let provider = Some("antropic".to_owned());
    config.spend.prices = vec![config::Price { provider, model, input, output, cached_input: None, cache_write: None }];
    let error = load(&config, None).err().expect("it is refused").to_string();
    assert!(error.starts_with("a [[price]] table names 'antropic', which is no plugin. The plugins are "), "{error}");
}

#[tokio::test]
async fn workers_ai_needs_an_account_that_leads_nowhere_else() {
    let http = http(&[], config::Http::default());
    let mut config = Config::default();
    let plugin = workers_ai::build(&config, &http);
    assert_eq!(ids(&plugin), ["ai-chat", "ai-status"]);
    assert!(matches!(plugin.readiness, Readiness::Missing { ref missing, .. } if missing.len() == 2));
    config.cloudflare.api_token = Some(Secret::new("sk-secret-1"));
    config.cloudflare.account_id = Some("../zones".to_owned());
    let plugin = workers_ai::build(&config, &http);
    let Readiness::Missing { missing, hint } = &plugin.readiness else { panic!("it is not configured") };
    assert_eq!(missing, &["CLOUDFLARE_ACCOUNT_ID"]);
    assert!(hint.contains("what is set there is no id") && plugin.provider.is_none() && plugin.hosts.is_empty());
    config.cloudflare.account_id = Some("abc123".to_owned());
    let plugin = workers_ai::build(&config, &http);
    assert_eq!(plugin.readiness, Readiness::Configured);
    assert!(plugin.enabled && plugin.hosts.len() == 1);
    assert_eq!(plugin.provider.unwrap().default_model(), Some("@cf/zai-org/glm-4.7-flash"));
}

#[tokio::test]
async fn workers_ai_only_proposes_until_tools_are_allowed() {
    let answer = r#"{"result":{"response":"Hello","usage":{"prompt_tokens":3}},"success":true}"#;
    let server = Loopback::start(vec![Answer::json(200, "", answer)]).await;
    let mut config = Config::default();
    config.cloudflare.api_token = Some(Secret::new("sk-secret-1"));
    config.cloudflare.account_id = Some("abc123".to_owned());
    config.cloudflare.api_base_url = server.url.join("client/v4").unwrap();
    config.model_default = Some("@cf/a/of-all".to_owned());
    let plugin = workers_ai::build(&config, &http(&[&server], config.http.clone()));
    assert!(plugin.propose_only.as_deref().unwrap().contains("native_tools"));
    let question = json!({ "messages": [{ "role": "user", "content": "q" }] });
    let answer = run(&plugin, "ai-chat", question).await.unwrap();
    assert_eq!((&answer["text"], &answer["provider"]), (&json!("Hello"), &json!("workers-ai")));
    assert_eq!((&answer["model"], &answer["usage"]["inputTokens"]), (&json!("@cf/a/of-all"), &json!(3)));
    config.workers_ai.native_tools = true;
    assert_eq!(workers_ai::build(&config, &http(&[&server], config.http.clone())).propose_only, None);
}

#[tokio::test]
async fn status_tells_what_is_wrong_and_does_not_fail() {
    let models = Answer::json(200, "", r#"{"data":[{"id":"a","context_length":9}]}"#);
    let refusal = Answer::json(401, "", r#"{"error":{"message":"bad key"}}"#);
    let server = Loopback::start(vec![models.clone(), models, refusal]).await;
    let plugin = compatible(&server);
    let list = run(&plugin, "openai-compat-list-models", json!({})).await.unwrap();
    assert_eq!(list, json!({ "models": [{ "id": "a", "name": null, "contextWindow": 9 }] }));
    let status = run(&plugin, "openai-compat-status", json!({})).await.unwrap();
    assert_eq!((&status["reachable"], status.get("error")), (&json!(true), None));
    let status = run(&plugin, "openai-compat-status", json!({})).await.unwrap();
    assert_eq!(status["reachable"], json!(true));
    assert_eq!(status["error"], "the OpenAI-compatible server answered 401: bad key");
    assert_eq!(status["hasKey"], json!(true));
}

#[tokio::test]
async fn the_way_to_a_provider_that_may_be_used_is_kept_open_and_told_of() {
    let server = Loopback::start(vec![Answer::whole(404, "", ""), Answer::json(200, "", r#"{"data":[]}"#)]).await;
    let mut config = Config::default();
    config.openai_compatible.url = Some(server.url.join("v1").unwrap());
    config.openai_compatible.key = Some(Secret::new("sk-secret-1"));
    for enabled in [vec!["anthropic".to_owned()], vec!["openai-compatible".to_owned()]] {
        let may = enabled[0] == openai_compatible::ID;
        config.enabled_plugins = Some(enabled);
        let loaded = load(&config, None).unwrap();
        let plugin = loaded.plugins.iter().find(|plugin| plugin.id == openai_compatible::ID).unwrap();
        let _warmth = loaded.http.keep_warm();
        assert_eq!(plugin.health.standing().state, LinkState::Unknown);
        if !may {
            continue;
        }
        while plugin.health.standing().state != LinkState::Warm {
            tokio::task::yield_now().await;
        }
        let probed = plugin.health.standing();
        assert_eq!((probed.healthy, probed.error), (None, None), "a probe says nothing of the provider");
        let (at, latency) = probed.checked.unwrap();
        assert!(latency.is_some());
        plugin.provider.as_ref().unwrap().models().await.unwrap();
        let called = plugin.health.standing();
        assert_eq!(called.healthy, Some(true));
        assert!(called.checked.unwrap().0 >= at, "the later of the two is told");
    }
    assert_eq!((server.connections(), server.asked().len()), (1, 2));
    assert!(!server.asked()[0].contains("sk-secret-1") && server.asked()[1].contains("sk-secret-1"));
}

#[tokio::test]
async fn zones_are_read_page_by_page() {
    let page = |page: usize, id: &str| {
        let zone = json!({ "id": id, "name": "e.example", "status": "active", "owner": { "long": "story" } });
        let info = json!({ "page": page, "total_pages": 2, "total_count": 2 });
        Answer::json(200, "", &json!({ "success": true, "result": [zone], "result_info": info }).to_string())
    };
    let server = Loopback::start(vec![page(1, "a"), page(2, "b")]).await;
    let zones = run(&cloudflare_at(&server), "cf-list-zones", json!({})).await.unwrap();
    let zone = |id: &str| json!({ "id": id, "name": "e.example", "status": "active" });
    assert_eq!(zones, json!({ "zones": [zone("a"), zone("b")], "total": 2, "truncated": false }));
    let asked = server.asked();
    assert!(asked[1].starts_with("GET /client/v4/zones?page=2&per_page=50 "), "{}", asked[1]);
    assert!(asked[0].contains("authorization: Bearer sk-secret-1"));
}

#[tokio::test]
async fn a_refusal_of_cloudflare_is_put_in_words() {
    let body = r#"{"success":false,"errors":[{"code":10000,"message":"Authentication error"}],"result":null}"#;
    let server = Loopback::start(vec![Answer::json(403, "", body), Answer::json(200, "", body)]).await;
    let plugin = cloudflare_at(&server);
    let error = run(&plugin, "cf-verify", json!({})).await.unwrap_err();
    assert_eq!(error.message, "Cloudflare answered 403: Authentication error");
    assert_eq!(error.hint.as_deref(), Some("check CLOUDFLARE_API_TOKEN"));
    let error = run(&plugin, "cf-list-dns-records", json!({ "zoneId": "abc" })).await.unwrap_err();
    assert_eq!((error.message.as_str(), error.retryable), ("Cloudflare refused: Authentication error", false));
    assert!(run(&plugin, "cf-list-dns-records", json!({ "zoneId": "../user" })).await.is_err());
    assert_eq!(server.asked().len(), 2);
}

#[test]
fn every_vendor_takes_the_names_of_all_skills() {
    let loaded = load(&Config::default(), None).unwrap();
    for skill in loaded.plugins.iter().flat_map(|plugin| &plugin.skills) {
        let id = &skill.spec().id;
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        assert!(id.len() <= 64 && id.bytes().all(fits), "{id}");
    }
}
