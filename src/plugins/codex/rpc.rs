//! `codex-rpc`: any method of the app-server. Dangerous, for the app-server may do what its user may.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::ID;
use crate::codex::link::LinkError;
use crate::codex::{AppServer, RpcFault};
use crate::model::ClientPlace;
use crate::skills::{Handler, Skill, SkillError, SkillSpec};

pub(super) fn skill(server: &Arc<AppServer>) -> Skill {
    let spec = SkillSpec {
        id: "codex-rpc".to_owned(),
        description: "Call any method of the Codex app-server, as in thread/read; it can do whatever its user can"
            .to_owned(),
        plugin: ID.to_owned(),
        tags: vec!["ai".to_owned(), "rpc".to_owned()],
        input_schema: json!({
            "type": "object",
            "properties": {
                "method": { "type": "string", "minLength": 1 },
                "params": { "type": "object", "description": "as the method wants them" },
                "timeoutMs": { "type": "integer", "minimum": 1, "description": "how long the answer may take" },
            },
            "required": ["method"],
            "additionalProperties": false,
        }),
        dangerous: true,
    };
    Skill::new(spec, Rpc { server: Arc::clone(server) })
}

struct Rpc {
    server: Arc<AppServer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    method: String,
    params: Option<Value>,
    timeout_ms: Option<u64>,
}

#[async_trait]
impl Handler for Rpc {
    async fn run(&self, input: Value, _: &ClientPlace) -> Result<Value, SkillError> {
        let input: Input = serde_json::from_value(input).map_err(|error| SkillError::new(error.to_string()))?;
        let params = input.params.as_ref().map(raw);
        let timeout = input.timeout_ms.map(Duration::from_millis);
        let result = self.server.rpc(&input.method, params.as_deref(), timeout).await.map_err(failed)?;
        Ok(json!({ "result": value(&result)? }))
    }
}

pub(super) fn raw(value: &Value) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).expect("made of JSON values")
}

/// JSON may be nested deeper, and numbers in it may be greater, than a value can be.
pub(super) fn value(result: &RawValue) -> Result<Value, SkillError> {
    serde_json::from_str(result.get())
        .map_err(|error| SkillError::new(format!("the Codex app-server answered with what cannot be read: {error}")))
}

pub(super) fn failed(fault: RpcFault) -> SkillError {
    let mut error = SkillError::new(match &fault {
        RpcFault::Link(LinkError::Rpc(error)) => {
            format!("the Codex app-server answered with error {}: {}", error.code(), error.message())
        }
        other => other.to_string(),
    });
    match fault {
        RpcFault::Refused { .. } => {
            error.hint = Some("take it out of refuse_methods under [codex] if it may be called".to_owned());
        }
        RpcFault::Link(LinkError::Down(fault) | LinkError::Lost(fault)) => {
            error.retryable = !fault.kind.is_final();
            error.hint.clone_from(&fault.hint);
        }
        RpcFault::Link(LinkError::TimedOut { .. }) => {
            error.retryable = true;
            error.hint = Some("give it longer with timeoutMs or CODEX_APP_SERVER_TIMEOUT_MS".to_owned());
        }
        RpcFault::Link(LinkError::Overloaded { .. }) => error.retryable = true,
        RpcFault::Link(LinkError::Rpc(_)) => {}
    }
    error
}
