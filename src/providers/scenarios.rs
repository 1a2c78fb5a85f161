//! Every scenario in every dialect: what goes onto the wire is kept in `tests/fixtures/DIALECT/requests`, one file a
//! scenario. A new dialect is a row of [`DIALECTS`].

use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::anthropic::{self, Anthropic, AnthropicSettings, Credential};
use super::chat::{self, Chat, ChatSettings};
use super::codex::{Access, ByKey, Codex, KeySettings};
use super::conversation::scenarios;
use super::endpoint::PathId;
use super::fixtures;
use super::loopback::{Answer, Loopback, http};
use super::upstream::Upstream;
use super::workers_ai::{WorkersAi, WorkersAiSettings};
use crate::config::{self, CodexApi, Secret};
use crate::model::{Provider, Request};

const UPSTREAM: Upstream = Upstream { name: "Vendor", key_setting: "VENDOR_KEY", url_setting: "VENDOR_URL" };

pub(super) struct Dialect {
    /// The folder of its recorded answers.
    pub(super) name: &'static str,
    /// What its opaque values carry.
    opaque: &'static str,
    pub(super) provider: fn(&Loopback) -> Box<dyn Provider>,
    /// What it keeps with a thought and with a call.
    kept: fn() -> [Value; 2],
}

pub(super) const DIALECTS: [Dialect; 4] = [
    Dialect { name: "anthropic", opaque: anthropic::DIALECT, provider: anthropic, kept: of_anthropic },
    Dialect { name: "chat", opaque: chat::DIALECT, provider: chat, kept: of_chat },
    Dialect { name: "responses", opaque: "responses", provider: responses, kept: of_responses },
    Dialect { name: "workers_ai", opaque: chat::DIALECT, provider: workers_ai, kept: of_chat },
];

fn anthropic(server: &Loopback) -> Box<dyn Provider> {
    let (base_url, credential) = (server.url.clone(), Credential::Key(Secret::new("sk-secret-1")));
    let settings = AnthropicSettings { id: "vendor", upstream: UPSTREAM, base_url, credential, default_model: None };
    Box::new(Anthropic::new(http(&[server], once()), settings))
}

fn of_anthropic() -> [Value; 2] {
    [json!({ "signature": "c2ln" }), json!({ "caller": { "type": "direct" } })]
}

fn chat(server: &Loopback) -> Box<dyn Provider> {
    let settings = ChatSettings {
        id: "vendor",
        upstream: UPSTREAM,
        base_url: server.url.clone(),
        key: None,
        headers: HeaderMap::new(),
        default_model: None,
    };
    Box::new(Chat::new(http(&[server], once()), settings))
}

fn of_chat() -> [Value; 2] {
    [json!({ "field": "reasoning_content" }), json!({ "extra_content": { "google": { "thought_signature": "c2ln" } } })]
}

fn responses(server: &Loopback) -> Box<dyn Provider> {
    let (base_url, key) = (server.url.clone(), Secret::new("sk-secret-1"));
    let settings = KeySettings { id: "vendor", upstream: UPSTREAM, base_url, key, api: CodexApi::Responses };
    let access = Access::ApiKey(ByKey::new(&http(&[server], once()), settings));
    Box::new(Codex::new("vendor", access, "gpt-5-codex".to_owned()))
}

fn of_responses() -> [Value; 2] {
    [json!({ "type": "reasoning", "summary": [], "encrypted_content": "c2ln" }), json!({ "namespace": "n" })]
}

fn workers_ai(server: &Loopback) -> Box<dyn Provider> {
    let settings = WorkersAiSettings {
        id: "vendor",
        upstream: UPSTREAM,
        base_url: server.url.clone(),
        account: PathId::new("abc123").expect("an id"),
        token: Secret::new("sk-secret-1"),
        default_model: "@cf/vendor/model".to_owned(),
    };
    Box::new(WorkersAi::new(http(&[server], once()), settings))
}

fn once() -> config::Http {
    config::Http { max_retries: 0, ..config::Http::default() }
}

/// The body that is sent for a request, or why none is.
pub(super) async fn sent(dialect: &Dialect, request: Request) -> Value {
    let server = Loopback::start(vec![Answer::json(400, "", "{}")]).await;
    let outcome = (dialect.provider)(&server).stream(request).await;
    let Some(asked) = server.asked().pop() else { return json!(outcome.err().expect("a reason").to_string()) };
    let (_, body) = asked.split_once("\r\n\r\n").expect("a body");
    serde_json::from_str(body).expect("JSON")
}

#[tokio::test]
async fn every_scenario_is_said_in_every_dialect() {
    for dialect in &DIALECTS {
        let [thought, on_call] = (dialect.kept)();
        for (scenario, request) in scenarios(dialect.opaque, &thought, &on_call) {
            fixtures::check_scenario(dialect.name, scenario, &sent(dialect, request).await);
        }
    }
}
