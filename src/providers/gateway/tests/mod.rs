//! Names and doors as plain values; calls against servers that play a script.

mod calls;
mod names;
mod quirks;
mod requests;
mod secrets;

use std::collections::HashSet;

use serde_json::{Map, Value};
use url::Url;

use super::envelope::Enveloped;
use super::{Gateway, GatewaySettings};
use crate::config::{self, Secret};
use crate::model::{Message, Metadata, Request, Role};
use crate::providers::loopback::{Loopback, http};
use crate::providers::{PathId, chat, fixtures};

const ANSWER: &str =
    r#"{"model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}]}"#;
const REFUSED: &str = r#"{"result":null,"success":false,"errors":[{"code":9999,"message":"no"}],"messages":[]}"#;
const API_TOKEN: &str = "cf-token-secret";
const AUTH_TOKEN: &str = "aig-token-secret";

#[test]
fn answers_are_read_as_recorded() {
    let decoder = || Enveloped {
        inner: chat::decoder(&fixtures::source(), "alibaba/qwen3", &[]),
        source: fixtures::source(),
        about: Metadata::new(),
    };
    fixtures::check_all("gateway", decoder);
    fixtures::check_damaged("gateway", decoder);
}

fn settings() -> GatewaySettings {
    let url = |text: &str| Url::parse(text).unwrap();
    GatewaySettings {
        id: "cf-ai-gateway",
        api_base_url: url("https://api.example/client/v4"),
        base_url: url("https://gateway.example/"),
        account: PathId::new("acct").unwrap(),
        gateway: PathId::new("gw").unwrap(),
        api_token: Some(Secret::new(API_TOKEN)),
        auth_token: Some(Secret::new(AUTH_TOKEN)),
        default_model: None,
        unified_billing: false,
        cache_ttl: None,
        collect_log: None,
    }
}

/// Between these servers, without retries.
fn gateway(api: &Loopback, behind: &Loopback, change: impl FnOnce(&mut GatewaySettings)) -> Gateway {
    let api_base_url = api.url.join("client/v4").unwrap();
    let mut settings = GatewaySettings { api_base_url, base_url: behind.url.clone(), ..settings() };
    change(&mut settings);
    Gateway::new(http(&[api, behind], config::Http { max_retries: 0, ..config::Http::default() }), settings)
}

fn asking(model: &str, options: Value) -> Request {
    Request {
        model: Some(model.to_owned()),
        messages: vec![Message::text(Role::User, "Hi")],
        options: options.as_object().cloned().unwrap_or_else(Map::new),
        ..Request::default()
    }
}

/// The paths that were asked for.
fn targets(server: &Loopback) -> Vec<String> {
    let target = |request: &String| request.split(' ').nth(1).unwrap_or_default().to_owned();
    server.asked().iter().map(target).collect()
}

fn no_duplicates<T: std::hash::Hash + Eq>(items: impl IntoIterator<Item = T>) -> bool {
    let mut seen = HashSet::new();
    items.into_iter().all(|item| seen.insert(item))
}
