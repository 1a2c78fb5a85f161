//! What is sent at each door, as it goes over the wire.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{ANSWER, API_TOKEN, REFUSED, asking, gateway};
use crate::config::Secret;
use crate::model::{ErrorKind, Provider, ToolSpec};
use crate::providers::gateway::GatewaySettings;
use crate::providers::loopback::{Answer, Loopback};

/// Its first line, the headers that matter in their order, and the body.
fn told(request: &str) -> String {
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let first = lines.next().unwrap().to_owned();
    let matters = |line: &&str| {
        ["cf-", "authorization", "x-", "api-key", "anthropic-"].iter().any(|begin| line.starts_with(begin))
    };
    let mut headers: Vec<String> = lines.filter(matters).map(str::to_owned).collect();
    headers.sort();
    let body = match serde_json::from_str::<Value>(body) {
        Ok(body) => serde_json::to_string_pretty(&body).unwrap(),
        Err(_) => body.to_owned(),
    };
    format!("{first}\n{}\n\n{body}\n", headers.join("\n"))
}

/// What goes out for one call: every request of it, whichever server it goes to.
async fn sent(model: &str, options: Value, change: impl FnOnce(&mut GatewaySettings)) -> String {
    let server = Loopback::start(vec![Answer::json(200, "", ANSWER)]).await;
    let mut request = asking(model, options);
    request.tools = Arc::new([ToolSpec {
        name: "read".to_owned(),
        description: "Reads".to_owned(),
        input_schema: json!({ "type": "object" }).into(),
    }]);
    // Whether the answer is understood is no matter here.
    let _ = gateway(&server, &server, change).stream(request).await;
    server.asked().iter().map(|request| told(request)).collect::<Vec<_>>().join("\n")
}

fn check(name: &str, told: &str) {
    let mut snapshots = insta::Settings::clone_current();
    snapshots.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/gateway/snapshots"));
    snapshots.set_prepend_module_to_snapshot(false);
    snapshots.set_omit_expression(true);
    snapshots.bind(|| insta::assert_snapshot!(name, told));
}

#[tokio::test]
async fn one_at_each_door() {
    let none = json!({});
    check("request-completions", &sent("google-ai-studio/gemini-3-pro", none.clone(), |_| ()).await);
    check("request-messages", &sent("claude/claude-opus-4-6", none.clone(), |_| ()).await);
    check("request-universal", &sent("qwen/qwen3-max", none.clone(), |_| ()).await);
    check("request-compat", &sent("grok/grok-4", json!({ "forceCompat": true }), |_| ()).await);
    check("request-native", &sent("openrouter/z-ai/glm-5", json!({ "providerApiKey": " sk-or-1 " }), |_| ()).await);
    check("request-dynamic", &sent("dynamic/support", none, |_| ()).await);
}

#[tokio::test]
async fn with_every_option() {
    let options = json!({
        "forceCompat": true,
        "providerKeyRef": "work",
        "cacheTtl": 300,
        "skipCache": true,
        "cacheKey": "k1",
        "metadata": { "user": "Zoë 🦀", "n": 1, "beta": true, "none": null },
        "requestTimeoutMs": 1500,
        "collectLog": false,
        "collectLogPayload": false,
        "eventId": "e1",
        "customCost": { "perTokenIn": 0.000_001, "perTokenOut": 0.000_002 },
        "zdr": true,
        "noWholesale": true,
        "somebodyElses": 1,
    });
    check("request-options", &sent("openai/gpt-5", options, |settings| settings.unified_billing = true).await);
    let tuned = |settings: &mut GatewaySettings| {
        settings.unified_billing = true;
        settings.cache_ttl = Some(Duration::from_secs(5));
        settings.collect_log = Some(true);
    };
    check("request-settings", &sent("openai/gpt-5", json!({}), tuned).await);
}

fn without_tokens(settings: &mut GatewaySettings) {
    (settings.api_token, settings.auth_token) = (None, None);
}

fn with_one_token(settings: &mut GatewaySettings) {
    settings.auth_token = None;
}

async fn headers(model: &str, options: Value, change: impl FnOnce(&mut GatewaySettings)) -> Vec<String> {
    let told = sent(model, options, change).await;
    let line = |line: &&str| line.contains("authorization") || line.contains("api-key") || line.contains("alias");
    told.lines().filter(line).map(str::to_owned).collect()
}

#[tokio::test]
async fn whose_key_stands_where() {
    let forced = json!({ "forceCompat": true });
    let caller = "cf-aig-authorization: Bearer aig-token-secret";
    assert_eq!(headers("openai/m", json!({}), |_| ()).await, ["authorization: Bearer cf-token-secret"]);
    assert_eq!(headers("openai/m", forced.clone(), |_| ()).await, [caller]);
    let one = headers("openai/m", forced.clone(), with_one_token).await;
    assert_eq!(one, ["cf-aig-authorization: Bearer cf-token-secret"]);
    // A gateway that lets everybody in.
    assert!(headers("openai/m", json!({}), without_tokens).await.is_empty());
    // Empty keys are none.
    let blank = json!({ "forceCompat": true, "providerApiKey": " ", "providerKeyRef": "" });
    assert_eq!(headers("openai/m", blank, |_| ()).await, [caller]);
    let key = json!({ "providerApiKey": "sk-1" });
    assert_eq!(headers("openai/m", key.clone(), |_| ()).await, ["authorization: Bearer sk-1", caller]);
    assert_eq!(headers("openrouter/a/m", key, |_| ()).await, ["authorization: Bearer sk-1", caller]);
}

#[tokio::test]
async fn cloudflares_token_is_a_key_for_cloudflares_models_only_and_never_stands_in_two_places() {
    let forced = json!({ "forceCompat": true });
    let both = ["authorization: Bearer cf-token-secret", "cf-aig-authorization: Bearer aig-token-secret"];
    assert_eq!(headers("@cf/a/m", forced.clone(), |_| ()).await, both);
    assert_eq!(headers("@cf/a/m", forced.clone(), with_one_token).await, both[..1]);
    let same = |settings: &mut GatewaySettings| settings.auth_token = Some(Secret::new(API_TOKEN));
    assert_eq!(headers("@cf/a/m", forced, same).await, both[..1]);
    let given = json!({ "providerApiKey": API_TOKEN });
    assert_eq!(headers("openai/m", given, with_one_token).await, both[..1]);
}

#[tokio::test]
async fn a_stored_key_is_named_where_the_service_reads_it() {
    let named = json!({ "providerKeyRef": "work" });
    let with_token = ["cf-aig-authorization: Bearer aig-token-secret", "cf-aig-byok-alias: work"];
    assert_eq!(headers("openai/m", named.clone(), |_| ()).await, with_token);
    let as_documented = ["cf-aig-authorization: work", "cf-aig-byok-alias: work"];
    assert_eq!(headers("openai/m", named, without_tokens).await, as_documented);
}

#[tokio::test]
async fn options_that_cannot_be_sent_are_refused() {
    let check = async |options: Value, says: &str| {
        let server = Loopback::start(vec![Answer::json(200, "", REFUSED)]).await;
        let error = gateway(&server, &server, |_| ()).stream(asking("openai/m", options)).await.err().unwrap();
        assert_eq!(error.kind, ErrorKind::InvalidRequest, "{error}");
        assert!(error.message.contains(says), "{error}");
        assert!(server.asked().is_empty());
        error
    };
    check(json!({ "cacheTtl": 59 }), "cacheTtl must be 0, or a whole number of seconds from 60").await;
    check(json!({ "cacheKey": "a\nb" }), "cacheKey must be plain ASCII without line breaks").await;
    check(json!({ "cacheKey": "k".repeat(5000) }), "cacheKey must be shorter").await;
    check(json!({ "eventId": "" }), "eventId must be a string that is not empty").await;
    check(json!({ "metadata": { "a": { "b": 1 } } }), "metadata must be an object of at most five").await;
    check(json!({ "metadata": [1] }), "metadata must be").await;
    check(json!({ "customCost": { "totalCost": -1 } }), "customCost must be").await;
    check(json!({ "requestTimeoutMs": 0 }), "requestTimeoutMs must be").await;
    check(json!({ "forceCompat": "yes" }), "forceCompat must be true or false").await;
    check(json!({ "providerKeyRef": "a\r\nx: y" }), "providerKeyRef must be plain ASCII").await;
    check(json!({ "providerApiKey": "sk\nx" }), "providerApiKey must be plain ASCII").await;
    let error = check(json!({ "zdr": true }), "zdr needs Cloudflare's Unified Billing").await;
    assert!(error.hint.unwrap().contains("unified_billing = true"));
    check(json!({ "noWholesale": false }), "noWholesale: false needs").await;
    let error = check(json!({ "providerApiKey": { "key": "sk-secret" } }), "providerApiKey must be a string").await;
    assert!(!error.message.contains("sk-secret"));
}
