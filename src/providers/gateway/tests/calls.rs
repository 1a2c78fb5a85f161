//! Which path is taken, what is told of it, and when the other one is tried.

use futures_util::StreamExt;
use serde_json::{Value, json};
use url::Url;

use super::{ANSWER, REFUSED, asking, gateway, targets};
use crate::config;
use crate::model::{
    Block, Completion, ErrorKind, Fold, Message, Provider, ProviderError, Request, Role, Stop, ToolCall,
};
use crate::policy::{HostPattern, HostPolicy, Redactor};
use crate::providers::gateway::{Gateway, GatewaySettings};
use crate::providers::http::Http;
use crate::providers::loopback::{Answer, Loopback};

const RUN: &str = "/client/v4/accounts/acct/ai/v1/chat/completions";
const COMPAT: &str = "/v1/acct/gw/compat/chat/completions";

async fn answer(provider: &dyn Provider, request: Request) -> Result<Completion, ProviderError> {
    let mut deltas = provider.stream(request).await?;
    let mut fold = Fold::default();
    while let Some(delta) = deltas.next().await {
        fold.push(&delta?);
    }
    Ok(fold.finish().0)
}

async fn server(answer: Answer) -> Loopback {
    Loopback::start(vec![answer]).await
}

async fn good() -> Loopback {
    server(Answer::json(200, "cf-aig-cache-status: HIT\r\ncf-aig-step: 0\r\n", ANSWER)).await
}

#[tokio::test]
async fn the_run_path_comes_first() {
    let (api, behind) = (good().await, good().await);
    let completion = answer(&gateway(&api, &behind, |_| ()), asking("openai/m", json!({}))).await.unwrap();
    assert_eq!(completion.message.plain_text(), "Hi");
    assert_eq!((targets(&api), targets(&behind)), (vec![RUN.to_owned()], vec![]));
    assert_eq!(Value::Object(completion.metadata), json!({ "path": "run", "cacheStatus": "HIT", "step": "0" }));
}

#[tokio::test]
async fn what_the_gateway_says_above_an_answer_is_told() {
    let headers = "cf-aig-log-id: 01JX\r\ncf-aig-request-id: r1\r\ncf-aig-event-id: e1\r\ncf-aig-model: gpt-5\r\n\
                   cf-aig-provider: openai\r\ncf-aig-dlp: {\"action\":\"FLAG\"}\r\ncf-ray: 9a-FRA\r\n\
                   cf-aig-cache-status: MISS\r\ncf-aig-step: 1\r\ncf-aig-run-id: run-1\r\n";
    let (api, behind) = (good().await, server(Answer::json(200, headers, ANSWER)).await);
    let completion = answer(&gateway(&api, &behind, |_| ()), asking("dynamic/support", json!({}))).await.unwrap();
    let expected = json!({
        "path": "compat", "cacheStatus": "MISS", "step": "1", "logId": "01JX", "requestId": "r1", "eventId": "e1",
        "model": "gpt-5", "provider": "openai", "dlp": { "action": "FLAG" }, "rayId": "9a-FRA",
        "runId": "run-1",
    });
    assert_eq!(Value::Object(completion.metadata), expected);
    assert_eq!(completion.model.as_deref(), Some("m-1"));
}

#[tokio::test]
async fn the_run_path_is_passed_over_where_it_does_not_lead() {
    let check = async |model: &str, options: Value, path: &str, change: fn(&mut GatewaySettings)| {
        let (api, behind) = (good().await, good().await);
        let completion = answer(&gateway(&api, &behind, change), asking(model, options)).await.unwrap();
        assert_eq!((api.asked().len(), behind.asked().len()), (0, 1), "{model}");
        assert_eq!((completion.metadata["path"].as_str(), completion.metadata.get("pathErrors")), (Some(path), None));
    };
    check("openai/m", json!({ "forceCompat": true }), "compat", |_| ()).await;
    check("openai/m", json!({}), "compat", |settings| settings.api_token = None).await;
    check("mistral/m", json!({}), "compat", |_| ()).await;
    check("dynamic/route", json!({}), "compat", |_| ()).await;
    check("custom-mine/m", json!({}), "compat", |_| ()).await;
    check("openrouter/a/m", json!({}), "native", |_| ()).await;
    // It has no place for a vendor's key.
    check("openai/m", json!({ "providerApiKey": "sk-1" }), "compat", |_| ()).await;
    check("openai/m", json!({ "providerKeyRef": "work" }), "compat", |_| ()).await;
}

#[tokio::test]
async fn a_failure_that_is_the_paths_own_leads_to_the_second() {
    let check = async |status: u16, body: &str, follows: bool| {
        let (api, behind) = (server(Answer::json(status, "", body)).await, good().await);
        let result = answer(&gateway(&api, &behind, |_| ()), asking("openai/m", json!({}))).await;
        assert_eq!(targets(&api), [RUN], "{status} {body}");
        assert_eq!(targets(&behind), if follows { vec![COMPAT] } else { vec![] }, "{status} {body}");
        assert_eq!(result.is_ok(), follows);
        if let Ok(completion) = result {
            assert_eq!(completion.metadata["path"], "compat");
            let row = &completion.metadata["pathErrors"][0];
            assert_eq!((&row["path"], &row["status"]), (&json!("run"), &json!(status)));
        }
    };
    let other = r#"{"error":{"message":"the model says no"}}"#;
    for status in [401, 402, 403, 404, 405, 500, 502, 503, 504, 522] {
        check(status, REFUSED, true).await;
    }
    for status in [400, 408, 409, 413, 422, 424, 429] {
        check(status, REFUSED, false).await;
        check(status, other, false).await;
    }
    check(400, r#"{"error":{"code":"model_not_found","message":"no such model"}}"#, false).await;
    check(403, "<html>Attention Required</html>", true).await;
    check(200, "<html>sign in</html>", false).await;
}

#[tokio::test]
async fn a_host_that_is_down_or_not_allowed_leads_to_the_second() {
    let behind = good().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let down = Url::parse(&format!("http://{}/client/v4", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let check = async |allowed: &[&Url], says: &str| {
        let hosts = allowed.iter().filter_map(|url| HostPattern::of(url)).collect();
        let settings = config::Http { max_retries: 0, ..config::Http::default() };
        let http = Http::new(HostPolicy::new(hosts), settings, Redactor::default());
        let (api_base_url, base_url) = (down.clone(), behind.url.clone());
        let gateway = Gateway::new(http, GatewaySettings { api_base_url, base_url, ..super::settings() });
        let completion = answer(&gateway, asking("openai/m", json!({}))).await.unwrap();
        let row = &completion.metadata["pathErrors"][0];
        assert_eq!((&completion.metadata["path"], &row["path"]), (&json!("compat"), &json!("run")));
        assert!(row["error"].as_str().unwrap().contains(says) && row.get("status").is_none(), "{row}");
    };
    check(&[&behind.url], "not on the list of allowed hosts").await;
    check(&[&behind.url, &down], "could not connect to").await;
}

#[tokio::test]
async fn when_both_fail_both_are_named() {
    let api = server(Answer::json(401, "", REFUSED)).await;
    let behind =
        server(Answer::json(429, "retry-after: 7\r\n", r#"{"error":[{"code":1,"message":"slow down"}]}"#)).await;
    let error = answer(&gateway(&api, &behind, |_| ()), asking("openai/m", json!({}))).await.unwrap_err();
    let expected = "run path: Cloudflare answered 401: no; compat path: the AI gateway answered 429: slow down";
    assert_eq!(error.message, expected);
    assert_eq!((error.kind, error.status, error.retryable), (ErrorKind::RateLimited, Some(429), true));
    assert!(error.retry_after.is_some() && error.hint.is_some());
}

#[tokio::test]
async fn advice_that_a_code_brings_goes_before_what_is_known_of_the_path() {
    let hint = async |status: u16, code: u32| {
        let refused =
            Answer::json(status, "", &format!(r#"{{"success":false,"errors":[{{"code":{code},"message":"no"}}]}}"#));
        let (api, behind) = (server(refused.clone()).await, server(refused).await);
        let error = answer(&gateway(&api, &behind, |_| ()), asking("@cf/a/m", json!({}))).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Auth);
        error.hint.unwrap()
    };
    assert!(hint(403, 5016).await.contains("licence"));
    assert!(hint(403, 3041).await.contains("may not use this model"));
    assert!(hint(403, 9999).await.contains("AI Gateway Run"));
    assert!(hint(401, 2009).await.contains("AI Gateway Run"));
}

#[tokio::test]
async fn claude_keeps_its_blocks_and_signatures_on_the_run_path() {
    let events = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"1\",\"model\":\"claude-x\"}}\n\n\
        event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\"}}\n\n\
        event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"Hm.\"}}\n\n\
        event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"signature_delta\",\"signature\":\"c2ln\"}}\n\n\
        event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n\
        event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"read\",\"input\":{}}}\n\n\
        event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"a\\\":1}\"}}\n\n\
        event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":1}\n\n\
        event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"},\"usage\":{\"output_tokens\":3}}\n\n\
        event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
    let (api, behind) = (server(Answer::events(events)).await, good().await);
    let gateway = gateway(&api, &behind, |_| ());
    let mut request = Request { stream: true, ..asking("claude/claude-x", json!({})) };
    let completion = answer(&gateway, request.clone()).await.unwrap();
    assert_eq!(completion.stop, Stop::ToolUse);
    assert_eq!(targets(&api), ["/client/v4/accounts/acct/ai/v1/messages"]);
    request.messages.push(completion.message);
    let _ = answer(&gateway, request).await.unwrap();
    let again = api.asked()[1].clone();
    assert!(again.contains(r#"{"type":"thinking","thinking":"Hm.","signature":"c2ln"}"#), "{again}");
    assert!(again.contains(r#""model":"anthropic/claude-x""#), "{again}");
}

#[tokio::test]
async fn a_signature_of_gemini_survives_a_change_of_paths() {
    let call = json!({ "choices": [{ "index": 0, "finish_reason": "tool_calls", "message": { "tool_calls": [{
        "id": "c1", "function": { "name": "read", "arguments": "{}" },
        "extra_content": { "google": { "thought_signature": "s1" } },
    }] } }] });
    let (api, behind) = (server(Answer::json(200, "", &call.to_string())).await, good().await);
    let gateway = gateway(&api, &behind, |_| ());
    let mut request = asking("google/gemini-3-pro", json!({}));
    request.messages.push(answer(&gateway, request.clone()).await.unwrap().message);
    request.model = Some("google-ai-studio/gemini-3-pro".to_owned());
    request.options.insert("forceCompat".to_owned(), json!(true));
    answer(&gateway, request).await.unwrap();
    let asked = behind.asked()[0].clone();
    assert!(
        asked.contains("thought_signature") && asked.contains(r#""model":"google-ai-studio/gemini-3-pro""#),
        "{asked}"
    );
}

#[tokio::test]
async fn a_call_without_a_text_has_an_empty_one_for_workers_ai() {
    let (api, behind) = (good().await, good().await);
    let gateway = gateway(&api, &behind, |_| ());
    for (index, (model, content)) in
        [("@cf/a/m", r#""content":"","#), ("openai/m", r#""content":null"#)].iter().enumerate()
    {
        let mut request = asking(model, json!({}));
        let call = ToolCall { id: "c1".to_owned(), name: "read".to_owned(), arguments: String::new(), opaque: None };
        request.messages.push(Message { role: Role::Assistant, blocks: vec![Block::ToolCall(call)] });
        answer(&gateway, request).await.unwrap();
        assert!(api.asked()[index].contains(content), "{model}: {}", api.asked()[index]);
    }
}

#[tokio::test]
async fn the_models_are_those_that_can_be_listed() {
    let list = json!({ "object": "list", "data": [{ "id": "openai/gpt-5" }, { "id": "fal/flux" }, { "id": "gpt" }] });
    let hosted = json!({ "success": true, "result": [{
        "name": "@cf/meta/llama", "properties": [{ "property_id": "context_window", "value": "8192" }],
    }] });
    let ids = async |api: &Loopback, behind: &Loopback| -> Vec<(String, Option<u64>)> {
        let models = gateway(api, behind, |_| ()).models().await.unwrap();
        models.into_iter().map(|model| (model.id, model.context_window)).collect()
    };
    let api = server(Answer::json(200, "", &hosted.to_string())).await;
    let behind = server(Answer::json(200, "", &list.to_string())).await;
    assert_eq!(ids(&api, &behind).await, [("openai/gpt-5".to_owned(), None)]);
    assert!(api.asked().is_empty());
    let none = server(Answer::json(404, "", REFUSED)).await;
    assert_eq!(ids(&api, &none).await, [("workers-ai/@cf/meta/llama".to_owned(), Some(8192))]);
    let first = &targets(&api)[0];
    assert_eq!(first, "/client/v4/accounts/acct/ai/models/search?task=Text+Generation&page=1&per_page=100");
    let without = gateway(&api, &none, |settings| settings.api_token = None);
    assert_eq!(without.models().await.unwrap_err().status, Some(404));
}
