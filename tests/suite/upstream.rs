//! Servers that misbehave, seen through every wire format: each fault has its code, and the connection lives on.

use serde_json::{Value, json};

use crate::home::Home;
use crate::serving::{self, stream, whole};
use crate::wire::{Framing, Wire};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Dialect {
    OpenAi,
    Anthropic,
    Responses,
}

const KEY: &str = "sk-secret-upstream-key";
const ONCE: &str = "[http]\nmax_retries = 0";

impl Dialect {
    pub const ALL: [Self; 3] = [Self::OpenAi, Self::Anthropic, Self::Responses];

    pub fn chat_skill(self) -> &'static str {
        match self {
            Self::OpenAi => "openai-compat-chat",
            Self::Anthropic => "anthropic-chat",
            Self::Responses => "codex-chat",
        }
    }

    fn plugin(self) -> &'static str {
        match self {
            Self::OpenAi => "openai-compatible",
            Self::Anthropic => "anthropic",
            Self::Responses => "codex",
        }
    }

    pub fn home(self, url: &str, tables: &str) -> Home {
        let home = Home::with(tables);
        match self {
            Self::OpenAi => home
                .set("OPENAI_COMPATIBLE_URL", &format!("{url}/v1"))
                .set("OPENAI_COMPATIBLE_KEY", KEY)
                .set("OPENAI_COMPATIBLE_DEFAULT_MODEL", "m"),
            Self::Anthropic => {
                home.set("ANTHROPIC_BASE_URL", url).set("ANTHROPIC_API_KEY", KEY).set("ANTHROPIC_DEFAULT_MODEL", "m")
            }
            Self::Responses => home
                .set("OPENAI_BASE_URL", &format!("{url}/v1"))
                .set("OPENAI_API_KEY", KEY)
                .set("CODEX_DEFAULT_MODEL", "m"),
        }
    }

    /// The beginning of a streamed answer.
    pub fn first_chunks(self) -> &'static str {
        match self {
            Self::OpenAi => "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello\"}}]}\n\n",
            Self::Anthropic => concat!(
                "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"m\"}}\n\n",
                "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,",
                "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
                "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,",
                "\"delta\":{\"type\":\"text_delta\",\"text\":\"Hello\"}}\n\n",
            ),
            Self::Responses => {
                "data: {\"type\":\"response.output_text.delta\",\"output_index\":0,\"delta\":\"Hello\"}\n\n"
            }
        }
    }
}

/// Answers every request with these bytes and hangs up.
async fn serve(answer: String) -> String {
    serving::answer(move |_| answer.clone()).await
}

struct Expected {
    code: i64,
    name: &'static str,
    status: Option<u16>,
    retryable: bool,
    retry_after_ms: Option<u64>,
    /// Something that the message or the hint must say.
    says: &'static str,
}

/// Streamed and not, the error is the same; the next request is answered.
async fn check(dialect: Dialect, url: &str, expected: &Expected) {
    let home = dialect.home(url, ONCE);
    let daemon = home.daemon().await;
    let mut wire = Wire::connect(&daemon, Framing::Lines);
    for stream in [false, true] {
        let session = format!("stream {stream}");
        let params = json!({"sessionName": session, "mode": "auto", "content": "hello", "stream": stream});
        let error = wire.ask("conductor.message", params).await.expect_err("an error");
        check_error(dialect, &error, expected);
        if stream {
            let events = wire.events(&session);
            crate::clients::check_numbers(&events);
            let kinds: Vec<&str> = events.iter().filter_map(|params| params["event"]["kind"].as_str()).collect();
            assert!(kinds.ends_with(&["attempt-failed", "error", "loop-done"]), "{dialect:?}: {kinds:?}");
            let told = &events[events.len() - 2]["event"]["error"];
            assert_eq!(told["code"], error["code"], "the event tells the same");
        }
        let detail = wire.ask("sessions.get", json!({"sessionName": session})).await.expect("the session");
        assert_eq!((&detail["running"], &detail["messageCount"]), (&json!(false), &json!(1)), "{detail}");
    }
    let listed = wire.ask("providers.list", json!({})).await.expect("providers");
    let row = listed["providers"].as_array().expect("rows").iter().find(|row| row["id"] == dialect.plugin());
    assert_eq!(row.expect("a row")["healthy"], false, "{listed}");
    let all = format!("{listed}{:?}", wire.seen);
    assert!(!all.contains(KEY), "the key shows");
}

#[track_caller]
fn check_error(dialect: Dialect, error: &Value, expected: &Expected) {
    let data = &error["data"];
    let said = format!("{} {}", error["message"], data["hint"]);
    assert_eq!((&error["code"], &data["code"]), (&json!(expected.code), &json!(expected.name)), "{error}");
    assert_eq!(data["provider"], dialect.plugin(), "{error}");
    assert_eq!(data["status"], json!(expected.status), "{error}");
    assert_eq!(data["retryable"], expected.retryable, "{error}");
    assert_eq!(data["retryAfterMs"], json!(expected.retry_after_ms), "{error}");
    assert_eq!(data["attempts"].as_array().map(Vec::len), Some(1), "{error}");
    assert!(said.contains(expected.says), "it should say '{}': {error}", expected.says);
    assert!(!error.to_string().contains(KEY), "the key shows: {error}");
}

const FAILED: Expected =
    Expected { code: -32011, name: "E_PROVIDER_FAILED", status: None, retryable: true, retry_after_ms: None, says: "" };

#[tokio::test]
async fn it_is_down() {
    let (listener, url) = serving::listen().await;
    drop(listener);
    for dialect in Dialect::ALL {
        check(dialect, &url, &Expected { says: "127.0.0.1", ..FAILED }).await;
    }
}

#[tokio::test]
async fn it_answers_with_a_page() {
    let page = "<!doctype html><html><head><title>Welcome</title></head><body>sign in</body></html>";
    let url = serve(whole("200 OK", "content-type: text/html\r\n", page)).await;
    for dialect in Dialect::ALL {
        check(dialect, &url, &Expected { retryable: false, says: "web page", ..FAILED }).await;
    }
}

#[tokio::test]
async fn it_refuses_the_key() {
    let body = format!("{{\"error\":{{\"message\":\"bad key {KEY}\",\"type\":\"authentication_error\"}}}}");
    let url = serve(whole("401 Unauthorized", "content-type: application/json\r\n", &body)).await;
    let expected =
        Expected { code: -32013, name: "E_AUTH", status: Some(401), retryable: false, says: "KEY", ..FAILED };
    for dialect in Dialect::ALL {
        check(dialect, &url, &expected).await;
    }
}

#[tokio::test]
async fn it_is_busy_and_says_for_how_long() {
    let body = "{\"error\":{\"message\":\"slow down\",\"type\":\"rate_limit_error\"}}";
    let headers = "content-type: application/json\r\nretry-after: 7\r\n";
    let url = serve(whole("429 Too Many Requests", headers, body)).await;
    for dialect in Dialect::ALL {
        let expected = Expected { status: Some(429), retry_after_ms: Some(7000), says: "slow down", ..FAILED };
        check(dialect, &url, &expected).await;
    }
}

#[tokio::test]
async fn it_fails_inside() {
    let body = "{\"error\":{\"message\":\"kaput\",\"type\":\"server_error\"}}";
    let url = serve(whole("500 Internal Server Error", "content-type: application/json\r\n", body)).await;
    for dialect in Dialect::ALL {
        check(dialect, &url, &Expected { status: Some(500), says: "kaput", ..FAILED }).await;
    }
}

#[tokio::test]
async fn it_breaks_off_in_the_middle() {
    for dialect in Dialect::ALL {
        let url = serve(stream(dialect.first_chunks())).await;
        let home = dialect.home(&url, "");
        let daemon = home.daemon().await;
        let mut wire = Wire::connect(&daemon, Framing::Lines);
        let params = json!({"sessionName": "s", "mode": "auto", "content": "hello", "stream": true});
        let error = wire.ask("conductor.message", params).await.expect_err("an error");
        check_error(dialect, &error, &Expected { says: "in the middle", ..FAILED });
        let deltas: String =
            wire.events("s").iter().filter_map(|params| params["event"]["text"].as_str().map(str::to_owned)).collect();
        assert!(deltas.starts_with("Hello"), "what came was shown: {deltas}");
        wire.ask("sessions.get", json!({"sessionName": "s"})).await.expect("the session");
    }
}

#[tokio::test]
async fn fallbacks_are_tried_and_listed() {
    let down = whole("500 Internal Server Error", "", "no");
    for dialect in Dialect::ALL {
        let url = serve(down.clone()).await;
        let home = dialect.home(&url, ONCE);
        let daemon = home.daemon().await;
        let mut wire = Wire::connect(&daemon, Framing::Lines);
        let again = format!("{}/other/model", dialect.plugin());
        let params = json!({"mode": "auto", "content": "hello", "fallbackModels": [again, "offline"]});
        let result = wire.ask("conductor.message", params).await.expect("the last one answers");
        assert_eq!(result["providerUsed"], "offline");
        let attempts = result["attempts"].as_array().expect("attempts");
        let tried: Vec<_> = attempts.iter().map(|row| (row["model"].as_str(), row["ok"].as_bool())).collect();
        assert_eq!(tried, [(Some("m"), Some(false)), (Some("other/model"), Some(false)), (None, Some(true))]);

        let params = json!({"mode": "auto", "content": "hello", "fallbackModels": [again]});
        let error = wire.ask("conductor.message", params).await.expect_err("all fail");
        assert_eq!((&error["code"], &error["data"]["code"]), (&json!(-32012), &json!("E_FALLBACKS_EXHAUSTED")));
        assert_eq!(error["data"]["attempts"].as_array().map(Vec::len), Some(2), "{error}");
    }
}

#[tokio::test]
async fn a_host_that_is_not_allowed_is_named() {
    for dialect in Dialect::ALL {
        let url = serve(whole("200 OK", "", "{}")).await;
        let home = dialect.home(&url, ONCE).set("ALLOWED_HOSTS", "example.com");
        let daemon = home.daemon().await;
        let mut wire = Wire::connect(&daemon, Framing::Lines);
        let error = wire.ask("conductor.message", json!({"content": "hello"})).await.expect_err("an error");
        assert_eq!((&error["code"], &error["data"]["code"]), (&json!(-32014), &json!("E_HOST_NOT_ALLOWED")));
        assert!(error["message"].as_str().is_some_and(|message| message.contains("127.0.0.1")), "{error}");
    }
}
