//! `POST /rpc`: one request of JSON-RPC and its answer, both as they are on the wire.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value};

use super::connection::Shared;
use super::envelope::{self, Failure};
use super::exchange::Exchange;
use super::fields;
use crate::rpc::{Message, frame};

pub async fn post(shared: &Arc<Shared>, request: Request) -> Result<Response, Failure> {
    let limits = shared.host.limits();
    let text = fields::read(request.into_body(), shared.body_bytes()).await?;
    let (frame, answered) = match frame::parse(&text, limits.json_depth) {
        Ok(Message::Request { id, method, params }) => {
            let params = params.and_then(|params| serde_json::from_str::<Map<String, Value>>(params.get()).ok());
            let changed = params.and_then(|mut params| {
                let before = params.len();
                fields::leave_running(&method, &mut params);
                (params.len() > before).then(|| frame::request(&id, &method, &Value::from(params).to_string()))
            });
            (changed.unwrap_or(text), true)
        }
        Ok(_) => (text, false),
        // What is wrong with it is said by those who always say it.
        Err(_) => (text, true),
    };
    let mut exchange = Exchange::open(&shared.host);
    exchange.send(frame).await?;
    match answered {
        true => Ok(envelope::document(exchange.answer().await?)),
        false => Ok(envelope::empty(StatusCode::ACCEPTED)),
    }
}
