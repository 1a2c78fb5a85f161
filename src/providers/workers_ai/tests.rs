use std::collections::HashSet;

use futures_util::StreamExt;
use serde_json::{Value, json};

use super::decode::{Decoder, Hollow};
use super::{PathId, WorkersAi, WorkersAiSettings, encode};
use crate::config::{self, Secret};
use crate::model::{
    Block, Completion, ErrorKind, Fold, ImageSource, Message, Provider, ProviderError, Request, Role, ToolChoice,
};
use crate::providers::chat::DIALECT;
use crate::providers::conversation::{self, MODEL};
use crate::providers::fixtures;
use crate::providers::loopback::{Answer, Loopback, http};

fn decoder() -> Decoder {
    let taken = HashSet::from(["call_taken".to_owned()]);
    Decoder::new(fixtures::source(), "m".to_owned(), taken, Hollow::default())
}

#[test]
fn answers_are_read_as_recorded() {
    fixtures::check_all("workers_ai", decoder);
    fixtures::check_damaged("workers_ai", decoder);
}

fn everything() -> Request {
    let thought = json!({ "field": "reasoning_content" });
    let mut request = conversation::of_everything(DIALECT, &thought, &json!({}));
    for block in request.messages.iter_mut().flat_map(|message| &mut message.blocks) {
        if let Block::Image { source: ImageSource::Url { url } } = block {
            "data:image/png;base64,BBBB".clone_into(url);
        }
    }
    request
}

fn sent(request: &Request) -> Value {
    serde_json::from_slice(&encode::body(request, MODEL).unwrap()).unwrap()
}

#[test]
fn a_conversation_is_said_in_full() {
    let request = everything();
    let body = sent(&request);
    fixtures::check_request("workers_ai", &body);
    let contents = body["messages"].as_array().unwrap().iter().map(|message| &message["content"]);
    assert!(contents.clone().all(|content| content.is_string() || content.is_array()));
    let several = [&request.tools[..], &request.tools[..]].concat();
    assert_eq!(sent(&Request { tools: several.into(), ..everything() })["tool_choice"], "required");
    let forbidden = sent(&Request { tool_choice: ToolChoice::None, ..request });
    assert_eq!((forbidden.get("tools"), forbidden.get("tool_choice")), (None, None));
}

#[test]
fn an_image_at_an_address_is_refused_before_anything_is_sent() {
    let request = conversation::of_everything(DIALECT, &json!({}), &json!({}));
    let error = encode::body(&request, MODEL).unwrap_err();
    assert_eq!((error.kind, error.retryable), (ErrorKind::InvalidRequest, false));
    assert_eq!(error.message, "Workers AI cannot fetch an image from an address");
}

fn workers_ai(server: &Loopback) -> WorkersAi {
    let settings = WorkersAiSettings {
        id: "workers-ai",
        upstream: fixtures::source().upstream,
        base_url: server.url.join("client/v4/").unwrap(),
        account: PathId::new("abc123").unwrap(),
        token: Secret::new("sk-secret-1"),
        default_model: "@cf/a/default".to_owned(),
    };
    WorkersAi::new(http(&[server], config::Http::default()), settings)
}

async fn ask(provider: &WorkersAi, request: Request) -> Result<Completion, ProviderError> {
    let mut deltas = provider.stream(request).await?;
    let mut fold = Fold::default();
    while let Some(delta) = deltas.next().await {
        fold.push(&delta?);
    }
    Ok(fold.finish().0)
}

fn question() -> Request {
    Request { messages: vec![Message::text(Role::User, "Hi")], stream: true, ..Request::default() }
}

const HELLO: &str = "data: {\"response\":\"Hello\"}\n\ndata: {\"response\":\"\",\"usage\":{}}\n\ndata: [DONE]\n\n";
const WHOLE: &str = r#"{"result":{"response":"Hello"},"success":true,"errors":[],"messages":[]}"#;
const HOLLOW: &str = r#"{"result":{},"success":true,"errors":[],"messages":[]}"#;

#[tokio::test]
async fn each_model_has_an_address_of_its_own() {
    let server = Loopback::start(vec![Answer::events(HELLO)]).await;
    let provider = workers_ai(&server);
    assert_eq!(ask(&provider, question()).await.unwrap().message.plain_text(), "Hello");
    let other = Request { model: Some("workers-ai/@hf/b/other-1.5".to_owned()), ..question() };
    ask(&provider, other).await.unwrap();
    let asked = server.asked();
    assert!(asked[0].starts_with("POST /client/v4/accounts/abc123/ai/run/@cf/a/default HTTP"), "{}", asked[0]);
    assert!(asked[0].contains("authorization: Bearer sk-secret-1\r\n"));
    assert!(asked[1].starts_with("POST /client/v4/accounts/abc123/ai/run/@hf/b/other-1.5 HTTP"), "{}", asked[1]);
    let shouted = Request { model: Some("Workers-AI/@hf/b/other-1.5".to_owned()), ..question() };
    ask(&provider, shouted).await.unwrap();
    assert_eq!(server.asked()[2].lines().next(), asked[1].lines().next());
    assert_eq!(provider.endpoints()[0].path(), "/client/v4/accounts/abc123/ai");
}

#[tokio::test]
async fn a_model_name_that_leads_elsewhere_is_not_sent() {
    let server = Loopback::start(vec![Answer::events(HELLO)]).await;
    let provider = workers_ai(&server);
    for bad in ["", "@cf/../../x", "@cf//x", "a?b", "a#b", "%2e%2e/x", "."] {
        let error = ask(&provider, Request { model: Some(bad.to_owned()), ..question() }).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::ModelNotFound, "{bad}");
    }
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn quirk_26_an_empty_document_in_place_of_a_stream_is_asked_for_again_as_a_document() {
    for hollow in [HOLLOW, "", r#"{"result":{"response":""},"success":true}"#] {
        let server = Loopback::start(vec![Answer::json(200, "", hollow), Answer::json(200, "", WHOLE)]).await;
        assert_eq!(ask(&workers_ai(&server), question()).await.unwrap().message.plain_text(), "Hello");
        let asked = server.asked();
        assert!(asked[0].contains("\"stream\":true") && asked[1].contains("\"stream\":false"));
        assert_eq!(asked.len(), 2);
    }
}

#[tokio::test]
async fn quirk_30_what_is_empty_a_second_time_is_an_error() {
    let server = Loopback::start(vec![Answer::json(200, "", HOLLOW)]).await;
    let error = ask(&workers_ai(&server), question()).await.unwrap_err();
    assert_eq!((error.kind, error.retryable), (ErrorKind::Protocol, false));
    assert_eq!(error.message, "Vendor answered with an empty completion");
    assert_eq!(server.asked().len(), 2);
    let stream = Loopback::start(vec![Answer::events("data: {\"response\":\"\"}\n\ndata: [DONE]\n\n")]).await;
    assert!(ask(&workers_ai(&stream), question()).await.is_err());
    assert_eq!(stream.asked().len(), 1);
}

#[tokio::test]
async fn quirk_23_a_full_queue_is_asked_again_and_a_spent_day_is_not() {
    let refusal = |code| {
        let body = format!(r#"{{"result":null,"success":false,"errors":[{{"code":{code},"message":"no"}}]}}"#);
        Answer::json(429, "retry-after-ms: 1\r\n", &body)
    };
    let server = Loopback::start(vec![refusal(3040), Answer::events(HELLO)]).await;
    assert_eq!(ask(&workers_ai(&server), question()).await.unwrap().message.plain_text(), "Hello");
    let server = Loopback::start(vec![refusal(3036)]).await;
    let error = ask(&workers_ai(&server), question()).await.unwrap_err();
    assert_eq!((error.kind, error.retryable, server.asked().len()), (ErrorKind::Quota, false, 1));
    assert!(error.retry_after.is_some());
}

#[tokio::test]
async fn the_catalogue_is_read_page_by_page() {
    let row = |name: &str, task: &str| {
        let window = json!({ "property_id": "context_window", "value": "24000" });
        json!({ "id": "uuid", "name": name, "task": { "name": task }, "properties": [window] })
    };
    let page = |rows: Value| {
        let info = json!({ "total_pages": 2 });
        Answer::json(200, "", &json!({ "success": true, "result": rows, "result_info": info }).to_string())
    };
    let first = page(json!([row("@cf/a/x", "Text Generation"), row("@cf/a/picture", "Text-to-Image")]));
    let second = page(json!([row("@cf/a/y", "Text Generation")]));
    let server = Loopback::start(vec![first.clone(), second]).await;
    let models = workers_ai(&server).models().await.unwrap();
    let models: Vec<_> = models.iter().map(|model| (model.id.as_str(), model.context_window)).collect();
    assert_eq!(models, [("@cf/a/x", Some(24_000)), ("@cf/a/y", Some(24_000))]);
    let asked = &server.asked()[1];
    let expected = "GET /client/v4/accounts/abc123/ai/models/search?task=Text+Generation&page=2&per_page=100 ";
    assert!(asked.starts_with(expected), "{asked}");
    let stubborn = Loopback::start(vec![first]).await;
    assert_eq!(workers_ai(&stubborn).models().await.unwrap().len(), 1);
    assert_eq!(stubborn.asked().len(), 2);
}
