//! The documented routes: one method each, its result in the envelope.

use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::connection::Shared;
use super::envelope::{self, Failure};
use super::exchange::{Beside, Exchange};
use super::fields;
use crate::api::Vitals;
use crate::protocol::VERSION;

/// Calls the method and answers with its result.
pub async fn method(shared: &Arc<Shared>, method: &'static str, request: Request) -> Result<Response, Failure> {
    let mut fields = fields::of(method, request, shared.body_bytes()).await?;
    fields::leave_running(method, &mut fields);
    // Nobody would hear them.
    fields.remove("stream");
    let mut data = ask(shared, method, fields.into()).await?;
    // The result of a skill has the envelope's form already.
    if method == "skills.invoke" {
        data = data["data"].take();
    }
    if method.starts_with("oauth.") {
        spell_twice(&mut data);
    }
    Ok(envelope::data(data))
}

/// As `GET /health` of old, with the version beside.
pub async fn health(shared: &Arc<Shared>) -> Response {
    let Vitals { version, started_at, plugins, skills, keeps } = shared.host.vitals().await;
    envelope::data(json!({
        "plugins": plugins.len(),
        "skills": skills,
        "durableObjects": keeps,
        "workersAi": plugins.contains(&"workers-ai"),
        "version": version,
        "protocolVersion": VERSION,
        "startedAt": started_at,
    }))
}

pub fn plugins(shared: &Arc<Shared>) -> Response {
    let row = |face: crate::api::PluginFace| {
        json!({
            "id": face.id,
            "version": env!("CARGO_PKG_VERSION"),
            "description": face.description,
            "capabilities": face.capabilities,
        })
    };
    let rows: Vec<Value> = shared.host.plugins().into_iter().map(row).collect();
    envelope::data(json!({"plugins": rows}))
}

async fn ask(shared: &Arc<Shared>, method: &str, params: Value) -> Result<Value, Failure> {
    let result = Exchange::open(&shared.host).ask(method, params, Beside::Drop).await?;
    Ok(serde_json::from_str(result.get()).unwrap_or_default())
}

/// The words of RFC 8628 are spelled with underscores, ours are not: each is there in both ways.
fn spell_twice(data: &mut Value) {
    if let Value::Object(members) = data {
        let spelled: Map<String, Value> =
            members.iter().map(|(name, value)| (fields::snake(name), value.clone())).collect();
        members.extend(spelled);
    }
}
