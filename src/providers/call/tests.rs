//! Whole calls through a provider, against a server that plays a script.

mod compressed;
mod patience;

use futures_util::StreamExt;
use reqwest::header::HeaderMap;

use crate::config::{self, Secret};
use crate::model::{Delta, ErrorKind, Fold, Message, Provider, ProviderError, Request, Role, Stop};
use crate::providers::anthropic::{Anthropic, AnthropicSettings, Credential};
use crate::providers::chat::{Chat, ChatSettings};
use crate::providers::loopback::{Answer, Loopback, http};
use crate::providers::upstream::Upstream;

const UPSTREAM: Upstream = Upstream { name: "Vendor", key_setting: "VENDOR_KEY", url_setting: "VENDOR_URL" };
const HELLO: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"Hello\"}}]}\n\n";
const END: &str = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
const WHOLE: &str = r#"{"choices":[{"message":{"content":"Hello"},"finish_reason":"stop"}]}"#;

fn chat(server: &Loopback, default_model: Option<&str>) -> Chat {
    let settings = ChatSettings {
        id: "vendor",
        upstream: UPSTREAM,
        base_url: server.url.clone(),
        key: Some(Secret::new("sk-secret-1")),
        headers: HeaderMap::new(),
        default_model: default_model.map(str::to_owned),
    };
    Chat::new(http(&[server], config::Http::default()), settings)
}

fn anthropic(server: &Loopback, key: &str) -> Anthropic {
    let settings = AnthropicSettings {
        id: "vendor",
        upstream: UPSTREAM,
        base_url: server.url.clone(),
        credential: Credential::Key(Secret::new(key)),
        default_model: Some("claude-x".to_owned()),
    };
    Anthropic::new(http(&[server], config::Http::default()), settings)
}

fn question() -> Request {
    Request { messages: vec![Message::text(Role::User, "Hi")], stream: true, ..Request::default() }
}

/// The text as far as it came, and how it ended.
async fn ask(provider: &dyn Provider, request: Request) -> Result<(String, Option<ProviderError>), ProviderError> {
    let mut deltas = provider.stream(request).await?;
    let mut fold = Fold::default();
    let mut error = None;
    while let Some(delta) = deltas.next().await {
        match delta {
            Ok(delta) => fold.push(&delta),
            Err(fault) => error = Some(fault),
        }
    }
    let (completion, finished) = fold.finish();
    assert_eq!(finished, error.is_none());
    Ok((completion.message.plain_text(), error))
}

#[tokio::test]
async fn quirk_23_what_passes_is_asked_again() {
    let busy = Answer::json(429, "retry-after-ms: 1\r\n", r#"{"error":{"message":"slow down"}}"#);
    let server = Loopback::start(vec![busy.clone(), busy, Answer::events(&format!("{HELLO}{END}"))]).await;
    let (text, error) = ask(&chat(&server, Some("m")), question()).await.unwrap();
    assert_eq!((text.as_str(), error.is_none()), ("Hello", true));
    assert_eq!(server.asked().len(), 3);
}

#[tokio::test]
async fn what_does_not_pass_is_reported_with_what_to_do() {
    let refusal = Answer::json(401, "", r#"{"error":{"message":"bad key sk-secret-1"}}"#);
    let server = Loopback::start(vec![refusal]).await;
    let error = ask(&chat(&server, Some("m")), question()).await.unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Auth, "Vendor answered 401: bad key ***"));
    assert_eq!(error.hint.as_deref(), Some("check VENDOR_KEY"));
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn quirk_06_nothing_is_asked_again_once_something_was_shown() {
    let server = Loopback::start(vec![Answer::events(HELLO)]).await;
    let (text, error) = ask(&chat(&server, Some("m")), question()).await.unwrap();
    assert_eq!((text.as_str(), error.unwrap().kind), ("Hello", ErrorKind::Truncated));
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn quirk_06_an_answer_that_breaks_before_it_shows_anything_is_asked_for_again() {
    let broken = Answer::events(": nothing yet\n\n");
    let server = Loopback::start(vec![broken, Answer::events(&format!("{HELLO}{END}"))]).await;
    assert_eq!(ask(&chat(&server, Some("m")), question()).await.unwrap().0, "Hello");
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn quirk_26_a_server_may_ignore_whether_a_stream_was_wanted() {
    let server = Loopback::start(vec![Answer::json(200, "", WHOLE), Answer::events(&format!("{HELLO}{END}"))]).await;
    let provider = chat(&server, Some("m"));
    for stream in [true, false] {
        assert_eq!(ask(&provider, Request { stream, ..question() }).await.unwrap().0, "Hello");
    }
    assert!(server.asked()[0].contains("\"stream\":true"));
    assert!(server.asked()[1].contains("\"stream\":false"));
}

#[tokio::test]
async fn quirk_31_dropping_the_stream_hangs_up_and_asks_no_more() {
    let mut server = Loopback::start(vec![Answer::events(HELLO).then_hold()]).await;
    let mut deltas = chat(&server, Some("m")).stream(question()).await.unwrap();
    assert!(matches!(deltas.next().await, Some(Ok(Delta::Start { .. }))));
    drop(deltas);
    server.hung_up().await;
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn quirk_05_an_error_in_a_stream_is_asked_again_only_while_nothing_was_shown() {
    let error = "data: {\"error\":{\"message\":\"overloaded\",\"type\":\"server_error\"}}\n\n";
    let server = Loopback::start(vec![Answer::events(error), Answer::events(&format!("{HELLO}{END}"))]).await;
    assert_eq!(ask(&chat(&server, Some("m")), question()).await.unwrap().0, "Hello");
    assert_eq!(server.asked().len(), 2);
    let server = Loopback::start(vec![Answer::events(&format!("{HELLO}{error}"))]).await;
    let (text, error) = ask(&chat(&server, Some("m")), question()).await.unwrap();
    assert_eq!((text.as_str(), error.unwrap().kind), ("Hello", ErrorKind::Unavailable));
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn quirk_06_a_length_that_was_promised_and_not_kept_is_a_truncation() {
    let head = "HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\n";
    let by_length = Answer::raw(&format!("{head}content-length: 9999\r\n\r\n{HELLO}"));
    let in_chunks =
        Answer::raw(&format!("{head}transfer-encoding: chunked\r\n\r\n{:x}\r\n{HELLO}\r\nff\r\nx", HELLO.len()));
    for answer in [by_length, in_chunks] {
        let server = Loopback::start(vec![answer]).await;
        let (text, error) = ask(&chat(&server, Some("m")), question()).await.unwrap();
        assert_eq!((text.as_str(), error.unwrap().kind, server.asked().len()), ("Hello", ErrorKind::Truncated, 1));
    }
}

#[tokio::test]
async fn quirk_24_a_success_without_a_body_is_named() {
    for answer in [Answer::raw("HTTP/1.1 204 X\r\n\r\n"), Answer::json(200, "", "")] {
        let server = Loopback::start(vec![answer]).await;
        let error = ask(&chat(&server, Some("m")), question()).await.unwrap_err();
        assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Protocol, "Vendor answered with nothing at all"));
        assert_eq!(error.hint.as_deref(), Some("is the base URL right? See VENDOR_URL"));
    }
}

#[tokio::test]
async fn quirk_24_json_under_another_content_type_is_json() {
    let headers = "content-type: application/octet-stream\r\n";
    let failed = Answer::whole(400, headers, r#"{"error":{"message":"bad"}}"#);
    let server = Loopback::start(vec![Answer::whole(200, headers, WHOLE), failed]).await;
    let provider = chat(&server, Some("m"));
    assert_eq!(ask(&provider, question()).await.unwrap().0, "Hello");
    assert_eq!(ask(&provider, question()).await.unwrap_err().message, "Vendor answered 400: bad");
}

#[tokio::test]
async fn quirk_30_an_empty_completion_is_an_error_that_is_not_asked_again() {
    let usage = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":0}}\n\n";
    let server = Loopback::start(vec![Answer::events(&format!("{usage}data: [DONE]\n\n"))]).await;
    let error = ask(&chat(&server, Some("m")), question()).await.unwrap_err();
    assert_eq!(error.message, "Vendor answered with an empty completion");
    assert_eq!((error.kind, error.retryable, server.asked().len()), (ErrorKind::Protocol, false, 1));
    assert!(error.hint.unwrap().contains("context"));
}

#[tokio::test]
async fn the_answer_is_over_when_it_says_so_even_if_the_line_stays_open() {
    let server = Loopback::start(vec![Answer::events(&format!("{HELLO}{END}")).then_hold()]).await;
    let (text, error) = ask(&chat(&server, Some("m")), question()).await.unwrap();
    assert_eq!((text.as_str(), error.is_none()), ("Hello", true));
}

#[tokio::test]
async fn one_connection_serves_many_calls() {
    let stream = format!("{HELLO}{END}");
    let answer = Answer::whole(200, "content-type: text/event-stream\r\n", &stream);
    let server = Loopback::start(vec![answer]).await;
    let provider = chat(&server, Some("m"));
    for _ in 0..3 {
        ask(&provider, question()).await.unwrap();
    }
    assert_eq!((server.asked().len(), server.connections()), (3, 1));
}

#[tokio::test]
async fn without_a_default_the_first_model_is_taken_and_remembered() {
    let models = Answer::json(200, "", r#"{"data":[{"id":"nomic-embed"},{"id":"qwen"}]}"#);
    let server = Loopback::start(vec![models, Answer::json(200, "", WHOLE)]).await;
    let provider = chat(&server, None);
    assert_eq!(provider.default_model(), None);
    for _ in 0..2 {
        ask(&provider, question()).await.unwrap();
    }
    assert_eq!(provider.default_model(), Some("qwen"));
    let asked = server.asked();
    assert_eq!(asked.len(), 3);
    assert!(asked[0].starts_with("GET /v1/models"));
    assert!(asked[1].starts_with("POST /v1/chat/completions") && asked[1].contains("\"model\":\"qwen\""));
}

#[tokio::test]
async fn models_of_the_chat_dialect_may_come_in_pages() {
    let page = |id: &str, more: bool| format!(r#"{{"data":[{{"id":"{id}"}}],"has_more":{more},"last_id":"{id}"}}"#);
    let pages = [page("a", true), page("b", false)].map(|page| Answer::json(200, "", &page));
    let server = Loopback::start(pages.to_vec()).await;
    let provider = chat(&server, Some("m"));
    let models = provider.models().await.unwrap();
    assert_eq!(models.iter().map(|model| model.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert!(server.asked()[1].starts_with("GET /v1/models?after=a "));
    assert_eq!(provider.endpoints()[0].path(), "/v1/chat/completions");
}

#[tokio::test]
async fn no_model_at_all_names_the_setting() {
    let server = Loopback::start(vec![Answer::json(404, "", "{}")]).await;
    let error = ask(&chat(&server, None), question()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Config);
    assert!(error.hint.unwrap().contains("MODEL_DEFAULT"));
}

#[tokio::test]
async fn anthropic_is_asked_with_its_own_headers() {
    let body = r#"{"id":"m","content":[{"type":"text","text":"Hello"}],"stop_reason":"end_turn"}"#;
    let server = Loopback::start(vec![Answer::json(200, "", body)]).await;
    assert_eq!(ask(&anthropic(&server, "sk-ant-api"), question()).await.unwrap().0, "Hello");
    assert_eq!(ask(&anthropic(&server, "sk-ant-oat-1"), question()).await.unwrap().0, "Hello");
    let asked = server.asked();
    assert!(asked[0].starts_with("POST /v1/messages "));
    assert!(asked[0].contains("x-api-key: sk-ant-api\r\n") && asked[0].contains("anthropic-version: 2023-06-01\r\n"));
    assert!(asked[1].contains("authorization: Bearer sk-ant-oat-1\r\n") && !asked[1].contains("x-api-key"));
}

#[tokio::test]
async fn anthropic_models_come_in_pages() {
    let first = r#"{"data":[{"id":"a","display_name":"A"}],"has_more":true,"last_id":"a"}"#;
    let second = r#"{"data":[{"id":"b"}],"has_more":false,"last_id":"b"}"#;
    let server = Loopback::start(vec![Answer::json(200, "", first), Answer::json(200, "", second)]).await;
    let models = anthropic(&server, "k").models().await.unwrap();
    assert_eq!(models.iter().map(|model| model.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert!(server.asked()[1].starts_with("GET /v1/models?limit=1000&after_id=a "));
}

#[tokio::test]
async fn a_refusal_is_an_answer() {
    let body = r#"{"id":"m","content":[],"stop_reason":"refusal","stop_details":{"explanation":"no"}}"#;
    let server = Loopback::start(vec![Answer::json(200, "", body)]).await;
    let deltas = anthropic(&server, "k").stream(question()).await.unwrap();
    let last = deltas.collect::<Vec<_>>().await.pop().unwrap().unwrap();
    assert_eq!(last, Delta::Finished(Stop::Refusal(Some("no".to_owned()))));
}
