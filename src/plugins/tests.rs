//! The plugins' skills against a server that plays a script.

use serde_json::{Value, json};

use super::{Plugin, Readiness, anthropic, cloudflare, openai_compatible};
use crate::config::{self, Config, Secret};
use crate::providers::loopback::{Answer, Loopback, http};
use crate::skills::{Skill, SkillError};

async fn run(plugin: &Plugin, skill: &str, input: Value) -> Result<Value, SkillError> {
    let is_it = |candidate: &&Skill| candidate.spec().id == skill;
    plugin.skills.iter().find(is_it).expect("the plugin has the skill").run(input).await
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
    let loaded = super::load(&Config::default()).unwrap();
    for skill in loaded.plugins.iter().flat_map(|plugin| &plugin.skills) {
        let id = &skill.spec().id;
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        assert!(id.len() <= 64 && id.bytes().all(fits), "{id}");
    }
}
