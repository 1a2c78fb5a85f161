//! The chat skill that every plugin with a provider has: one question, one answer, no loop and no session.

mod input;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::StreamExt;
use serde_json::{Value, json};

use super::Gate;
use crate::model::{Completion, Fold, Provider, ProviderError, Request, Stop, Usage};
use crate::skills::{Handler, Skill, SkillError, SkillSpec};
use input::Input;

/// `provider` is missing while the plugin is not configured; `hint` then says how to set it up.
pub(super) fn chat_skill(
    plugin: &'static str,
    id: &str,
    description: &str,
    provider: Option<Arc<Gate>>,
    hint: &str,
) -> Skill {
    let spec = SkillSpec {
        id: id.to_owned(),
        description: description.to_owned(),
        plugin: plugin.to_owned(),
        tags: vec!["ai".to_owned(), "chat".to_owned()],
        input_schema: input::schema(),
        dangerous: false,
    };
    Skill::new(spec, ChatHandler { plugin, provider, hint: hint.to_owned() })
}

struct ChatHandler {
    plugin: &'static str,
    provider: Option<Arc<Gate>>,
    hint: String,
}

#[async_trait]
impl Handler for ChatHandler {
    async fn run(&self, input: Value) -> Result<Value, SkillError> {
        let Some(provider) = &self.provider else {
            return Err(SkillError::new(format!("{} is not configured", self.plugin)).with_hint(&self.hint));
        };
        let input: Input = serde_json::from_value(input).map_err(|error| SkillError::new(error.to_string()))?;
        let asked = input.model.clone();
        let completion = complete(&**provider, input.into_request()).await.map_err(failed)?;
        let model = completion.model.clone().or(asked).or_else(|| provider.default_model().map(str::to_owned));
        Ok(output(&completion, model, self.plugin))
    }
}

async fn complete(provider: &dyn Provider, request: Request) -> Result<Completion, ProviderError> {
    let mut deltas = provider.stream(request).await?;
    let mut fold = Fold::default();
    while let Some(delta) = deltas.next().await {
        fold.push(&delta?);
    }
    Ok(fold.finish().0)
}

pub(super) fn failed(error: ProviderError) -> SkillError {
    let mut skill_error = SkillError::new(error.message);
    skill_error.hint = error.hint;
    skill_error.status = error.status;
    skill_error.retryable = error.retryable;
    skill_error.kind = Some(error.kind);
    skill_error
}

fn output(completion: &Completion, model: Option<String>, provider: &str) -> Value {
    let calls = completion.message.tool_calls().map(|call| {
        let input = call.input().unwrap_or_else(|_| Value::String(call.arguments.clone()));
        json!({ "id": call.id, "name": call.name, "input": input })
    });
    json!({
        "text": completion.message.plain_text(),
        "toolCalls": calls.collect::<Vec<_>>(),
        "usage": usage(&completion.usage),
        "stopReason": stop_reason(&completion.stop),
        "model": model,
        "provider": provider,
    })
}

/// What the vendor did not say is left out.
fn usage(usage: &Usage) -> Value {
    let counts = [
        ("inputTokens", usage.input_tokens),
        ("outputTokens", usage.output_tokens),
        ("cachedTokens", usage.cached_tokens),
        ("cacheWriteTokens", usage.cache_write_tokens),
        ("reasoningTokens", usage.reasoning_tokens),
    ];
    let known = counts.into_iter().filter_map(|(name, count)| Some((name.to_owned(), json!(count?))));
    let cost = usage.cost_usd().map(|cost| ("costUsd".to_owned(), json!(cost)));
    Value::Object(known.chain(cost).collect())
}

fn stop_reason(stop: &Stop) -> &str {
    match stop {
        Stop::EndTurn => "end-turn",
        Stop::ToolUse => "tool-use",
        Stop::MaxTokens => "max-tokens",
        Stop::StopSequence => "stop-sequence",
        Stop::Refusal(_) => "refusal",
        Stop::ContentFilter => "content-filter",
        Stop::ContextExceeded => "context-exceeded",
        Stop::Pause => "pause",
        Stop::Other(reason) => reason,
    }
}
