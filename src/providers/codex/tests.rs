//! Both ways in, against a server that plays a script.

use std::path::Path;
use std::time::{Duration, SystemTime};

use futures_util::StreamExt;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Access, ByKey, ByTokens, CliLogin, Codex, KeySettings, Login, TokenSource, Tokens, read_login, token_of};
use crate::config::{self, CodexApi, Secret};
use crate::model::{Completion, ErrorKind, Fold, Message, Provider, ProviderError, Request, Role};
use crate::providers::loopback::{Answer, Loopback, http};
use crate::providers::upstream::Upstream;

const UPSTREAM: Upstream = Upstream { name: "OpenAI", key_setting: "THE_KEY", url_setting: "THE_URL" };
const STREAM: &str = concat!(
    "data: {\"type\":\"response.output_text.delta\",\"output_index\":0,\"delta\":\"Hello\"}\n\n",
    "data: {\"type\":\"response.completed\",\"response\":{\"model\":\"gpt-x-1\",\"output\":[]}}\n\n",
);
const CHAT: &str = r#"{"choices":[{"message":{"content":"Hello from chat"},"finish_reason":"stop"}]}"#;

fn by_key(server: &Loopback, api: CodexApi) -> Codex {
    let key = Secret::new("sk-secret-1");
    let settings = KeySettings { id: "codex", upstream: UPSTREAM, base_url: server.url.clone(), key, api };
    let access = Access::ApiKey(ByKey::new(&http(&[server], config::Http::default()), settings));
    Codex::new("codex", access, "gpt-x".to_owned())
}

fn by_tokens(server: &Loopback, tokens: Option<Tokens>, home: Option<&Path>) -> Codex {
    let http = http(&[server], config::Http::default());
    let read = || match read_login(home.expect("a home"), http.redactor()) {
        Ok(Login::Tokens(tokens)) => tokens,
        other => panic!("{other:?}"),
    };
    let source = match tokens {
        Some(tokens) => TokenSource::Settings(tokens),
        None => {
            let home = home.expect("a home").to_owned();
            TokenSource::CodexCli(CliLogin::new(home, Some(read()), http.redactor().clone()))
        }
    };
    let backend = server.url.join("backend-api/codex").unwrap();
    Codex::new("codex", Access::ChatGptTokens(ByTokens::new(&http, UPSTREAM, backend, source)), "gpt-x".to_owned())
}

/// Tells tokens apart by their name, and holds for this many seconds from now.
fn token(name: &str, seconds: i64) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let exp = i64::try_from(now.as_secs()).unwrap() + seconds;
    let own = json!({ "chatgpt_account_id": "acct-1", "chatgpt_plan_type": "pro" });
    token_of(&json!({ "jti": name, "exp": exp, "https://api.openai.com/auth": own }))
}

fn sign_in(home: &TempDir, access_token: &str) {
    let content = json!({ "auth_mode": "chatgpt", "OPENAI_API_KEY": null, "tokens": { "access_token": access_token } });
    std::fs::write(home.path().join("auth.json"), content.to_string()).unwrap();
}

fn question(stream: bool) -> Request {
    let system = Some("Be brief.".to_owned());
    let max_tokens = Some(100);
    Request { messages: vec![Message::text(Role::User, "Hi")], system, max_tokens, stream, ..Request::default() }
}

async fn ask(codex: &Codex, request: Request) -> Result<Completion, ProviderError> {
    let mut deltas = codex.stream(request).await?;
    let mut fold = Fold::default();
    while let Some(delta) = deltas.next().await {
        fold.push(&delta?);
    }
    let (completion, finished) = fold.finish();
    assert!(finished);
    Ok(completion)
}

fn body(request: &str) -> Value {
    serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap()
}

fn not_found() -> Answer {
    Answer::json(404, "", r#"{"detail":"Not Found"}"#)
}

#[tokio::test]
async fn a_key_speaks_responses() {
    let whole = r#"{"object":"response","status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"Hello"}]}]}"#;
    let server =
        Loopback::start(vec![Answer::events(STREAM), Answer::json(200, "x-request-id: req-1\r\n", whole)]).await;
    let codex = by_key(&server, CodexApi::Auto);
    for stream in [true, false] {
        let completion = ask(&codex, question(stream)).await.unwrap();
        assert_eq!(completion.message.plain_text(), "Hello");
        assert_eq!(completion.metadata["path"], "api-key");
    }
    let asked = server.asked();
    assert!(asked[0].starts_with("POST /v1/responses HTTP"), "{}", asked[0]);
    assert!(
        asked[0].contains("authorization: Bearer sk-secret-1\r\n") && asked[0].contains("accept: text/event-stream")
    );
    let sent = body(&asked[1]);
    assert_eq!((&sent["model"], &sent["stream"]), (&json!("gpt-x"), &json!(false)));
    assert_eq!((&sent["instructions"], &sent["max_output_tokens"]), (&json!("Be brief."), &json!(100)));
    assert_eq!(codex.endpoints(), std::slice::from_ref(&server.url));
}

#[tokio::test]
async fn an_endpoint_that_has_only_chat_is_spoken_to_in_chat_from_then_on() {
    let chat = Answer::json(200, "", CHAT);
    let server = Loopback::start(vec![not_found(), chat.clone(), chat]).await;
    let codex = by_key(&server, CodexApi::Auto);
    for _ in 0..2 {
        let request = Request { timeout: Some(Duration::from_secs(60)), ..question(false) };
        let completion = ask(&codex, request).await.unwrap();
        assert_eq!(completion.message.plain_text(), "Hello from chat");
        assert_eq!(completion.metadata["path"], "api-key");
    }
    let asked = server.asked();
    let paths: Vec<&str> = asked.iter().map(|request| request.split(' ').nth(1).unwrap()).collect();
    assert_eq!(paths, ["/v1/responses", "/v1/chat/completions", "/v1/chat/completions"]);
    assert_eq!(body(&asked[1])["model"], "gpt-x");
}

#[tokio::test]
async fn what_is_not_a_lack_of_responses_leads_nowhere_else() {
    let no_model = r#"{"error":{"message":"The model `gpt-x` does not exist","code":"model_not_found"}}"#;
    for (api, answer) in [
        (CodexApi::Auto, Answer::json(404, "", no_model)),
        (CodexApi::Auto, Answer::json(401, "", r#"{"error":{"message":"bad key sk-secret-1"}}"#)),
        (CodexApi::Responses, not_found()),
    ] {
        let server = Loopback::start(vec![answer]).await;
        let error = ask(&by_key(&server, api), question(true)).await.unwrap_err();
        assert_eq!(server.asked().len(), 1, "{error}");
        assert!(!error.message.contains("sk-secret-1"), "{error}");
    }
    let server = Loopback::start(vec![not_found()]).await;
    let codex = by_key(&server, CodexApi::Auto);
    for asked in [2, 4] {
        let error = ask(&codex, question(true)).await.unwrap_err();
        assert_eq!(error.hint.as_deref(), Some("is the base URL right? See THE_URL"));
        assert_eq!(server.asked().len(), asked, "where neither is, neither is remembered");
    }
    let server = Loopback::start(vec![Answer::json(200, "", CHAT)]).await;
    ask(&by_key(&server, CodexApi::Chat), question(false)).await.unwrap();
    assert!(server.asked()[0].starts_with("POST /v1/chat/completions "));
}

#[tokio::test]
async fn tokens_speak_as_the_codex_cli_does() {
    let limits = "x-codex-primary-used-percent: 42\r\nx-codex-primary-window-minutes: 300\r\n";
    let headers = format!("content-type: text/event-stream\r\n{limits}");
    let server = Loopback::start(vec![Answer::whole(200, &headers, STREAM)]).await;
    let access = token("a", 60);
    let tokens = Tokens::new(Secret::new(&*access), None, None);
    let codex = by_tokens(&server, Some(tokens), None);
    // The backend only streams, which the one who asks does not notice.
    let completion = ask(&codex, Request { include_raw: true, ..question(false) }).await.unwrap();
    assert_eq!(completion.message.plain_text(), "Hello");
    assert_eq!(completion.metadata["path"], "chatgpt-tokens");
    assert_eq!(completion.metadata["response"]["model"], "gpt-x-1");
    let used = json!({ "primary": { "usedPercent": 42, "windowMinutes": 300 } });
    assert_eq!((&completion.metadata["rateLimits"], codex.rate_limits()), (&used, Some(used.clone())));
    let asked = server.asked().remove(0);
    assert!(asked.starts_with("POST /backend-api/codex/responses HTTP"), "{asked}");
    let sent = body(&asked);
    let thread = sent["prompt_cache_key"].as_str().unwrap();
    for header in [
        format!("authorization: Bearer {access}"),
        "chatgpt-account-id: acct-1".to_owned(),
        "originator: codex_cli_rs".to_owned(),
        "version: 0.169.0".to_owned(),
        "accept: text/event-stream".to_owned(),
        format!("session-id: {thread}"),
        format!("thread-id: {thread}"),
        format!("x-client-request-id: {thread}"),
    ] {
        assert!(asked.contains(&format!("{header}\r\n")), "{header} is not in {asked}");
    }
    assert!(asked.contains("user-agent: codex_cli_rs/0.169.0 (") && !asked.contains("content-encoding"), "{asked}");
    assert_eq!((&sent["stream"], &sent["store"]), (&json!(true), &json!(false)));
    assert_eq!(sent["include"], json!(["reasoning.encrypted_content"]));
    assert_eq!(sent["input"][0]["role"], "developer");
    for absent in ["instructions", "max_output_tokens", "temperature", "previous_response_id"] {
        assert_eq!(sent.get(absent), None);
    }
}

#[tokio::test]
async fn a_first_401_makes_the_file_be_read_again() {
    let refusal = Answer::json(401, "", r#"{"detail":"Unauthorized"}"#);
    let server = Loopback::start(vec![refusal, Answer::events(STREAM)]).await;
    let home = TempDir::new().unwrap();
    let (old, new) = (token("old", 60), token("new", 60));
    sign_in(&home, &old);
    let codex = by_tokens(&server, None, Some(home.path()));
    // The Codex CLI refreshes its tokens meanwhile.
    sign_in(&home, &new);
    for _ in 0..2 {
        assert_eq!(ask(&codex, question(true)).await.unwrap().message.plain_text(), "Hello");
    }
    let asked = server.asked();
    let by = |request: &str, token: &str| request.contains(&format!("authorization: Bearer {token}\r\n"));
    assert!(by(&asked[0], &old) && by(&asked[1], &new) && by(&asked[2], &new));
    let kept = std::fs::read_to_string(home.path().join("auth.json")).unwrap();
    assert!(kept.contains(&new) && std::fs::read_dir(home.path()).unwrap().count() == 1, "nothing is written");
}

#[tokio::test]
async fn a_401_that_stays_says_to_sign_in_again_and_shows_no_token() {
    let home = TempDir::new().unwrap();
    let access = token("a", 60);
    sign_in(&home, &access);
    let said = json!({ "error": { "message": format!("token {access} is revoked"), "code": "token_revoked" } });
    let server = Loopback::start(vec![Answer::json(401, "", &said.to_string())]).await;
    let error = ask(&by_tokens(&server, None, Some(home.path())), question(true)).await.unwrap_err();
    assert_eq!((error.kind, error.status, error.retryable), (ErrorKind::Auth, Some(401), false));
    assert_eq!(error.message, "OpenAI answered 401: token *** is revoked");
    assert_eq!(error.hint.as_deref(), Some("run `codex login` again"));
    assert_eq!(server.asked().len(), 2);
    let tokens = Tokens::new(Secret::new(access), None, None);
    let error = ask(&by_tokens(&server, Some(tokens), None), question(true)).await.unwrap_err();
    assert!(error.hint.unwrap().contains("CODEX_ACCESS_TOKEN"));
    assert_eq!(server.asked().len(), 3, "there are no newer ones among the settings");
}

#[tokio::test]
async fn an_expired_token_is_not_shown_to_anybody() {
    let server = Loopback::start(vec![Answer::events(STREAM)]).await;
    let home = TempDir::new().unwrap();
    sign_in(&home, &token("old", -60));
    let codex = by_tokens(&server, None, Some(home.path()));
    for error in [ask(&codex, question(true)).await.unwrap_err(), codex.models().await.unwrap_err()] {
        assert_eq!((error.kind, error.retryable), (ErrorKind::Auth, false));
        assert!(error.message.contains("expired on") && error.hint.unwrap().contains("codex login"));
    }
    assert!(server.asked().is_empty());
    sign_in(&home, &token("new", 60));
    ask(&codex, question(true)).await.unwrap();
    std::fs::write(home.path().join("auth.json"), r#"{"auth_mode":"apikey","OPENAI_API_KEY":"sk-1"}"#).unwrap();
    ask(&codex, question(true)).await.unwrap();
    assert_eq!(server.asked().len(), 2, "what holds is not looked up again");
}

#[tokio::test]
async fn a_file_that_is_gone_or_changed_is_named() {
    let server = Loopback::start(vec![Answer::json(401, "", r#"{"detail":"Unauthorized"}"#)]).await;
    let home = TempDir::new().unwrap();
    sign_in(&home, &token("a", 60));
    let codex = by_tokens(&server, None, Some(home.path()));
    std::fs::write(home.path().join("auth.json"), r#"{"auth_mode":"apikey","OPENAI_API_KEY":"sk-1"}"#).unwrap();
    let error = ask(&codex, question(true)).await.unwrap_err();
    assert!(error.message.contains("uses an API key now"), "{error}");
    std::fs::remove_file(home.path().join("auth.json")).unwrap();
    let error = ask(&codex, question(true)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Auth);
    assert!(error.message.contains("auth.json, so nobody is signed in"), "{error}");
}

#[tokio::test]
async fn quirk_23_a_usage_limit_is_not_asked_again_and_says_until_when() {
    let until = SystemTime::now() + Duration::from_secs(7200);
    let resets_at = until.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let error = json!({ "type": "usage_limit_reached", "message": "The usage limit has been reached", "plan_type": "pro", "resets_at": resets_at });
    let headers = "x-codex-primary-used-percent: 100\r\n";
    let server = Loopback::start(vec![Answer::json(429, headers, &json!({ "error": error }).to_string())]).await;
    let codex = by_tokens(&server, Some(Tokens::new(Secret::new("at-opaque"), None, None)), None);
    let error = ask(&codex, question(true)).await.unwrap_err();
    assert_eq!((error.kind, error.status, error.retryable), (ErrorKind::Quota, Some(429), false));
    assert!(error.retry_after.is_some_and(|left| left > Duration::from_secs(7000)), "{:?}", error.retry_after);
    let when = httpdate::fmt_http_date(until);
    assert_eq!(error.message, format!("OpenAI answered 429: The usage limit has been reached (until {when})"));
    assert!(error.hint.unwrap().contains("codex-status"));
    assert_eq!(server.asked().len(), 1);
    assert!(!server.asked()[0].contains("chatgpt-account-id"), "an opaque token names no account");
    assert_eq!(codex.rate_limits(), Some(json!({ "primary": { "usedPercent": 100 } })));
}

#[tokio::test]
async fn other_refusals_of_the_backend() {
    let detail = r#"{"detail":"Unsupported parameter: max_output_tokens"}"#;
    let plan = r#"{"error":{"type":"usage_not_included","message":"Upgrade to Plus."}}"#;
    let script = vec![
        Answer::json(400, "", detail),
        Answer::whole(403, "cf-mitigated: challenge\r\ncontent-type: text/html\r\n", "<html>Just a moment</html>"),
        Answer::json(403, "", r#"{"detail":"Forbidden"}"#),
        Answer::json(429, "", plan),
    ];
    let server = Loopback::start(script).await;
    let codex = by_tokens(&server, Some(Tokens::new(Secret::new("at-opaque"), None, None)), None);
    let bad = ask(&codex, question(true)).await.unwrap_err();
    assert_eq!((bad.kind, bad.retryable), (ErrorKind::InvalidRequest, false));
    assert_eq!(bad.message, "OpenAI answered 400: Unsupported parameter: max_output_tokens");
    let challenge = ask(&codex, question(true)).await.unwrap_err();
    assert_eq!(challenge.kind, ErrorKind::Protocol);
    assert!(challenge.message.contains("challenge of its edge"), "{challenge}");
    let forbidden = ask(&codex, question(true)).await.unwrap_err();
    assert!(forbidden.kind == ErrorKind::Auth && forbidden.hint.unwrap().contains("may not include Codex"));
    let plan = ask(&codex, question(true)).await.unwrap_err();
    assert_eq!((plan.kind, plan.retryable), (ErrorKind::Quota, false));
    assert_eq!(server.asked().len(), 4);
}

#[tokio::test]
async fn the_models_of_the_subscription_are_listed() {
    let list = r#"{"models":[{"slug":"gpt-x","display_name":"GPT X","context_window":9,"visibility":"list"}]}"#;
    let refusal = Answer::json(401, "", r#"{"detail":"Unauthorized"}"#);
    let server = Loopback::start(vec![refusal, Answer::json(200, "", list)]).await;
    let home = TempDir::new().unwrap();
    sign_in(&home, &token("a", 60));
    let models = by_tokens(&server, None, Some(home.path())).models().await.unwrap();
    assert_eq!((models.len(), models[0].id.as_str()), (1, "gpt-x"));
    let asked = server.asked();
    assert!(asked[1].starts_with("GET /backend-api/codex/models?client_version=0.169.0 "), "{}", asked[1]);
    assert!(asked[1].contains("chatgpt-account-id: acct-1\r\n"));
}
