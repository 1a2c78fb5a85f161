//! What only this vendor understands, by the names of its chat skill. What is not readable as meant is passed over: it
//! may have been meant for another provider.

use serde_json::{Map, Value, json};

use crate::model::Request;

pub(super) struct Options<'a> {
    /// As it goes onto the wire.
    pub(super) thinking: Option<&'a Map<String, Value>>,
    pub(super) effort: Option<&'a str>,
    /// Whether the vendor shall remember how the request begins; none leaves it to us.
    pub(super) cache_control: Option<bool>,
    pub(super) stop_sequences: Vec<&'a str>,
    /// Tools that the vendor runs itself, as they go onto the wire.
    pub(super) server_tools: &'a [Value],
    /// Features that have to be asked for by name.
    pub(super) betas: Vec<&'a str>,
}

impl<'a> Options<'a> {
    pub(super) fn of(request: &'a Request) -> Self {
        let option = |name: &str| request.options.get(name);
        Self {
            thinking: option("thinking").and_then(Value::as_object),
            effort: option("effort").and_then(Value::as_str),
            cache_control: option("cacheControl").and_then(Value::as_bool),
            stop_sequences: texts(option("stopSequences")),
            server_tools: option("serverTools").and_then(Value::as_array).map_or(&[], Vec::as_slice),
            betas: texts(option("betas")),
        }
    }

    pub(super) fn thinks(&self) -> bool {
        let kind = self.thinking.and_then(|thinking| thinking.get("type")).and_then(Value::as_str);
        kind.is_some_and(|kind| kind != "disabled")
    }

    pub(super) fn thinking_budget(&self) -> Option<u32> {
        let budget = self.thinking?.get("budget_tokens")?.as_u64()?;
        u32::try_from(budget).ok()
    }
}

fn texts(list: Option<&Value>) -> Vec<&str> {
    list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

/// The schemas of the options, by name.
pub fn schema() -> Value {
    let texts = json!({ "type": "array", "items": { "type": "string", "minLength": 1 } });
    let with = |mut schema: Value, description: &str| {
        schema["description"] = json!(description);
        schema
    };
    json!({
        "thinking": {
            "type": "object",
            "description": "as in the Messages API: `{\"type\": \"adaptive\"}`, or \
                `{\"type\": \"enabled\", \"budget_tokens\": 2048}`; `temperature` is then left out, and tools are not forced",
            "properties": {
                "type": { "enum": ["enabled", "adaptive", "disabled"] },
                "budget_tokens": { "type": "integer", "minimum": 1024 },
            },
            "required": ["type"],
        },
        "effort": { "enum": ["low", "medium", "high", "xhigh", "max"] },
        "cacheControl": {
            "type": "boolean",
            "description": "have the tools, the system prompt and the messages cached for five minutes: that writes \
                them at a quarter more, and reads them again at a tenth of the price",
        },
        "stopSequences": with(texts.clone(), "texts at which the model stops"),
        "serverTools": {
            "type": "array",
            "items": { "type": "object", "required": ["type"] },
            "description": "tools that the vendor runs itself, as in the Messages API",
        },
        "betas": with(texts, "features to ask for in the header anthropic-beta"),
    })
}
